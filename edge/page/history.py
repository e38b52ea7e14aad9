"""What happened lately: visits by hour, and the last alerts. In memory: the history on the disk
begins it, and the loop goes on with it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from edge.clock import SYSTEM_CLOCK, Clock
from edge.decide.compliance import rate_interval
from edge.decide.policy import Decision
from edge.history.records import Alert, HourTotals
from edge.history.store import HistoryReader
from edge.records import Tally, Verdict, Violation, ViolationKind, ViolationState

DAYS = 31
ALERTS = 100


class Hour(msgspec.Struct):
    """The visits that ended in one hour, and how long the scene was watched in it."""

    began: int
    """Hours since 1970, UTC."""
    watched_s: float = 0.0
    masked: int = 0
    bare: int = 0
    worn_wrongly: int = 0
    unknown: int = 0
    apart: int = 0
    """Of all these, the people of whom no mask was required."""
    apart_masked: int = 0
    apart_bare: int = 0


class RecentAlert(msgspec.Struct, frozen=True):
    """A violation that was reported."""

    event_id: str
    kind: ViolationKind
    started_at: Annotated[datetime, msgspec.Meta(tz=True)]
    duration_s: float
    probability: float
    is_over: bool
    zone: str = ""
    """Of the picture, where it was confirmed; empty: in none."""
    camera: str = ""
    """Which of several saw it."""


class Past(msgspec.Struct, frozen=True):
    """All that is remembered, the newest last: the hours of a camera, the alerts of all."""

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
    rate_of: int = 0
    """On how many people it rests."""
    counted_apart: int = 0
    """People of whom no mask was required: in the counts, and not in the rate."""


class PageHistory:
    """Kept by the loop, begun by the recorder's thread, read by the page's."""

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        days: int = DAYS,
        *,
        is_recorded: bool = True,
        cameras: Sequence[str] = (),
    ) -> None:
        """It reaches back `days`, no more than DAYS; where nothing `is_recorded`, only to the start
        of this run of the program. `cameras` are the names of several: each has its own hours."""
        self.days = min(days, DAYS)
        self.counts_since = None if is_recorded else clock.utc()
        """None: it is begun with what was recorded."""
        self._clock = clock
        self._lock = threading.Lock()
        self._most = self.days * 24
        self._has_several = bool(cameras)
        self._hours: dict[str, deque[Hour]] = {
            name: deque(maxlen=self._most) for name in cameras or ("",)
        }
        self._alerts: deque[RecentAlert] = deque(maxlen=ALERTS)

    def begin(self, path: Path) -> None:
        """Put what the database has of earlier runs before what has happened meanwhile.

        Raises HistoryError.
        """
        now = self._clock.utc()
        begin, end = now - timedelta(days=self.days), now + timedelta(hours=1)
        with HistoryReader(path) as reader:
            # A camera that has another name now, or is gone, is in the reports alone.
            before = {camera: reader.hours(begin, end, camera) for camera in self._hours}
            alerts = reader.alerts(begin, end)[-ALERTS:]
        with self._lock:
            for camera, hours in before.items():
                meanwhile = {hour.began: hour for hour in self._hours[camera]}
                for each in hours:
                    _add(meanwhile.setdefault(each.hour, Hour(each.hour)), each)
                self._hours[camera] = deque(
                    (meanwhile[began] for began in sorted(meanwhile)), self._most
                )
            self._alerts = deque([*map(self._recent, alerts), *self._alerts], ALERTS)

    def note(self, decision: Decision, watched_s: float, camera: str = "") -> None:
        """Take in what a turn of the loop decided of a camera, and how long that watched."""
        with self._lock:
            hour = self._hour(self._of(camera))
            hour.watched_s += watched_s
            for visit in decision.visits:
                _count(hour, visit.verdict)
                if not visit.is_required:
                    _count_apart(hour, visit.verdict)
            for violation in decision.violations:
                self._report(violation, camera if self._has_several else "")

    def past(self, camera: str = "") -> Past:
        """Return the hours of a camera, where there are several, and the alerts of all."""
        with self._lock:
            return Past(tuple(map(_copied, self._of(camera))), tuple(self._alerts))

    def summary(self, hours: int, camera: str = "") -> HoursSummary:
        """Return what the last `hours` of a camera come to, the one that runs among them."""
        now_s = self._clock.utc().timestamp()
        first = int(now_s) // 3600 - hours + 1
        with self._lock:
            counted = [hour for hour in self._of(camera) if hour.began >= first]
            tally = Tally(
                masked=sum(hour.masked for hour in counted),
                bare=sum(hour.bare for hour in counted),
                unknown=sum(hour.unknown for hour in counted),
                worn_wrongly=sum(hour.worn_wrongly for hour in counted),
                watched_s=sum(hour.watched_s for hour in counted),
                apart=sum(hour.apart for hour in counted),
                apart_masked=sum(hour.apart_masked for hour in counted),
                apart_bare=sum(hour.apart_bare for hour in counted),
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
            sum(tally.rated),
            tally.apart,
        )

    def _of(self, camera: str) -> deque[Hour]:
        """Return the hours of a camera; a single one may have any name."""
        return self._hours[camera if camera in self._hours else next(iter(self._hours))]

    def _hour(self, hours: deque[Hour]) -> Hour:
        now = int(self._clock.utc().timestamp()) // 3600
        # A clock that was set back finds its hour again, as long as that is one of the last.
        for hour in reversed(hours):
            if hour.began == now:
                return hour
            if hour.began < now:
                break
        self._forget(hours, now - self._most)
        hours.append(Hour(now))
        return hours[-1]

    def _forget(self, hours: deque[Hour], before: int) -> None:
        """Drop what is of an earlier hour, as hours since 1970."""
        while hours and hours[0].began <= before:
            hours.popleft()
        while self._alerts and self._alerts[0].started_at.timestamp() // 3600 <= before:
            self._alerts.popleft()

    def _recent(self, alert: Alert) -> RecentAlert:
        # Who was there when an earlier run ended is another visit now.
        return RecentAlert(
            alert.event_id,
            alert.kind,
            alert.started_at,
            round(alert.duration_s, 1),
            round(alert.probability, 3),
            is_over=True,
            zone=alert.place.zone,
            camera=alert.place.camera if self._has_several else "",
        )

    def _report(self, violation: Violation, camera: str) -> None:
        alert = RecentAlert(
            violation.event_id,
            violation.kind,
            violation.started_at,
            round(violation.duration_s, 1),
            round(violation.probability, 3),
            violation.state is ViolationState.ENDED,
            violation.zone,
            camera,
        )
        for place, before in enumerate(self._alerts):
            if before.event_id == alert.event_id:
                self._alerts[place] = alert
                return
        self._alerts.append(alert)


def _count(hour: Hour, verdict: Verdict, visits: int = 1) -> None:
    match verdict:
        case Verdict.MASKED:
            hour.masked += visits
        case Verdict.BARE:
            hour.bare += visits
        case Verdict.WORN_WRONGLY:
            hour.worn_wrongly += visits
        case Verdict.UNKNOWN:
            hour.unknown += visits


def _count_apart(hour: Hour, verdict: Verdict, visits: int = 1) -> None:
    hour.apart += visits
    hour.apart_masked += visits * (verdict is Verdict.MASKED)
    hour.apart_bare += visits * (verdict is Verdict.BARE)


def _add(hour: Hour, before: HourTotals) -> None:
    hour.watched_s += before.watched_s
    for verdict, visits in before.visits.items():
        _count(hour, verdict, visits)
    for verdict, visits in before.apart.items():
        _count_apart(hour, verdict, visits)


def _copied(hour: Hour) -> Hour:
    return msgspec.structs.replace(hour)
