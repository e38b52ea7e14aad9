"""What a message says, as far as this receiver asks. Pure: no broker, no database, no clock.

The contract lets fields and values be added at any time, so what is checked here is what becomes a
column, and of that the type only; all else is kept as it came. The device's own classes
(`edge.publish.messages`) would be too strict for that, and would bring half of the device along.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

Time = Annotated[datetime, Meta(tz=True)]
MAX_KIND = 64
MAX_UNREADABLE = 10_000
"""Characters that are kept of a kind's name, and of a payload that cannot be read."""
_MAYBE_PICTURE = re.compile(r"[\w+/=\\-]{200,}")


class ReceivedDocument(Struct, frozen=True, kw_only=True):
    device_id: str
    site: str
    zone: str
    at: Time
    clock_synchronised: bool


class ReceivedViolation(ReceivedDocument, frozen=True, kw_only=True):
    schema: Literal["tensormask/violation/1"]
    event_id: UUID
    sequence: int
    state: str
    started_at: Time
    confirmed_at: Time
    ended_at: Time | None
    duration_s: float
    kind: str = "bare"
    place: str = ""
    snapshot: object = None


class ReceivedAcknowledgement(ReceivedDocument, frozen=True, kw_only=True):
    schema: Literal["tensormask/acknowledgement/1"]
    event_id: UUID
    sequence: int
    reason: str
    remedy: str
    note: str
    by: str


class Availability(ReceivedDocument, frozen=True, kw_only=True):
    schema: Literal["tensormask/availability/1"]
    state: str


class ReceivedTally(Struct, frozen=True, kw_only=True):
    seen: int
    masked: int
    bare: int
    unknown: int
    watched_s: float
    worn_wrongly: int = 0


class ReceivedPlace(Struct, frozen=True, kw_only=True):
    place: str
    since_start: ReceivedTally


class ReceivedCompliance(ReceivedDocument, frozen=True, kw_only=True):
    schema: Literal["tensormask/compliance/1"]
    last_hour: ReceivedTally
    run: str = ""
    since_start: ReceivedTally | None = None
    places: tuple[ReceivedPlace, ...] = ()


Name = Annotated[str, Meta(max_length=200)]
Line = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]*\Z",
    ),
]
"""Characters that a terminal prints, and does not obey."""
Amount = Annotated[int, Meta(ge=0, le=1_000_000)]


class ReceivedPeople(Struct, frozen=True, kw_only=True):
    camera: Name
    place: Name
    required: bool
    size_px: Amount
    masked: Amount
    bare: Amount
    unknown: Amount
    worn_wrongly: Amount


class ReceivedWatch(Struct, frozen=True, kw_only=True):
    camera: Name
    watch: Name
    clock_synchronised: bool
    seconds: Annotated[float, Meta(ge=0, le=1e9)]


class ReceivedHour(ReceivedDocument, frozen=True, kw_only=True):
    schema: Literal["tensormask/hour/1"]
    history: Name
    hour: Time
    revision: Annotated[int, Meta(ge=0)]
    follows: Time | None
    people: list[ReceivedPeople]
    watched: list[ReceivedWatch]


class ReceivedEyesClass(Struct, frozen=True, kw_only=True):
    state: Literal["masked", "bare"]
    size_px: Amount
    right: Amount
    of: Amount
    shown: Amount | None


class ReceivedEyes(Struct, frozen=True, kw_only=True):
    """What an hour may say of the eyes of its box. A fault in it is no reason to refuse the hour:
    it is read, and bounded, when a report is made."""

    source: Line
    classes: Annotated[list[ReceivedEyesClass], Meta(max_length=100)]


class Health(ReceivedDocument, frozen=True, kw_only=True):
    schema: Literal["tensormask/health/1"]


class Release(ReceivedDocument, frozen=True, kw_only=True):
    schema: Literal["tensormask/release/1"]


DURABLE = ("violation", "acknowledgement", "hour")
"""What is never retained, and waits at the broker while this receiver is away."""
_DECODERS: dict[str, Decoder[ReceivedDocument]] = {
    "violation": Decoder(ReceivedViolation),
    "acknowledgement": Decoder(ReceivedAcknowledgement),
    "availability": Decoder(Availability),
    "compliance": Decoder(ReceivedCompliance),
    "health": Decoder(Health),
    "hour": Decoder(ReceivedHour),
    "release": Decoder(Release),
}


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the broker delivers, on a topic `tensormask/<device_id>/<kind>`."""

    topic: str
    payload: bytes
    retained: bool
    """The broker had kept it: it says nothing of now."""
    arrived_at: datetime
    id: int = 0
    """By which it is acknowledged; 0: it is not."""

    @property
    def device_id(self) -> str:
        return self.topic.split("/")[1]

    @property
    def kind(self) -> str:
        return self.topic.split("/")[2]


@dataclass(frozen=True, slots=True)
class Happened:
    violation: ReceivedViolation
    text: str
    """The whole document, as JSON."""


@dataclass(frozen=True, slots=True)
class Tallied:
    """What one hour came to."""

    hour: ReceivedHour
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What somebody did about a violation."""

    acknowledgement: ReceivedAcknowledgement
    text: str


@dataclass(frozen=True, slots=True)
class Reported:
    """The latest state of one kind."""

    kind: str
    document: ReceivedDocument
    text: str
    heard_at: datetime | None
    """When the device was certainly there; None: this does not tell."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """The broker is to keep this state no more: the device has another id, or was taken down."""

    device_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Ignored:
    kind: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    topic: str
    reason: str
    payload: bytes

    @property
    def text(self) -> str:
        """The payload's beginning, as a text column takes it, without what may be a picture."""
        text = self.payload.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        return _MAYBE_PICTURE.sub("[…]", text)[:MAX_UNREADABLE]


Reading = Happened | Answered | Tallied | Reported | Cleared | Ignored | Unreadable


def read(message: Delivered, *, pictures: bool) -> Reading:
    """Return what is to be stored of `message`; without its picture unless `pictures`."""
    decoder = _DECODERS.get(message.kind)
    if decoder is None:
        return Ignored(message.kind[:MAX_KIND])
    if not message.payload and message.kind not in DURABLE:
        return Cleared(message.device_id, message.kind)
    try:
        document = decoder.decode(message.payload)
        text = message.payload.decode()
        if (
            isinstance(document, ReceivedViolation)
            and document.snapshot is not None
            and not pictures
        ):
            text = json.dumps({**json.loads(text), "snapshot": None})
    # ValueError is what Python says to a number of thousands of digits, too.
    except (DecodeError, ValueError, RecursionError) as error:
        return Unreadable(message.topic, str(error), message.payload)
    if document.device_id != message.device_id:
        return Unreadable(message.topic, f"it is of {document.device_id!r}", message.payload)
    if isinstance(document, ReceivedViolation):
        return Happened(document, text)
    if isinstance(document, ReceivedAcknowledgement):
        return Answered(document, text)
    if isinstance(document, ReceivedHour):
        if document.hour.timestamp() % 3600:
            return Unreadable(message.topic, "its hour is not a whole one", message.payload)
        return Tallied(document, text)
    return Reported(message.kind, document, text, _heard_at(document, message))


def _heard_at(document: ReceivedDocument, message: Delivered) -> datetime | None:
    """Return when the device was certainly there.

    A document can be much older than its delivery: the broker keeps states for new subscribers.
    So its own time counts where the device's clock was right.
    """
    if isinstance(document, Availability) and document.state == "offline":
        return None  # the broker's word, written when the connection began
    if document.clock_synchronised:
        return min(document.at, message.arrived_at)
    return None if message.retained else message.arrived_at
