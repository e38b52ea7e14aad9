"""The device around the lookout: what it tells, what it is told, and how it bears up."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Protocol

from edge.clock import RUN, SYSTEM_CLOCK, Clock, SteppedClock, clock_synchronised
from edge.config import Settings
from edge.control.desk import CommandDesk
from edge.daemon.former import FormerIdentities
from edge.daemon.lookout import Glance, Lookout
from edge.daemon.software import SoftwareNotice
from edge.host.health import read_vitals, rss_bytes
from edge.host.load import Load
from edge.host.status_file import StatusFile
from edge.host.systemd import Notifier
from edge.privacy.picture import Photographer
from edge.publish.answers import Received
from edge.publish.messages import (
    COMPLIANCE,
    HEALTH,
    RELEASE,
    VIOLATION,
    DetectorIdentity,
    Origin,
    Versions,
    compliance_message,
    encode,
    health_message,
    release_message,
    topic,
    violation_message,
    with_sequence,
)
from edge.publish.outbox.unended import Unended
from edge.records import Violation, ViolationState
from edge.telemetry import (
    BrokerState,
    CameraState,
    ClockState,
    InUse,
    OutboxState,
    PageState,
    Software,
    Telemetry,
    Vitals,
)

_log = logging.getLogger(__name__)

COMPLIANCE_EVERY_S = 10.0
STATUS_EVERY_S = 2.0
TELEMETRY_EVERY_S = 1.0
VITALS_EVERY_S = 5.0
START_S = 30.0
"""While the camera is waited for, systemd is asked for so much more time again and again."""


class EventStore(Protocol):
    """What keeps events until they are delivered: `Outbox`."""

    def append(
        self,
        topic: str,
        encode: Callable[[int], bytes],
        *,
        begins: Unended | None = ...,
        ends: str | None = ...,
    ) -> int: ...
    def left_open(self) -> Sequence[Unended]: ...
    def state(self) -> OutboxState: ...
    def close(self) -> None: ...


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


class Device:
    """Passes on what the lookout saw, and looks after reports, commands, pace and watchdog."""

    def __init__(
        self,
        settings: Settings,
        origin: Origin,
        versions: Versions,
        outbox: EventStore,
        publisher: Publisher,
        notifier: Notifier,
        photographer: Photographer | None = None,
        former: FormerIdentities | None = None,
        status_file: StatusFile | None = None,
        software: SoftwareNotice | None = None,
        detector: DetectorIdentity | None = None,
        clock: Clock = SYSTEM_CLOCK,
        clock_is_right: Callable[[], bool] = clock_synchronised,
        vitals: Callable[[], Vitals] = read_vitals,
        in_use: InUse | None = None,
    ) -> None:
        """Without a `photographer` no picture leaves the device."""
        self.telemetry: Telemetry | None = None
        """The last that was taken, for any thread; None before the first turn."""
        self.page: Callable[[], PageState | None] = lambda: None
        """How the page does."""
        self._origin = origin
        self._versions = versions
        self._outbox = outbox
        self._publisher = publisher
        self._notifier = notifier
        self._photographer = photographer
        self._former = former
        self._status_file = status_file
        self._software = software
        self._detector = detector
        self._in_use = in_use
        self._clock = clock
        self._clock_is_right = clock_is_right
        self._read_vitals = vitals
        self._prefix = settings.mqtt.topic_prefix
        self._health_every_s = settings.health.interval_s
        self._desk = CommandDesk(settings.commands, publisher, origin, photographer, clock)
        self._load = Load()
        self._stepped = SteppedClock(clock)
        self._vitals = Vitals()
        self._misdated: set[str] = set()
        """Events confirmed by a clock that was not right, until they have ended."""
        self._is_ready = False
        self._told: tuple[object, ...] = ()
        """The condition that health told last."""
        self._started_s = clock.monotonic_s()
        self._vitals_due_s = self._telemetry_due_s = -math.inf
        self._health_due_s = self._compliance_due_s = self._alive_due_s = -math.inf

    @property
    def is_paused(self) -> bool:
        return self._desk.is_paused

    @property
    def restart_wanted(self) -> bool:
        return self._desk.restart_wanted

    @property
    def interval_s(self) -> float:
        """The least time from one judged frame to the next."""
        return self._load.pace.interval_s

    def start(self) -> None:
        """Begin to deliver."""
        self._end_left_open()
        self._publisher.start()

    def take(self, glance: Glance) -> None:
        """Pass on what was decided; the glance's frame is the one that confirmed it."""
        violations = glance.decision.violations
        snapshot = None
        if (
            glance.frame is not None
            and self._photographer is not None
            and any(violation.state is ViolationState.CONFIRMED for violation in violations)
        ):
            snapshot = self._photographer.take(glance.frame)
        for violation in violations:
            is_new = violation.state is ViolationState.CONFIRMED
            self._accept(violation, snapshot if is_new else None)
        if glance.decision.visits or violations:
            soon_s = self._clock.monotonic_s() + 1
            self._compliance_due_s = min(self._compliance_due_s, soon_s)

    def tend(self, glance: Glance, lookout: Lookout) -> None:
        """Look after commands, clock and machine, and tell what is due."""
        self._desk.serve(glance.frame)
        now_s = self._clock.monotonic_s()
        if self._stepped.look():
            _log.warning("the wall clock was set by %+.1f s", self._stepped.last_step_s)
        if now_s >= self._vitals_due_s:
            self._vitals_due_s = now_s + VITALS_EVERY_S
            self._look_after_the_machine(now_s)
        telemetry = self._renewed(lookout, now_s)
        if telemetry.condition != self._told or now_s >= self._health_due_s:
            self._health_due_s = now_s + self._health_every_s
            self._report_health(telemetry)
        if now_s >= self._compliance_due_s:
            self.report_compliance(lookout)
        self._tell_systemd(telemetry, now_s)

    def stopping(self) -> None:
        self._notifier.stopping("stopping")

    def close(self) -> None:
        """Deliver what can be delivered soon; the rest is kept. Whatever fails, all is closed."""
        with ExitStack() as ending:
            ending.callback(self._outbox.close)
            ending.callback(self._publisher.close)

    def report_compliance(self, lookout: Lookout) -> None:
        """Tell how many people came masked."""
        self._compliance_due_s = self._clock.monotonic_s() + COMPLIANCE_EVERY_S
        at, is_right = self._clock.utc(), self._clock_is_right()
        message = compliance_message(self._origin, lookout.counts, at, is_right, RUN)
        self._publisher.publish_state(COMPLIANCE, encode(message))

    def _accept(self, violation: Violation, snapshot: bytes | None) -> None:
        # All times of an event are told by the clock as it was when that was confirmed.
        if violation.state is ViolationState.CONFIRMED and not self._clock_is_right():
            self._misdated.add(violation.event_id)
        dated_right = violation.event_id not in self._misdated
        if violation.state is ViolationState.ENDED:
            self._misdated.discard(violation.event_id)

        def encoded(sequence: int) -> bytes:
            return encode(
                violation_message(self._origin, violation, sequence, dated_right, snapshot)
            )

        name = topic(self._prefix, self._origin.device_id, VIOLATION)
        if violation.state is ViolationState.CONFIRMED:
            end = self._end_if_cut_off(violation, dated_right)
            begun = Unended(violation.event_id, name, end)
            sequence = self._outbox.append(name, encoded, begins=begun)
        else:
            sequence = self._outbox.append(name, encoded, ends=violation.event_id)
        # Only now: what the log names without "in memory", no crash can take any more.
        _log.info(
            "violation %s: person %d, %.1f s, %.0f %% sure; document %d of event %s%s",
            violation.state,
            violation.track_id,
            violation.duration_s,
            100 * violation.bare_probability,
            sequence,
            violation.event_id,
            ", in memory" if self._outbox.state().is_refused else "",
        )
        self._publisher.wake()

    def _end_if_cut_off(self, violation: Violation, dated_right: bool) -> bytes:
        """Return the document that the next run tells, should this one not come to the end.

        The last sight that is certain then is that of the confirmation: a later one would have to
        be written down all the time.
        """
        ended = replace(violation, state=ViolationState.ENDED, ended_at=violation.confirmed_at)
        return encode(violation_message(self._origin, ended, 1, dated_right, interrupted=True))

    def _end_left_open(self) -> None:
        """Tell the end of what the last run has begun and was cut off from."""
        for event in self._outbox.left_open():
            numbered = partial(with_sequence, event.payload)
            sequence = self._outbox.append(event.topic, numbered, ends=event.event_id)
            _log.warning(
                "violation ended: the program was cut off before it saw that; document %d of event "
                "%s%s",
                sequence,
                event.event_id,
                ", in memory" if self._outbox.state().is_refused else "",
            )
            self._publisher.wake()

    def _look_after_the_machine(self, now_s: float) -> None:
        self._vitals = self._read_vitals()
        if not self._load.update(self._vitals, now_s):
            return
        pace = self._load.pace
        if pace.max_fps is None:
            _log.info("all frames are judged again")
        else:
            reasons = " and ".join(pace.reasons)
            _log.warning("%g frames per second are judged at most, for %s", pace.max_fps, reasons)

    def _renewed(self, lookout: Lookout, now_s: float) -> Telemetry:
        """Return the telemetry, taken anew once a second, and where camera or pause differ."""
        last = self.telemetry
        if (
            last is None
            or now_s >= self._telemetry_due_s
            or lookout.camera.state is not last.camera.state
            or self.is_paused is (last.paused_for_s is None)
        ):
            self._telemetry_due_s = now_s + TELEMETRY_EVERY_S
            self._end_left_open()  # of an outbox that could not be opened at the start
            if self._former is not None:
                self._former.tend()
            if self._software is not None and self._software.has_changed():
                self._report_release(self._software.software)
            self.telemetry = last = self._taken(lookout, now_s)
            if self._status_file is not None:
                self._status_file.write(last)
        return last

    def _taken(self, lookout: Lookout, now_s: float) -> Telemetry:
        publisher = self._publisher
        return Telemetry(
            uptime_s=now_s - self._started_s,
            frames=lookout.frames,
            fps=lookout.fps,
            latencies=lookout.latencies,
            dropped_frames=lookout.dropped_frames,
            camera=lookout.camera,
            outbox=self._outbox.state(),
            broker=publisher.state,
            vitals=self._vitals,
            rss_bytes=rss_bytes(),
            pace=self._load.pace,
            clock=ClockState(self._stepped.steps, self._stepped.last_step_s),
            paused_for_s=self._desk.paused_for_s,
            trial=None if self._software is None else self._software.software.trial,
            page=self.page(),
            in_use=self._in_use,
        )

    def _report_health(self, telemetry: Telemetry) -> None:
        self._told = telemetry.condition
        at, is_right = self._clock.utc(), self._clock_is_right()
        message = health_message(
            self._origin, self._versions, telemetry, at, is_right, self._detector
        )
        self._publisher.publish_state(HEALTH, encode(message))
        _log.debug("%s; %s", telemetry.summary, _in_words(telemetry))

    def _report_release(self, software: Software) -> None:
        at, is_right = self._clock.utc(), self._clock_is_right()
        message = release_message(self._origin, software, at, is_right)
        self._publisher.publish_state(RELEASE, encode(message))

    def _tell_systemd(self, telemetry: Telemetry, now_s: float) -> None:
        """Say that all is well: the loop goes round, with a frame, or with an outage in hand.

        The start is over with the first frame, or with a camera that is lost and tried again: by
        then, whatever can never work has ended the program.
        """
        notifier, summary = self._notifier, telemetry.summary
        was_ready = self._is_ready
        self._is_ready = telemetry.camera.state is not CameraState.STARTING
        if self._is_ready and not was_ready:
            notifier.ready(summary)
        elif now_s < self._alive_due_s:
            return
        elif self._is_ready:
            notifier.alive(summary)
        else:
            notifier.starting(summary, START_S)
        self._alive_due_s = now_s + min(notifier.watchdog_s or math.inf, STATUS_EVERY_S)


def _in_words(telemetry: Telemetry) -> str:
    steps = (f"{step} {each.p50:.1f}/{each.p95:.1f}" for step, each in telemetry.latencies.items())
    return f"ms, median and 95th percentile: {', '.join(steps) or 'none yet'}"
