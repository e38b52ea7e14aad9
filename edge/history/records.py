"""What the history keeps: rows that the daemon writes, and reports read.

All times are wall time, UTC. A minute is counted since 1970, so that neither summer time nor a time
zone can lose or double one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, get_args

import msgspec

from edge.records import Verdict, ViolationKind

SIZES_PX = (0, 16, 24, 32, 48, 64, 96, 128)
"""Where the classes of size of a face begin: what the eyes miss depends on it."""


class Place(msgspec.Struct, frozen=True, order=True):
    """Where somebody was counted."""

    camera: str = ""
    """Its name; empty: the only one."""
    zone: str = ""
    """The name of a zone in its picture; empty: in none."""


class WatchState(StrEnum):
    """What a camera did in a second. People can be counted in the first two."""

    WATCHED = "watched"
    CROWDED = "crowded"
    """Watched, but with more people in sight than the box could look at in time."""
    LOST = "lost"
    DARK = "dark"
    BLINDED = "blinded"
    COVERED = "covered"
    TURNED = "turned"
    """Faces are upside down or on their side: nobody is judged."""
    PAUSED = "paused"
    """By command."""


class People(msgspec.Struct, frozen=True):
    """The visits of one minute that are alike: those that ended in it."""

    minute: int
    place: Place
    verdict: Verdict
    size_px: int
    """The class of the largest face that was judged, see `SIZES_PX`."""
    is_required: bool
    """Whether a mask was required: the mask rule was on, the place no zone that only counts."""
    visits: int


class WatchedTime(msgspec.Struct, frozen=True):
    """How long a camera did something in one minute. What no row names, the program did not run."""

    minute: int
    camera: str
    watch: WatchState
    seconds: float
    clock_is_right: bool
    """Whether the wall clock followed a time server: of other minutes the date may be wrong."""


EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Before all that is recorded."""
SEEING = (WatchState.WATCHED, WatchState.CROWDED)
"""In these, people can be counted."""


class HourTotals(msgspec.Struct, frozen=True):
    """What one hour comes to, at all places together or at those of one camera."""

    hour: int
    """Hours since 1970, UTC."""
    watched_s: float
    """Of several cameras, the mean."""
    visits: dict[Verdict, int]
    apart: dict[Verdict, int] = {}
    """Of those visits, the ones of whom no mask was required."""


class Alert(msgspec.Struct, frozen=True):
    """A violation that was reported."""

    event_id: str
    place: Place
    kind: ViolationKind
    started_at: datetime
    confirmed_at: datetime
    ended_at: datetime | None
    """When the uncovered face was last seen; None: it goes on. Where the program ended meanwhile
    without being stopped, that is when it was confirmed, as in the MQTT message."""
    duration_s: float
    probability: float


Reason = Literal[
    "forgotten", "none-at-hand", "exempt", "refused", "eating", "not-a-violation", "other"
]
Remedy = Literal["mask-put-on", "mask-handed-out", "sent-away", "talked-to", "none", "other"]
REASONS: tuple[str, ...] = get_args(Reason)
REMEDIES: tuple[str, ...] = get_args(Remedy)
MAX_NOTE = 200
"""Characters."""


class AlertAcknowledgement(msgspec.Struct, frozen=True):
    """What somebody did about an alert. A later one of the same alert goes before it."""

    event_id: str
    at: datetime
    by: str
    """Who said so, as far as it is known: `page`, `command ops`, a name. May be empty."""
    reason: Reason
    """Why there was no mask."""
    remedy: Remedy
    """What was done."""
    note: str = ""


class ConditionSpan(msgspec.Struct, frozen=True):
    """How long a condition lasted."""

    code: str
    subject: str
    severity: str
    began_at: datetime
    ended_at: datetime | None
    """None: it lasts. Where the program ended meanwhile, that is when it last watched."""


class EntryKind(StrEnum):
    """What an entry of the journal is about."""

    STARTED = "started"
    """The program; the text is `RunAbout`."""
    STOPPED = "stopped"
    CLOCK_STEPPED = "clock-stepped"
    """The text is by how many seconds, with its sign."""
    RULE = "rule"
    """The mask rule; the text is `on` or `off`."""
    SIGNED_OFF = "signed-off"
    """A report; the text names its period."""
    QUALIFIED = "qualified"
    """The eyes were measured at this door; the text is the result as JSON."""
    DELETED = "deleted"
    """By command; the text is up to when, in ISO 8601."""


class RunAbout(msgspec.Struct, frozen=True):
    """What ran: the text of `EntryKind.STARTED`, as JSON."""

    program: str
    release: str
    """The installed one, empty: none."""
    model: str
    detector: str
    settings: str
    """A digest of all settings: another one where any of them differs."""


class Entry(msgspec.Struct, frozen=True):
    """One line of the journal: what changed, and who changed it."""

    at: datetime
    kind: EntryKind
    by: str
    text: str


class SightProof(msgspec.Struct, frozen=True):
    """Drawn heads of one kind that were blended into pictures of one camera, and what became of
    them."""

    at: datetime
    camera: str
    verdict: Verdict
    """What they wore: `masked` or `bare`."""
    size_px: int
    shown: int
    found: int
    right: int
    """Of those found, judged as what they wore."""


def minute_of(at: datetime) -> int:
    """Return the minute since 1970 in which something was."""
    return int(at.timestamp()) // 60


def at_minute(minute: int) -> datetime:
    """Return when a minute began."""
    return datetime.fromtimestamp(minute * 60, UTC)


def size_class(size_px: float) -> int:
    """Return where the class of size begins in which a face is."""
    return max(each for each in SIZES_PX if each <= max(0.0, size_px))
