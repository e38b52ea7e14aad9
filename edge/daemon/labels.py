"""People who pass are recorded for somebody who labels them on the page: in memory, for a while.

A thread of its own takes the pictures, from frames that were judged, so judging waits for none of
it. Nothing of it is written anywhere but the result, which has no picture.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import Settings
from edge.daemon.lookout import Glance
from edge.daemon.portraits import PeoplePictures
from edge.errors import ModelError
from edge.eyes import LabelWay, NetworkPair
from edge.history.database import FILE, HistoryError
from edge.history.requests import on_the_page
from edge.observers import Observers
from edge.privacy.heads import FaceSearch, FindFaces, open_covering
from edge.qualify.conclusion import keep_qualification, sheet_of
from edge.qualify.criteria import label_criteria
from edge.qualify.label_requests import (
    CountMissed,
    LabelDeed,
    LabelResult,
    LabelRow,
    LabelState,
    LabelVisit,
    NextVisit,
    StartLabels,
    StepLabels,
)
from edge.qualify.labels import (
    LABEL_FOR_S,
    MOST_VISITS,
    LabelSession,
    NotLabeledError,
    RecordedVisit,
)
from edge.qualify.sheet import SheetAbout
from edge.records import Visit
from edge.station import hindrance
from edge.telemetry import CameraState, Telemetry
from edge.version import version
from edge.words import count

_log = logging.getLogger(__name__)

ROOM = 2
"""Frames that wait for their pictures, each with its pixels."""
TAKE_S = 0.25
NO_HISTORY = "the result would be written down nowhere: [history] enabled is false"
COVERED = (
    'faces stay covered on this device: label at the door, or set [page] heads = "faces" and '
    "may_show_faces = true"
)


@dataclass(frozen=True, slots=True)
class _Recording:
    """What belongs to one session."""

    session: LabelSession
    observers: Observers
    pictures: PeoplePictures
    ended: deque[tuple[float, Visit]] = field(default_factory=lambda: deque(maxlen=MOST_VISITS))
    """Visits that wait for their pictures, and when they ended."""
    is_over: threading.Event = field(default_factory=threading.Event)


class LabelDesk:
    """An `Outlet`. All but its three methods is for the page's thread."""

    def __init__(
        self,
        about: SheetAbout,
        networks: NetworkPair,
        observers: Mapping[str, Observers],
        history: Path | None,
        open_search: Callable[[], FindFaces],
        *,
        may_uncover: bool,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """`observers` by camera, the first one first; without a `history` nothing is labeled.

        `open_search` may raise ModelError.
        """
        self._about = about
        self._networks = networks
        self._observers = observers
        self._history = history
        self._open_search = open_search
        self._may_uncover = may_uncover
        self._clock = clock
        self._lock = threading.Lock()
        """Of the session, which the recording's thread adds to."""
        self._recording: _Recording | None = None
        self._forget_s = math.inf
        self._result: LabelResult | None = None
        self._sheet = b""
        self._is_watching = True

    def start(self) -> None:
        """Nothing is recorded yet."""

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        recording = self._recording
        if recording is None:
            return
        camera = recording.session.camera
        own = telemetry.of(camera)
        self._is_watching = own.camera.state is CameraState.RUNNING and not hindrance(own)
        now_s = self._clock.monotonic_s()
        if glance.camera == camera and recording.session.is_recording(now_s):
            recording.ended.extend((now_s, each) for each in glance.decision.visits)
        if now_s >= self._forget_s:
            self._drop("it was not ended in time")

    def close(self) -> None:
        self._drop("the service stops")

    def _drop(self, why: str) -> None:
        recording, self._recording, self._forget_s = self._recording, None, math.inf
        if recording is not None:
            recording.is_over.set()
            session = recording.session
            _log.log(
                _level(session.way),
                "labeling by %s is over, %s: %s recorded, %d labeled, %d with their face shown",
                *(session.by, why, count(len(session.visits), "visit"), session.labeled),
                session.uncovered,
            )

    def do(self, deed: LabelDeed) -> str:
        """Do it; return why it was not."""
        try:
            if isinstance(deed, StartLabels):
                return self._begin(deed)
            recording = self._recording
            if recording is None:
                return "nothing is recorded: it was dropped, or the service was restarted"
            if isinstance(deed, StepLabels) and deed.step == "finish":
                return self._finish(recording.session)
            with self._lock:
                self._change(recording.session, deed)
        except NotLabeledError as error:
            return str(error)
        return ""

    def _begin(self, wanted: StartLabels) -> str:
        if self._history is None:
            return NO_HISTORY
        if self._recording is not None:
            return "somebody is labeling already: end that first"
        if wanted.way is LabelWay.PICTURES and not self._may_uncover:
            return COVERED
        camera = wanted.camera or next(iter(self._observers))
        if camera not in self._observers:
            return f"there is no camera {camera} any more; load the page again"
        try:
            search = self._open_search()
        except ModelError as error:
            return f"heads cannot be covered: {error}"
        until_s = self._clock.monotonic_s() + 60 * wanted.minutes
        by = on_the_page(wanted.by)
        session = LabelSession(camera, wanted.way, by, wanted.minutes, until_s)
        pictures = PeoplePictures(search, uncovers=wanted.way is LabelWay.PICTURES)
        recording = _Recording(session, self._observers[camera], pictures)
        self._result, self._sheet = None, b""
        self._forget_s = until_s + LABEL_FOR_S
        self._recording = recording
        _log.log(
            _level(wanted.way),
            "people are recorded in memory for %d min to be labeled, by %s%s",
            *(wanted.minutes, by),
            "; their faces may be uncovered" if wanted.way is LabelWay.PICTURES else "",
        )
        threading.Thread(target=self._record, args=(recording,), name="labels", daemon=True).start()
        return ""

    def _change(self, session: LabelSession, deed: LabelVisit | CountMissed | StepLabels) -> None:
        now_s = self._clock.monotonic_s()
        match deed:
            case LabelVisit(visit, label):
                session.label(visit, label)
            case CountMissed(state, by):
                session.count_missed(state, by, now_s)
            case StepLabels(step="stop"):
                session.stop(now_s)
                self._forget_s = session.until_s + LABEL_FOR_S
            case StepLabels(step="undo"):
                session.undo()
            case _:
                self._drop("all is discarded")

    def _finish(self, session: LabelSession) -> str:
        """Keep what it comes to, and drop everything else; return why not."""
        if session.is_recording(self._clock.monotonic_s()):
            return "end the recording first"
        if not session.labeled:
            return "nobody is labeled yet"
        assert self._history is not None
        now = self._clock.utc()
        with self._lock:
            found = session.result(self._networks, now)
        assert found.labels is not None
        criteria = label_criteria(found.people, found.labels)
        try:
            sheet = sheet_of(self._about, found, criteria, (), session.by, self._history)
            keep_qualification(self._history, found, session.by)
        except HistoryError as error:
            return str(error)
        self._sheet = sheet.html().encode()
        rows = tuple(LabelRow(each.required, each.measured, each.is_met) for each in criteria)
        self._result = LabelResult(found.is_qualified, found.why_unused, rows)
        self._drop("the door is qualified" if found.is_qualified else "the door is not qualified")
        return ""

    def state(self) -> LabelState:
        """Return how far it is."""
        recording = self._recording
        refused = NO_HISTORY if self._history is None else ""
        if recording is None:
            if self._result is None:
                return LabelState("off", refused, self._may_uncover)
            return LabelState("done", refused, self._may_uncover, result=self._result)
        session, now_s = recording.session, self._clock.monotonic_s()
        with self._lock:
            each, is_recording = session.next, session.is_recording(now_s)
            return LabelState(
                "recording" if is_recording else "labeling",
                may_uncover=self._may_uncover,
                camera=session.camera,
                way=session.way,
                minutes=session.minutes,
                left_s=max(0.0, (session.until_s if is_recording else self._forget_s) - now_s),
                is_watching=self._is_watching,
                recorded=len(session.visits),
                labeled=session.labeled,
                can_undo=session.can_undo,
                next=None if each is None else _next(each),
                missed=dict(session.missed),
            )

    def picture(self, visit: int, number: int, *, is_uncovered: bool) -> bytes:
        """Return a picture as JPEG; empty: there is none."""
        recording = self._recording
        if recording is None:
            return b""
        with self._lock:
            return recording.session.picture(visit, number, is_uncovered=is_uncovered)

    def sheet(self) -> bytes:
        """Return the last result as HTML; empty: there is none."""
        return self._sheet

    def _record(self, recording: _Recording) -> None:
        session, has_failed = recording.session, False
        observer = recording.observers.join(ROOM)
        try:
            while not recording.is_over.is_set():
                now_s = self._clock.monotonic_s()
                if not session.is_recording(now_s):
                    break
                judged = observer.take(TAKE_S)
                try:
                    if judged is not None:
                        recording.pictures.note(judged)
                except Exception:  # noqa: BLE001 - without a picture somebody may be labeled, too
                    if not has_failed:
                        _log.exception("a picture to be labeled cannot be taken")
                    has_failed = True
                self._take_visits(recording)
            if not recording.is_over.is_set():
                self._take_visits(recording)
        finally:
            recording.observers.leave(observer)
            recording.pictures.clear()
            recording.ended.clear()

    def _take_visits(self, recording: _Recording) -> None:
        while recording.ended:
            ended_s, visit = recording.ended.popleft()
            pictures = recording.pictures.of(visit.track_id)
            session = recording.session
            with self._lock:
                session.record(visit.ended_at, visit.verdict, pictures, ended_s)
                if len(session.visits) >= MOST_VISITS and self._recording is recording:
                    self._forget_s = session.until_s + LABEL_FOR_S


def _next(visit: RecordedVisit) -> NextVisit:
    faces = sum(bool(each.uncovered) for each in visit.pictures)
    return NextVisit(visit.number, visit.at, len(visit.pictures), faces)


def _level(way: LabelWay) -> int:
    """Return the level of what the log says: also one without reports says who saw faces."""
    return logging.WARNING if way is LabelWay.PICTURES else logging.INFO


def open_labels(
    settings: Settings, networks: NetworkPair, observers: Mapping[str, Observers]
) -> LabelDesk | None:
    """Return it; None where there is no page."""
    if not settings.page.enabled:
        return None
    device = settings.device
    place = ", ".join(each for each in (device.site, device.zone) if each)
    return LabelDesk(
        SheetAbout(device.id, place, f"tensormask {version()}"),
        networks,
        observers,
        settings.outbox.file.with_name(FILE) if settings.history.enabled else None,
        lambda: FaceSearch(open_covering(settings.detector), quarters=False),
        may_uncover=settings.page.heads == "faces",  # which needs may_show_faces
    )
