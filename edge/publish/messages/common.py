"""What all messages have: topics, who says it, and the form of a payload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from edge.config import DeviceSettings
from edge.records import ModelId

AVAILABILITY: Final = "availability"
VIOLATION: Final = "violation"
COMPLIANCE: Final = "compliance"
HEALTH: Final = "health"
HOUR: Final = "hour"
RELEASE: Final = "release"
PRESENCE: Final = "presence"
REPORT: Final = "report"
SNAPSHOT: Final = "snapshot"
"""The only one that is no JSON: a JPEG."""
RESPONSE: Final = "response"
COMMAND: Final = "command"
ACKNOWLEDGEMENT: Final = "acknowledgement"

Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        extra_json_schema={"format": "date-time"},
    ),
]
CertainSequence = Annotated[
    int,
    Meta(ge=1, description="Counts the messages that this device delivers for certain, "
         "violations and acknowledgements, across restarts; a gap is a loss"),
]  # fmt: skip
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]
CameraName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_\-]{1,32}$",
        description="Which of several cameras, as in `[[camera]] name`; missing: the only one",
    ),
]


def topic(prefix: str, device_id: str, name: str) -> str:
    """Return the topic of one kind of message of a device; `+` as device_id means every device."""
    return f"{prefix}/{device_id}/{name}"


def retained_topics(prefix: str, device_id: str) -> list[str]:
    """Return the topics under which the broker keeps something of a device."""
    names = (AVAILABILITY, COMPLIANCE, HEALTH, PRESENCE, RELEASE, REPORT)
    return [topic(prefix, device_id, name) for name in names]


def timestamp(at: datetime) -> str:
    """Return the aware time `at` as UTC, ISO 8601 with milliseconds: `2026-11-23T05:24:05.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class PayloadPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a payload. Receivers ignore keys that they don't know."""


class ModelIdentity(PayloadPart, frozen=True, kw_only=True):
    """The model that judges."""

    name: str
    version: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="Digest of model.tflite")]


class Message(PayloadPart, frozen=True, kw_only=True, tag_field="schema"):
    """What every payload carries."""

    device_id: Annotated[str, Meta(min_length=1, description="Also a level of the topic")]
    site: Annotated[str, Meta(description="Where the device is, as configured; may be empty")]
    zone: Annotated[str, Meta(description="Which part of the site it watches; may be empty")]
    at: Annotated[Timestamp, Meta(description="When the content of this message was true")]
    clock_synchronised: Annotated[
        bool,
        Meta(description="Whether the device's clock was set from the network by "
             "then; if not, timestamps may be wrong, durations never"),
    ]  # fmt: skip
    model: ModelIdentity


@dataclass(frozen=True, slots=True)
class Origin:
    """Who says it: the same in all messages of a process."""

    device_id: str
    site: str
    zone: str
    model: ModelIdentity


def origin(device: DeviceSettings, model: ModelId) -> Origin:
    """Return what our messages say about us."""
    identity = ModelIdentity(name=model.name, version=model.version, sha256=model.sha256)
    return Origin(device.id, device.site, device.zone, identity)


def every_field(origin: Origin, at: datetime, clock_synchronised: bool) -> dict[str, Any]:
    """Return what every payload carries, as the arguments of its struct."""
    return {
        "device_id": origin.device_id,
        "site": origin.site,
        "zone": origin.zone,
        "at": timestamp(at),
        "clock_synchronised": clock_synchronised,
        "model": origin.model,
    }


def encode(message: Message) -> bytes:
    """Return the payload: one JSON document in UTF-8, on one line."""
    return msgspec.json.encode(message)


def with_sequence(payload: bytes, sequence: int) -> bytes:
    """Return the same document, of this or another release, with that sequence."""
    return msgspec.json.encode({**msgspec.json.decode(payload), "sequence": sequence})
