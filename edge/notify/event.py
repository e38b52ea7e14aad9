"""What may be notified: a violation or a condition, when it begins and when it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from edge.conditions import Condition, Severity
from edge.files import DamagedFileError, decoded
from edge.records import Violation, ViolationKind, ViolationState
from edge.words import percent

BEGUN: Literal["begun"] = "begun"
ENDED: Literal["ended"] = "ended"
_KINDS = {ViolationKind.BARE: "no_mask", ViolationKind.WORN_WRONGLY: "worn_wrongly"}
_TITLES = {"no_mask": "No mask", "worn_wrongly": "Mask worn wrongly"}


class NotedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, as it waits on disk."""

    id: str
    """The same whenever it is sent; of ASCII letters, digits and hyphens."""
    what: str
    """`no_mask`, `worn_wrongly`, or the code of a condition."""
    state: Literal["begun", "ended"] = BEGUN
    severity: Severity = Severity.FAULT
    at: datetime
    """When it was confirmed, found or over."""
    title: str
    text: str
    """A sentence, without time and place."""
    place: str = ""
    """The zone of the picture in which a violation was confirmed; empty: in none."""
    fix: str = ""
    event_id: str | None = None
    """Of a violation, as in its message over MQTT."""
    duration_s: float | None = None
    probability: float | None = None
    snapshot: bytes | None = None
    """The covered picture."""


def of_violation(violation: Violation, snapshot: bytes | None, camera: str = "") -> NotedEvent:
    """Return the event of a violation that was confirmed or is over; `camera`: at which of several
    it was."""
    what = _KINDS[violation.kind]
    has_ended = violation.state is ViolationState.ENDED
    lasted = f"{violation.duration_s:.0f} s"
    sure = f"{percent(violation.probability)} sure"
    text = f"Over after {lasted}" if has_ended else f"For {lasted}, {sure}"
    return NotedEvent(
        id=f"{violation.event_id}-ended" if has_ended else violation.event_id,
        what=what,
        state=ENDED if has_ended else BEGUN,
        at=violation.ended_at or violation.confirmed_at,
        title=f"{'Over: ' if has_ended else ''}{_TITLES[what]}",
        text=f"{text}, camera {camera}" if camera else text,
        place=violation.zone,
        event_id=violation.event_id,
        duration_s=round(violation.duration_s, 1),
        probability=round(violation.probability, 4),
        snapshot=None if has_ended else snapshot,
    )


def of_condition(
    found: Condition, number: str, at: datetime, lasted_s: float, *, has_ended: bool = False
) -> NotedEvent:
    """Return the event of a condition; `number` tells it from others of its code."""
    return NotedEvent(
        id=f"{found.code}-{number}{'-ended' if has_ended else ''}",
        what=str(found.code),
        state=ENDED if has_ended else BEGUN,
        severity=found.severity,
        at=at,
        title=f"{'Over' if has_ended else 'Device'}: {str(found.code).replace('-', ' ')}",
        text=found.text,
        fix="" if has_ended else found.fix,
        duration_s=round(lasted_s, 1),
    )


def stored(event: NotedEvent) -> bytes:
    """Return it as it waits on disk."""
    return msgspec.json.encode(event)


def read(payload: bytes) -> NotedEvent | None:
    """Return what waits; None: it is of a release that writes it otherwise."""
    try:
        return decoded(payload, NotedEvent)
    except DamagedFileError:
        return None
