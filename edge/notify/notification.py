"""What one message says: the newest event in full, and how many came with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from edge.config import DeviceSettings
from edge.notify.event import BEGUN, NotedEvent
from edge.publish.messages import timestamp
from edge.words import duration

LATE = timedelta(minutes=10)
"""What is older says so."""
MOST_NAMED = 100
"""Events of a message that are listed; the others are counted."""
TEST = "test"


class EventNamed(msgspec.Struct, frozen=True):
    """An event that came along."""

    id: str
    what: str
    state: str
    at: str


class Notification(msgspec.Struct, frozen=True, kw_only=True, tag="tensormask/notification/1",
                   tag_field="schema"):  # fmt: skip
    """The JSON that a webhook gets, and what the other kinds make their texts of."""

    id: str
    """Of the newest event; the same when it is sent again."""
    what: str
    state: str
    severity: str
    title: str
    text: str
    """Title, place, time and the others, in one or two sentences, for people."""
    fix: str
    at: str
    """When the newest event was."""
    late: bool
    """More than ten minutes before this was sent."""
    device_id: str
    site: str
    zone: str
    place: str
    """The zone of the picture; empty: none."""
    event_id: str | None
    duration_s: float | None
    probability: float | None
    more: int
    """How many events came along."""
    since: str | None
    """When the first of them was; null: there are none."""
    events: tuple[EventNamed, ...]
    """Those that came along, oldest first; the last 100 at most."""
    snapshot: bytes | None
    """A JPEG, in base64."""

    def without_picture(self) -> Notification:
        return msgspec.structs.replace(self, snapshot=None)

    @property
    def body(self) -> str:
        """The text for people, with what fixes it."""
        return f"{self.text}\nFix: {self.fix}" if self.fix else self.text

    @property
    def values(self) -> dict[str, Any]:
        """What a template may name."""
        return dict(msgspec.to_builtins(self))


@dataclass(frozen=True, slots=True)
class Sender:
    """Who says it."""

    device_id: str
    site: str
    zone: str

    @classmethod
    def of(cls, device: DeviceSettings) -> Sender:
        return cls(device.id, device.site, device.zone)

    def place(self, within: str) -> str:
        """Return where something is: `within` the picture, and where that is taken."""
        where = ", ".join(each for each in (within, self.zone, self.site) if each)
        return f"{where} ({self.device_id})" if where else self.device_id


def notification(events: Sequence[NotedEvent], sender: Sender, now: datetime) -> Notification:
    """Return the message of these events, at least one, the oldest first."""
    *others, newest = events
    picture = next((each.snapshot for each in reversed(events) if each.snapshot), None)
    is_late = now - newest.at > LATE
    sentences = [f"{newest.text}; {sender.place(newest.place)}, {_clock(newest.at, now)}"]
    if is_late:
        sentences.append(
            f"This comes late: it was {duration((now - newest.at).total_seconds())} ago"
        )
    if others:
        counted = Counter(
            each.what if each.state == BEGUN else f"{each.what} over" for each in others
        )
        kinds = ", ".join(f"{what} {number}" for what, number in counted.most_common(6))
        sentences.append(f"{len(others)} more since {_clock(others[0].at, now)}: {kinds}")
    return Notification(
        id=newest.id,
        what=newest.what,
        state=newest.state,
        severity=str(newest.severity),
        title=newest.title,
        text=". ".join(sentences) + ".",
        fix=newest.fix,
        at=timestamp(newest.at),
        late=is_late,
        device_id=sender.device_id,
        site=sender.site,
        zone=sender.zone,
        place=newest.place,
        event_id=newest.event_id,
        duration_s=newest.duration_s,
        probability=newest.probability,
        more=len(others),
        since=timestamp(others[0].at) if others else None,
        events=tuple(
            EventNamed(each.id, each.what, each.state, timestamp(each.at))
            for each in others[-MOST_NAMED:]
        ),
        snapshot=picture,
    )


def trial_event(number: str, at: datetime) -> NotedEvent:
    """Return what `tensormask notify test` sends."""
    return NotedEvent(
        id=f"{TEST}-{number}", what=TEST, at=at, title="Test", text="A test of notifications"
    )


def _clock(at: datetime, now: datetime) -> str:
    """Return a time as people here read it; with its date where that is not today."""
    local, today = at.astimezone(), now.astimezone()
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"


def utc_now() -> datetime:
    return datetime.now(UTC)
