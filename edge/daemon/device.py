"""The device around the lookout: its reports, its commands, its pace and its watchdog."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from edge.acuity import SightState
from edge.clock import RUN, SYSTEM_CLOCK, Clock, SteppedClock, clock_synchronised
from edge.conditions import Code, Condition, Severity, conditions, news
from edge.config import Settings
from edge.control.desk import NO_SIGNAL, CommandDesk, WriteDown, note_nothing
from edge.daemon.all_cameras import counts_of, together
from edge.daemon.former import FormerIdentities
from edge.daemon.liveness import Liveness
from edge.daemon.lookout import Glance
from edge.daemon.software import SoftwareNotice
from edge.daemon.violations import EventStore, ViolationReporter
from edge.daemon.watch import CameraWatch
from edge.host.health import read_vitals, rss_bytes
from edge.host.load import Load
from edge.host.status_file import StatusFile
from edge.host.systemd import Notifier
from edge.keeping import HistoryState
from edge.privacy.picture import Photographer
from edge.publish.answers import Received
from edge.publish.messages import (
    COMPLIANCE,
    HEALTH,
    RELEASE,
    DetectorIdentity,
    Origin,
    Versions,
    compliance_message,
    encode,
    health_message,
    release_message,
)
from edge.software import InUse, Software
from edge.telemetry import (
    BrokerState,
    Certificate,
    ClockState,
    NotifierState,
    Pace,
    PageState,
    RuleState,
    SignalState,
    Telemetry,
    Vitals,
)

_log = logging.getLogger(__name__)

COMPLIANCE_EVERY_S = 10.0
TELEMETRY_EVERY_S = 1.0
VITALS_EVERY_S = 5.0
NO_PICTURES: Mapping[str, Photographer] = MappingProxyType({})
ONE_CAMERA: Mapping[str, str] = MappingProxyType({"": ""})


class Publisher(Protocol):
    """What delivers: `MqttPublisher`."""

    @property
    def state(self) -> BrokerState: ...
    def start(self) -> None: ...
    def wake(self) -> None: ...
    def publish_state(self, name: str, payload: bytes) -> None: ...
    def take_commands(self) -> Iterable[Received]: ...
    def respond(self, payload: bytes) -> None: ...
    def close(self, timeout_s: float = ...) -> None: ...


class DoorSignal(Protocol):
    """The lamps and sounds at the door: `SignalOutlet`."""

    @property
    def state(self) -> SignalState | None: ...
    def mute(self, for_s: float | None = None) -> str:
        """Make no sound for so long; return why that cannot be. Any thread may."""


class NoSignal:
    """There are none."""

    state: SignalState | None = None

    def mute(self, for_s: float | None = None) -> str:
        return NO_SIGNAL


class ConditionLog:
    """Logs each condition once."""

    def __init__(self) -> None:
        self._logged: set[tuple[Code, str]] = set()

    def note(self, found: Iterable[Condition]) -> None:
        """Log what has begun to be wrong, and what is over."""
        now = {(each.code, each.subject): each for each in found}
        for key, begun in now.items():
            if key not in self._logged:
                level = logging.WARNING if begun.severity is Severity.FAULT else logging.INFO
                _log.log(level, "%s: %s", begun.code, begun.text)
        for code, subject in sorted(self._logged - now.keys()):
            _log.info("%s: over%s", code, f" ({subject})" if subject else "")
        self._logged = set(now)


class Device:
    """Passes on what the lookout saw; handles reports, commands, pace and watchdog."""

    def __init__(
        self,
        settings: Settings,
        origin: Origin,
        versions: Versions,
        outbox: EventStore,
        publisher: Publisher,
        notifier: Notifier,
        photographers: Mapping[str, Photographer] = NO_PICTURES,
        former: FormerIdentities | None = None,
        status_file: StatusFile | None = None,
        software: SoftwareNotice | None = None,
        detector: DetectorIdentity | None = None,
        clock: Clock = SYSTEM_CLOCK,
        clock_is_right: Callable[[], bool] = clock_synchronised,
        vitals: Callable[[], Vitals] = read_vitals,
        in_use: InUse | None = None,
        certificates: Sequence[Certificate] = (),
        cameras: Mapping[str, str] = ONE_CAMERA,
        note: WriteDown = note_nothing,
    ) -> None:
        """`cameras` are names with zones, empty where it is the device's. `photographers` are by
        camera: of one without, no picture leaves the device. For `note` see `CommandDesk`."""
        self.telemetry: Telemetry | None = None
        """The last that was taken, for any thread; None before the first turn."""
        self.page: Callable[[], PageState | None] = lambda: None
        """How the page does, and the targets of notifications, and the history."""
        self.notifiers: Callable[[], tuple[NotifierState, ...]] = tuple
        self.history: Callable[[], HistoryState | None] = lambda: None
        self.signal: DoorSignal = NoSignal()
        self.rule: Callable[[], RuleState] = lambda: RuleState(is_on=True)
        """Whether masks have to be worn."""
        self.sights: Callable[[], Mapping[str, SightState]] = dict
        """What the last proof of sight of each camera has found, by its name."""
        self._origin = origin
        self._versions = versions
        self._outbox = outbox
        self._publisher = publisher
        self._liveness = Liveness(notifier)
        self._former = former
        self._status_file = status_file
        self._software = software
        self._detector = detector
        self._in_use = in_use
        self._certificates = tuple(certificates)
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._read_vitals = vitals
        self._health_every_s = settings.health.interval_s
        self._violations = ViolationReporter(
            outbox,
            publisher.wake,
            origin,
            settings.mqtt.topic_prefix,
            photographers,
            clock_is_right,
            cameras,
        )
        mute = lambda for_s: self.signal.mute(for_s)  # noqa: E731 - set after this
        self._desk = CommandDesk(
            settings.commands,
            publisher,
            origin,
            photographers,
            clock,
            mute,
            cameras=tuple(cameras),
            note=note,
        )
        self._load = Load()
        self._stepped = SteppedClock(clock)
        self._vitals = Vitals()
        self._news: tuple[object, ...] = ()
        """What health is to tell at once, of the present telemetry."""
        self._reported: tuple[object, ...] = ()
        """What health reported last."""
        self._condition_log = ConditionLog()
        self._started_s = clock.monotonic_s()
        self._vitals_due_s = self._telemetry_due_s = -math.inf
        self._health_due_s = self._compliance_due_s = -math.inf

    def is_paused_at(self, camera: str) -> bool:
        """Whether nobody is to be judged there; any thread may ask."""
        return self._desk.is_paused_at(camera)

    @property
    def restart_wanted(self) -> bool:
        return self._desk.restart_wanted

    @property
    def pace(self) -> Pace:
        """How fast the box may work."""
        return self._load.pace

    def start(self) -> None:
        """Begin to deliver."""
        self._violations.end_left_open()
        self._publisher.start()

    def take(self, glance: Glance) -> Glance:
        """Pass on what was decided; return it with the snapshot that was taken, if one was."""
        violations = glance.decision.violations
        snapshot = self._violations.take(violations, glance.frame, glance.camera)
        if glance.decision.visits or violations:
            soon_s = self._clock.monotonic_s() + 1
            self._compliance_due_s = min(self._compliance_due_s, soon_s)
        return glance if snapshot is None else replace(glance, snapshot=snapshot)

    def tend(self, glance: Glance, watch: CameraWatch) -> None:
        """Look after commands, clock and machine, and tell what is due."""
        self._desk.serve(glance.frame, glance.camera)
        now_s = self._clock.monotonic_s()
        if self._stepped.look():
            _log.warning("the wall clock was set by %+.1f s", self._stepped.last_step_s)
        if now_s >= self._vitals_due_s:
            self._vitals_due_s = now_s + VITALS_EVERY_S
            self._look_after_the_machine(now_s)
        telemetry = self._renewed(watch, now_s)
        if self._news != self._reported or now_s >= self._health_due_s:
            self._health_due_s = now_s + self._health_every_s
            self._report_health(telemetry)
        if now_s >= self._compliance_due_s:
            self.report_compliance(watch)
        if watch.is_going:
            self._liveness.tell(telemetry, now_s)

    def stopping(self) -> None:
        self._liveness.stopping()

    def close(self) -> None:
        """Deliver what can be delivered soon; the rest is kept. Whatever fails, all is closed."""
        with ExitStack() as ending:
            ending.callback(self._outbox.close)
            ending.callback(self._publisher.close)

    def report_compliance(self, watch: CameraWatch) -> None:
        """Tell how many people came masked."""
        self._compliance_due_s = self._clock.monotonic_s() + COMPLIANCE_EVERY_S
        at, is_right = self._clock.utc(), self._clock_is_right()
        counts, by_camera = counts_of(watch.states())
        message = compliance_message(self._origin, counts, at, is_right, RUN, by_camera)
        self._publisher.publish_state(COMPLIANCE, encode(message))

    def _look_after_the_machine(self, now_s: float) -> None:
        self._vitals = self._read_vitals()
        self._load.update(self._vitals, now_s)

    def _renewed(self, watch: CameraWatch, now_s: float) -> Telemetry:
        """Return the telemetry, renewed once a second, and where camera or pause differ."""
        last = self.telemetry
        if (
            last is None
            or now_s >= self._telemetry_due_s
            or watch.camera_states != tuple(status.state for _, status in last.each_camera)
            or self._desk.has_news()
        ):
            self._telemetry_due_s = now_s + TELEMETRY_EVERY_S
            self._violations.end_left_open()  # of an outbox that could not be opened at the start
            if self._former is not None:
                self._former.tend()
            if self._software is not None and self._software.has_changed():
                self._report_release(self._software.software)
            self.telemetry = last = self._taken(watch, now_s)
            found = conditions(last)
            self._news = news(last, found)
            self._condition_log.note(found)
            if self._status_file is not None:
                self._status_file.write(last)
        return last

    def _taken(self, watch: CameraWatch, now_s: float) -> Telemetry:
        stepped = self._stepped
        return Telemetry(
            **together(watch.states(), self._desk.paused_at_for_s, self.sights()),
            uptime_s=now_s - self._started_s,
            outbox=self._outbox.state(),
            broker=self._publisher.state,
            vitals=self._vitals,
            rss_bytes=rss_bytes(),
            pace=self._load.pace,
            clock=ClockState(stepped.steps, stepped.last_step_s, self._clock_is_right()),
            paused_for_s=self._desk.paused_for_s,
            trial=None if self._software is None else self._software.software.trial,
            page=self.page(),
            in_use=self._in_use,
            at=self._clock.utc(),
            certificates=self._certificates,
            notifiers=self.notifiers(),
            signal=self.signal.state,
            history=self.history(),
            rule=self.rule(),
        )

    def _report_health(self, telemetry: Telemetry) -> None:
        self._reported = self._news
        at, is_right = self._clock.utc(), self._clock_is_right()
        message = health_message(
            self._origin, self._versions, telemetry, at, is_right, self._detector
        )
        self._publisher.publish_state(HEALTH, encode(message))
        _log.debug("%s; %s", telemetry.summary, _in_words(telemetry))

    def _report_release(self, software: Software) -> None:
        message = release_message(self._origin, software, self._clock.utc(), self._clock_is_right())
        self._publisher.publish_state(RELEASE, encode(message))


def _in_words(telemetry: Telemetry) -> str:
    steps = (f"{step} {each.p50:.1f}/{each.p95:.1f}" for step, each in telemetry.latencies.items())
    return f"ms, median and 95th percentile: {', '.join(steps) or 'none yet'}"
