"""What the page may see of the road, and nothing else: here every head is covered.

All is answered by one thread of the daemon, for which judging never waits. While nobody asks for
scenes, nothing is searched, covered or encoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from edge.acuity import SightState
from edge.capture.quality import quality_of
from edge.clock import SYSTEM_CLOCK, Clock
from edge.conditions import Code, condition, conditions
from edge.config import ClassifierSettings
from edge.errors import ConfigError
from edge.history.records import AlertAcknowledgement
from edge.history.requests import Acknowledge, HistoryRequest, SetRule, on_the_page
from edge.observers import Observer, Observers
from edge.page.drawing import Drawing, draw, drawing_of, undo
from edge.page.drawn import AreaBook, AreaOrigin
from edge.page.drawn_zones import ZoneBook
from edge.page.history import DAYS, Hour, HoursSummary, PageHistory, RecentAlert
from edge.page.labeling import Labels, answer_labels
from edge.page.reports import ReportChoices, ReportMaker
from edge.page.scene import InSight, ShownScene
from edge.page.trouble import Since, Trouble, explained
from edge.page.wire import (
    Draw,
    Hush,
    NextScene,
    PageReport,
    ReadMetrics,
    ReadReport,
    ReportAnswer,
    Requests,
    SignReport,
    TryNotifications,
    Undo,
)
from edge.records import Box, Frame
from edge.telemetry import CameraState, CameraView, NotifierState, RuleState, SignalState, Telemetry

ROOM = 4
"""How many frames may wait while a scene is made; each holds its pixels."""
WAIT_S = 1.0
"""How long a scene is waited for."""
QUIET_S = 3.0
"""How long after the last question the looking ends, however the viewer has left: nobody takes for
live what has waited for the next one. A frame itself may be older, of a stream that was held up."""
DAY_HOURS, MONTH_HOURS = 24, 30 * 24
NOTHING_IS_WRITTEN = "nothing is written down: [history] enabled is false"


def no_metrics(is_open_metrics: bool) -> bytes:
    """Return none: nobody has enabled them."""
    return b""


TakePicture = Callable[[Frame, tuple[Box, ...]], bytes | None]
"""Returns the frame as a JPEG in which all heads are covered, those in the boxes for certain."""


class CameraNow(msgspec.Struct, frozen=True):
    """How the camera does; see `edge.telemetry.CameraStatus`."""

    state: CameraState
    view: CameraView | None
    fps: float | None
    last_frame_at: datetime | None
    """When it gave the last one that was judged; None: none since the program's start."""


class Account(msgspec.Struct, frozen=True):
    """How the device does, and what happened."""

    device: str
    site: str
    zone: str
    program: str
    now: datetime
    troubles: tuple[Trouble, ...]
    """The gravest first."""
    camera: CameraNow | None
    """None: the program has just started."""
    paused_for_s: float | None
    fps: float
    plan: str
    """How closely frames are looked at, see `edge.plan`."""
    is_connected: bool
    """With the broker."""
    waiting: int
    """Documents for it."""
    temperature_c: float | None
    signal: SignalState | None
    """The lamps and sounds at the door; None: there are none."""
    judged_from_px: float
    found: Mapping[str, float]
    """What share the detector finds of faces by kind, where that is known."""
    day: HoursSummary
    month: HoursSummary
    hours: Sequence[Hour]
    alerts: Sequence[RecentAlert]
    area: Drawing
    area_origin: AreaOrigin
    can_undo: bool
    notifiers: tuple[NotifierState, ...] = ()
    counts_since: datetime | None = None
    """When counts and alerts begin, where none are kept over a restart; None: they are kept."""
    kept_days: int = DAYS
    """How far back they reach at most."""
    camera_name: str = ""
    """Which of `cameras` this is about; empty: there is one."""
    cameras: tuple[str, ...] = ()
    acknowledged: Mapping[str, AlertAcknowledgement] = {}
    """What was said last of those alerts of which anything was said, by their event."""
    can_acknowledge: bool = True
    rule: RuleState | None = None
    """Whether masks have to be worn; None: the program has just started."""
    reports: ReportChoices | None = None
    """None: there are no reports."""
    sight: SightState | None = None
    """What this camera sees of drawn heads; None: it is not proved."""


class Answer(msgspec.Struct, frozen=True):
    """What became of a wish."""

    error: str = ""
    """Empty: it was done."""


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while the program runs."""

    device: str
    site: str
    zone: str
    program: str
    found: Mapping[str, float]
    """See `edge.detect.card.found_shares`."""


class PageJournal(Protocol):
    """What people have said, and say: `Clerk`."""

    def note_now(self, request: HistoryRequest) -> str:
        """Write something down; return why it was not."""

    def said_of(self, events: Collection[str]) -> Mapping[str, AlertAcknowledgement]:
        """Return what was said last of these events."""


@dataclass(slots=True)
class Window:
    """Answers what the page asks. All but `tick` and `answer` is for one thread only: theirs."""

    about: About
    observers: Observers
    take_picture: TakePicture
    classifier: ClassifierSettings
    telemetry: Callable[[], Telemetry | None]
    history: PageHistory
    book: AreaBook
    zones: ZoneBook
    fps: float
    clock: Clock = SYSTEM_CLOCK
    metrics: Callable[[bool], bytes] = no_metrics
    """Returns them as text."""
    test_notifications: Callable[[], str] | None = None
    """Sends a test to each target, and returns why not; None: there are no targets."""
    mute: Callable[[float | None], str] = lambda for_s: "there are no sounds"
    """Makes no sound at the door for so long, see `edge.daemon.lamp`."""
    camera: str = ""
    """Which of `cameras` it shows; empty: the only one."""
    cameras: tuple[str, ...] = ()
    journal: PageJournal | None = None
    """Writes down what people say; None: nothing is written down."""
    reports: ReportMaker | None = None
    choices: Callable[[], ReportChoices] = ReportChoices
    """What reports may be of."""
    labels: Labels | None = None
    _observer: Observer | None = None
    _asked_s: float = -math.inf
    _shown_s: float = -math.inf
    _in_sight: InSight = field(init=False)
    _since: Since = field(default_factory=Since)
    _troubles: tuple[Trouble, ...] = ()
    _frames: int = 0
    _last_frame_at: datetime | None = None

    def __post_init__(self) -> None:
        self._in_sight = InSight(self.classifier)

    @property
    def is_looking(self) -> bool:
        """Return whether scenes are made."""
        return self._observer is not None

    def tick(self) -> None:
        """Note what is wrong, so that it is known since when; and rest where nobody looks."""
        telemetry = self.telemetry()
        if telemetry is not None:
            self._note(telemetry)
        if self.reports is not None:
            self.reports.tick()
        if self._observer is not None and self.clock.monotonic_s() - self._asked_s > QUIET_S:
            self.rest()

    def _note(self, telemetry: Telemetry) -> None:
        now, frames = self.clock.utc(), telemetry.of(self.camera).frames
        if frames > self._frames:
            self._last_frame_at = now
        self._frames = frames
        found = conditions(telemetry)
        if self.zones.damage:
            found.insert(0, condition(Code.ZONES_DAMAGED))
        if self.book.damage:
            found.insert(0, condition(Code.AREA_DAMAGED))
        self._troubles = tuple(
            explained(each, since) for each, since in self._since.note(found, now)
        )

    def rest(self) -> None:
        if self._observer is not None:
            self.observers.leave(self._observer)
        self._observer = None
        self._in_sight.clear()

    def close(self) -> None:
        """End what is being made for somebody."""
        if self.reports is not None:
            self.reports.close()

    def answer(self, request: Requests) -> tuple[bytes, bytes]:
        """Return a document, and a picture or nothing."""
        match request:
            case NextScene(after=after):
                scene, picture = self._scene(after)
                return msgspec.json.encode(scene), picture
            case PageReport():
                return msgspec.json.encode(self._account()), b""
            case ReadMetrics(is_open_metrics):
                return self.metrics(is_open_metrics), b""
            case Draw():
                return self._obeyed(lambda: draw(request, self.book, self.zones)), b""
            case Undo():
                return self._obeyed(lambda: undo(self.book, self.zones)), b""
            case Hush(is_muted):
                return msgspec.json.encode(Answer(self.mute(None if is_muted else 0.0))), b""
            case Acknowledge() | SetRule():
                return msgspec.json.encode(Answer(self._noted(request))), b""
            case ReadReport() | SignReport():
                return self._report(request)
            case TryNotifications():
                return msgspec.json.encode(Answer(self._tested())), b""
            case _:
                return answer_labels(self.labels, request)

    def _noted(self, request: Acknowledge | SetRule) -> str:
        if self.journal is None:
            return NOTHING_IS_WRITTEN
        return self.journal.note_now(msgspec.structs.replace(request, by=on_the_page(request.by)))

    def _report(self, wanted: ReadReport | SignReport) -> tuple[bytes, bytes]:
        if self.reports is None:
            return msgspec.json.encode(ReportAnswer("there are no reports here")), b""
        if isinstance(wanted, SignReport):
            if self.journal is None:
                return msgspec.json.encode(ReportAnswer(NOTHING_IS_WRITTEN)), b""
            wanted = msgspec.structs.replace(wanted, by=on_the_page(wanted.by))
        made = self.reports.ask(wanted)
        if made is None:
            return msgspec.json.encode(ReportAnswer(is_waiting=True)), b""
        return msgspec.json.encode(ReportAnswer(made.error)), made.content

    def _tested(self) -> str:
        if self.test_notifications is None:
            return "no notifications are set up: docs/notifications.md"
        return self.test_notifications()

    def _obeyed(self, wish: Callable[[], None]) -> bytes:
        try:
            wish()
        except ConfigError as error:
            return msgspec.json.encode(Answer(str(error)))
        return msgspec.json.encode(Answer())

    def _scene(self, after: int) -> tuple[ShownScene, bytes]:
        now_s = self._asked_s = self.clock.monotonic_s()
        if self._observer is None:
            self._observer = self.observers.join(ROOM)
        until_s = now_s + WAIT_S
        due_s = self._shown_s + 1 / self.fps
        while (left_s := until_s - self.clock.monotonic_s()) > 0:
            judged = self._observer.take(left_s)
            if judged is None:
                break
            self._in_sight.note(judged.frame, judged.outcome)
            now_s = self.clock.monotonic_s()
            if now_s < due_s:
                continue
            picture = self.take_picture(judged.frame, self._in_sight.boxes)
            if picture is None:
                break
            self._shown_s = self.clock.monotonic_s()
            return self._of(judged.frame, after), picture
        return ShownScene(0), b""

    def _of(self, frame: Frame, after: int) -> ShownScene:
        telemetry = self.telemetry()
        return ShownScene(
            after + 1,
            frame.captured_at.isoformat(timespec="milliseconds"),
            frame.width,
            frame.height,
            self._in_sight.people,
            self._in_sight.outside,
            quality_of(
                frame.pixels,
                None if telemetry is None else telemetry.of(self.camera).camera.view,
            ),
        )

    def _account(self) -> Account:
        telemetry, past = self.telemetry(), self.history.past(self.camera)
        if telemetry is not None:
            self._note(telemetry)  # so that camera and troubles are of one moment
            telemetry = telemetry.of(self.camera)
        return Account(
            self.about.device,
            self.about.site,
            self.about.zone,
            self.about.program,
            self.clock.utc(),
            self._troubles,
            None if telemetry is None else self._camera(telemetry),
            None if telemetry is None else telemetry.paused_for_s,
            0.0 if telemetry is None else telemetry.fps,
            "" if telemetry is None else telemetry.plan,
            telemetry is not None and telemetry.broker.connected,
            0 if telemetry is None else telemetry.outbox.rows,
            None if telemetry is None else telemetry.vitals.temperature_c,
            None if telemetry is None else telemetry.signal,
            self.classifier.min_face_px,
            self.about.found,
            self.history.summary(DAY_HOURS, self.camera),
            self.history.summary(MONTH_HOURS, self.camera),
            past.hours,
            past.alerts,
            drawing_of(self.book, self.zones),
            self.book.origin,
            self.book.can_undo or self.zones.can_undo,
            () if telemetry is None else telemetry.notifiers,
            self.history.counts_since,
            self.history.days,
            self.camera,
            self.cameras,
            self._said(past.alerts),
            self.journal is not None,
            None if telemetry is None else telemetry.rule,
            None if self.reports is None else self.choices(),
            None if telemetry is None else telemetry.sight,
        )

    def _said(self, alerts: Sequence[RecentAlert]) -> Mapping[str, AlertAcknowledgement]:
        if self.journal is None:
            return {}
        return self.journal.said_of([each.event_id for each in alerts])

    def _camera(self, telemetry: Telemetry) -> CameraNow:
        camera = telemetry.camera
        return CameraNow(camera.state, camera.view, camera.fps, self._last_frame_at)
