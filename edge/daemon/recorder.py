"""The history as an outlet: notes what happened in each turn, and writes it by a thread of its own.

Few transactions spare the card: one in `WRITE_EVERY_S`. What waits meanwhile is in memory, and in a
file in memory that a crash leaves behind (`edge.history.standby`).
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from edge.clock import RUN, SYSTEM_CLOCK, Clock
from edge.conditions import Code, Condition, conditions
from edge.config import Settings
from edge.daemon.lookout import Glance
from edge.daemon.retention import Retention
from edge.daemon.side_thread import SideThread
from edge.history.recording import HistoryRecording, OnOpen
from edge.history.records import (
    Alert,
    ConditionSpan,
    Entry,
    EntryKind,
    People,
    Place,
    RunAbout,
    WatchedTime,
    minute_of,
    size_class,
)
from edge.history.standby import Standby
from edge.history.store import FILE, HistoryBatch
from edge.history.takeover import NAME
from edge.host.in_use import public_source
from edge.host.status_file import runtime_directory
from edge.keeping import HistoryState
from edge.page.history import PageHistory
from edge.records import Violation, Visit
from edge.telemetry import Telemetry

_log = logging.getLogger(__name__)

TURN_S = 1.0
LONGEST_TURN_S = 5.0
"""A turn of the loop that took longer has not watched all the while: the program was stopped."""
LATE = timedelta(minutes=10)
"""A visit ends in the minute in which the person was last seen; where that is longer ago than this,
the clock was set meanwhile."""
CLOSING_S = 2.0
SERVICE = "service"
"""Who writes the entries of a run."""


def _nobody(path: Path) -> None:
    """Nobody wants to read it."""


class Recorder:
    """An `Outlet`: judging waits for no disk here."""

    def __init__(
        self,
        path: Path,
        days: int,
        about: RunAbout,
        standby: Path | None = None,
        on_open: OnOpen = _nobody,
        clock: Clock = SYSTEM_CLOCK,
        run: str = RUN,
    ) -> None:
        """`standby` is a folder in memory; None: a crash loses what waits."""
        self._clock = clock
        self._recording = HistoryRecording(path, days, Standby(standby), on_open, clock, run)
        self._watch = _ConditionSpans()
        self._telemetry: Telemetry | None = None
        self._seen: Telemetry | None = None
        self._clock_is_right = False
        self._steps = 0
        self._is_soon = False
        self._wake = threading.Event()
        self._thread = SideThread("history", self._run)
        self._enter(EntryKind.STARTED, msgspec.json.encode(about).decode())

    @property
    def state(self) -> HistoryState:
        """How it does; any thread may ask."""
        return self._recording.state

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        now, is_right = self._clock.utc(), telemetry.clock.is_synchronised
        batch = HistoryBatch(
            people=[self._visit(each, glance.camera, now) for each in glance.decision.visits],
            watched=list(_times(glance, now, is_right)),
            alerts=[_alert(each, glance.camera) for each in glance.decision.violations],
        )
        if telemetry.clock.steps != self._steps:
            self._steps = telemetry.clock.steps
            step_s = telemetry.clock.last_step_s or 0.0
            batch.journal.append(Entry(now, EntryKind.CLOCK_STEPPED, SERVICE, f"{step_s:+.1f}"))
        self._recording.add(batch)
        self._telemetry = telemetry
        if batch.people or batch.alerts or batch.journal:
            self._wake.set()

    def record(self, batch: HistoryBatch) -> None:
        """Record what others know, a proof of sight for one, and write it soon. Any thread may."""
        self._recording.add(batch)
        self._is_soon = True
        self._wake.set()

    def close(self) -> None:
        """Write all of it."""
        self._enter(EntryKind.STOPPED, "")
        self._thread.ask_to_end()
        self._wake.set()
        if not self._thread.end(CLOSING_S):
            _log.warning("the history: the disk is too slow, its last minutes are not written")

    def _enter(self, kind: EntryKind, text: str) -> None:
        self._recording.add(HistoryBatch(journal=[Entry(self._clock.utc(), kind, SERVICE, text)]))

    def _visit(self, visit: Visit, camera: str, now: datetime) -> People:
        ended_at = visit.ended_at if now - LATE <= visit.ended_at <= now else now
        return People(
            minute_of(ended_at),
            Place(camera, visit.zone),
            visit.verdict,
            size_class(visit.face_px),
            visit.is_required,
            1,
        )

    # From here on: for the thread, or for a caller without it.

    def begin(self) -> None:
        """Take in what a run that crashed has left."""
        self._recording.begin()

    def tend(self) -> None:
        """Bring what has come to safety, and write what is due."""
        telemetry = self._telemetry
        if telemetry is not None and telemetry is not self._seen:
            self._seen, self._clock_is_right = telemetry, telemetry.clock.is_synchronised
            spans = self._watch.note(conditions(telemetry), self._clock.utc())
            self._recording.add(HistoryBatch(conditions=spans))
        is_soon, self._is_soon = self._is_soon, False
        self._recording.tend(clock_is_right=self._clock_is_right, is_soon=is_soon)

    def end(self) -> None:
        """Write all there is, and close."""
        self._recording.add(HistoryBatch(conditions=self._watch.end(self._clock.utc())))
        self._recording.end(clock_is_right=self._clock_is_right)

    def _run(self) -> None:
        self.begin()
        while not self._thread.is_ending():
            self.tend()
            self._wake.wait(TURN_S)
            self._wake.clear()
        self.end()


class _ConditionSpans:
    """When conditions begin and end."""

    def __init__(self) -> None:
        self._open: dict[tuple[Code, str], ConditionSpan] = {}

    def note(self, found: Iterable[Condition], now: datetime) -> list[ConditionSpan]:
        """Return the spans that begin or end now."""
        there = {(each.code, each.subject): each for each in found}
        ended = [key for key in self._open if key not in there]
        news = [self._ended(self._open.pop(key), now) for key in ended]
        for key, each in there.items():
            if key not in self._open:
                span = ConditionSpan(each.code, each.subject, each.severity, now, None)
                self._open[key] = span
                news.append(span)
        return news

    def end(self, now: datetime) -> list[ConditionSpan]:
        """Return all that are open, ended: nobody looks any more."""
        return self.note((), now)

    def _ended(self, span: ConditionSpan, now: datetime) -> ConditionSpan:
        # A clock that was set back does not end it before it began.
        return msgspec.structs.replace(span, ended_at=max(now, span.began_at))


def _times(glance: Glance, now: datetime, clock_is_right: bool) -> Iterable[WatchedTime]:
    """Give how long the turn took, in the minutes in which it was."""
    turn_s = min(glance.turn_s, LONGEST_TURN_S)
    if turn_s <= 0:
        return
    minute, here_s = minute_of(now), now.timestamp() % 60
    before_s = max(0.0, turn_s - here_s)
    for number, seconds in ((minute - 1, before_s), (minute, turn_s - before_s)):
        if seconds > 0:
            yield WatchedTime(number, glance.camera, glance.watch, seconds, clock_is_right)


def _alert(violation: Violation, camera: str) -> Alert:
    return Alert(
        violation.event_id,
        Place(camera, violation.zone),
        violation.kind,
        violation.started_at,
        violation.confirmed_at,
        violation.ended_at,
        round(violation.duration_s, 1),
        round(violation.probability, 3),
    )


def open_history(
    settings: Settings, about: RunAbout, page: PageHistory | None
) -> Recorder | Retention:
    """Return the outlet; where nothing is recorded, what is there still goes when it is too old."""
    path = settings.outbox.file.with_name(FILE)
    if not settings.history.enabled:
        with suppress(OSError):
            path.with_name(NAME).unlink()
        return Retention(path, settings.history.days)
    on_open = _nobody if page is None else page.begin
    return Recorder(path, settings.history.days, about, runtime_directory(), on_open)


def settings_digest(settings: Settings) -> str:
    """Return what differs where any setting does; a password in a camera's address does not
    matter."""
    replace = msgspec.structs.replace
    camera, *cameras = (
        replace(each, source=public_source(each.source))
        for each in (settings.camera, *settings.cameras)
    )
    content = msgspec.json.encode(replace(settings, camera=camera, cameras=tuple(cameras)))
    return hashlib.sha256(content).hexdigest()[:16]
