"""What happened: visits by hour, and the last violations. No picture, and no more than a month."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from edge.clock import SYSTEM_CLOCK, Clock
from edge.decide.compliance import rate_interval
from edge.decide.policy import Decision
from edge.durable import replace_file
from edge.files import DamagedFileError, decoded
from edge.records import Tally, Verdict, Violation, ViolationKind, ViolationState, Visit

_log = logging.getLogger(__name__)

FILE = "history.json"
HOURS = 31 * 24
ALERTS = 100
SAVED_EVERY_S = 3600.0
"""Not oftener: a card wears out. A power cut takes what came since."""
MAX_BYTES = 1_000_000


class Hour(msgspec.Struct):
    """The visits that ended in one hour, and how long the scene was watched in it."""

    began: int
    """Hours since 1970, UTC."""
    watched_s: float = 0.0
    masked: int = 0
    bare: int = 0
    worn_wrongly: int = 0
    unknown: int = 0


class RecentAlert(msgspec.Struct, frozen=True):
    """A violation that was reported."""

    event_id: str
    kind: ViolationKind
    started_at: Annotated[datetime, msgspec.Meta(tz=True)]
    duration_s: float
    probability: float
    is_over: bool


class Past(msgspec.Struct, frozen=True, rename={"alerts": "told"}):
    """All that is remembered, the newest last: what the file holds, under the names that it has
    always had there."""

    hours: Sequence[Hour] = ()
    alerts: Sequence[RecentAlert] = ()


class HoursSummary(msgspec.Struct, frozen=True):
    """What some hours come to: the one that runs, and those before it."""

    hours: int
    masked: int
    bare: int
    worn_wrongly: int
    unknown: int
    watched_s: float
    span_s: float
    """How much of them has passed: what was not watched is the rest."""
    rate: float | None
    """As in the MQTT documents, see `Tally.rate`."""
    rate_low: float | None
    rate_high: float | None
    """Where the rate lies with 95 % certainty, as few or many as they were."""


class PageHistory:
    """Kept by the loop, read by the page's thread."""

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        """Go on from what the file has; one that is damaged is logged, and replaced."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        past = self._read()
        self._hours: deque[Hour] = deque(past.hours, HOURS)
        # Who was there when the program was killed is another visit now.
        self._alerts: deque[RecentAlert] = deque(map(_over, past.alerts), ALERTS)
        self._saved_s = clock.monotonic_s()
        self._has_failed = False

    def note(self, decision: Decision, watched_s: float) -> None:
        """Take in what a turn of the loop decided, and how long it watched."""
        with self._lock:
            hour = self._hour()
            hour.watched_s += watched_s
            for visit in decision.visits:
                _count(hour, visit)
            for violation in decision.violations:
                self._report(violation)
        if self._clock.monotonic_s() - self._saved_s >= SAVED_EVERY_S:
            self.save()

    def past(self) -> Past:
        with self._lock:
            return Past(tuple(map(_copied, self._hours)), tuple(self._alerts))

    def summary(self, hours: int) -> HoursSummary:
        """Return what the last `hours` come to, the one that runs among them."""
        now_s = self._clock.utc().timestamp()
        first = int(now_s) // 3600 - hours + 1
        with self._lock:
            counted = [hour for hour in self._hours if hour.began >= first]
            tally = Tally(
                masked=sum(hour.masked for hour in counted),
                bare=sum(hour.bare for hour in counted),
                unknown=sum(hour.unknown for hour in counted),
                worn_wrongly=sum(hour.worn_wrongly for hour in counted),
                watched_s=sum(hour.watched_s for hour in counted),
            )
        low, high = rate_interval(tally) or (None, None)
        return HoursSummary(
            hours,
            tally.masked,
            tally.bare,
            tally.worn_wrongly,
            tally.unknown,
            round(tally.watched_s, 1),
            round(now_s - 3600 * first, 1),
            tally.rate,
            low,
            high,
        )

    def save(self) -> None:
        """Write it down. Whatever hinders it is said once: it stays in memory."""
        self._saved_s = self._clock.monotonic_s()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, msgspec.json.encode(self.past()))
        except OSError as error:
            if not self._has_failed:
                _log.warning(
                    "%s: %s; the page's history is in memory only", self._path, error.strerror
                )
            self._has_failed = True

    def _read(self) -> Past:
        try:
            with self._path.open("rb") as file:
                return decoded(file.read(MAX_BYTES), Past)
        except FileNotFoundError:
            return Past()
        except (OSError, DamagedFileError) as error:
            _log.warning("%s: damaged (%s); the page's history starts empty", self._path, error)
            return Past()

    def _hour(self) -> Hour:
        now = int(self._clock.utc().timestamp()) // 3600
        # A clock that was set back finds its hour again, as long as that is one of the last.
        for hour in reversed(self._hours):
            if hour.began == now:
                return hour
            if hour.began < now:
                break
        self._forget(now - HOURS)
        self._hours.append(Hour(now))
        return self._hours[-1]

    def _forget(self, before: int) -> None:
        """Drop what is of an earlier hour, as hours since 1970."""
        while self._hours and self._hours[0].began <= before:
            self._hours.popleft()
        while self._alerts and self._alerts[0].started_at.timestamp() // 3600 <= before:
            self._alerts.popleft()

    def _report(self, violation: Violation) -> None:
        alert = RecentAlert(
            violation.event_id,
            violation.kind,
            violation.started_at,
            round(violation.duration_s, 1),
            round(violation.probability, 3),
            violation.state is ViolationState.ENDED,
        )
        for place, before in enumerate(self._alerts):
            if before.event_id == alert.event_id:
                self._alerts[place] = alert
                return
        self._alerts.append(alert)


def forget(path: Path) -> None:
    """Remove what was kept: nobody asks for it any more. A disk that does not let it go may."""
    with suppress(OSError):
        path.unlink()


def _count(hour: Hour, visit: Visit) -> None:
    match visit.verdict:
        case Verdict.MASKED:
            hour.masked += 1
        case Verdict.BARE:
            hour.bare += 1
        case Verdict.WORN_WRONGLY:
            hour.worn_wrongly += 1
        case Verdict.UNKNOWN:
            hour.unknown += 1


def _copied(hour: Hour) -> Hour:
    return msgspec.structs.replace(hour)


def _over(alert: RecentAlert) -> RecentAlert:
    return msgspec.structs.replace(alert, is_over=True)
