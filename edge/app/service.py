"""The long loop: frames in, violations out, through outages of the camera and the broker."""

from __future__ import annotations

import logging
import math
import platform
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import cv2

from edge import __version__
from edge.capture.camera import Camera, frames_of, patience_with
from edge.classify.card import load_bundle
from edge.classify.runtime import runtime_version
from edge.clock import SYSTEM_CLOCK, Clock, SteppedClock, clock_synchronised, this_moment
from edge.config import Settings, state_directory
from edge.control.commands import MAX_PAYLOAD_BYTES
from edge.control.desk import CommandDesk
from edge.control.snapshot import Photographer, open_photographer
from edge.decide.compliance import ComplianceCounter
from edge.decide.identity import EventIds
from edge.decide.policy import Decision
from edge.host.health import (
    FrameMeter,
    LatencyMeter,
    read_vitals,
    rss_bytes,
)
from edge.host.load import Load
from edge.host.systemd import Notifier, watchdog_interval_s
from edge.pipeline import Outcome, open_pipeline
from edge.publish.broker import Received
from edge.publish.messages import (
    COMPLIANCE,
    HEALTH,
    VIOLATION,
    BrokerHealth,
    CameraHealth,
    ClockHealth,
    DroppedHealth,
    HealthMessage,
    LatencyHealth,
    Origin,
    OutboxCondition,
    OutboxHealth,
    PaceHealth,
    Versions,
    compliance_message,
    encode,
    every_field,
    origin,
    timestamp,
    topic,
    violation_message,
)
from edge.publish.outbox.outbox import Outbox, OutboxState
from edge.publish.publisher import MqttPublisher
from edge.records import Frame, Violation, ViolationState
from edge.telemetry import CameraState, CameraView, Vitals

_log = logging.getLogger(__name__)

STEPS = ("detect", "track", "classify", "decide", "total")
POLL_S = 0.5
"""How long the loop waits for a frame before it looks after everything else."""
COMPLIANCE_EVERY_S = 10.0
STATUS_EVERY_S = 2.0
VITALS_EVERY_S = 5.0
CLOSING_S = 0.5
"""For a capture call to return when we stop; one that hangs ends with the process."""


class Judge(Protocol):
    """The pure middle of the road: `Pipeline`."""

    def process(self, frame: Frame) -> Outcome: ...
    def finish(self) -> Decision: ...


class Store(Protocol):
    """What keeps events until they are delivered: `Outbox`."""

    def append(self, topic: str, encode: Callable[[int], bytes]) -> int: ...
    def state(self) -> OutboxState: ...
    def close(self) -> None: ...


class Publisher(Protocol):
    """What delivers: `MqttPublisher`."""

    @property
    def connected(self) -> bool: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def protocol(self) -> str: ...
    def start(self) -> None: ...
    def wake(self) -> None: ...
    def publish_state(self, name: str, payload: bytes) -> None: ...
    def take_commands(self) -> Iterable[Received]: ...
    def respond(self, payload: bytes) -> None: ...
    def close(self, timeout_s: float = ...) -> None: ...


class Stopwatch:
    """Measures the steps of the pipeline for the health report."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.latencies = LatencyMeter(STEPS)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        begun_s = self._clock.monotonic_s()
        yield
        self.latencies.add(step, self._clock.monotonic_s() - begun_s)


class Service:
    """Watches until it is told to stop, or until a clip is over."""

    def __init__(
        self,
        settings: Settings,
        origin: Origin,
        camera: Camera,
        judge: Judge,
        stopwatch: Stopwatch,
        outbox: Store,
        publisher: Publisher,
        notifier: Notifier,
        watchdog_s: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        photographer: Photographer | None = None,
        clock_is_right: Callable[[], bool] = clock_synchronised,
        vitals: Callable[[], Vitals] = read_vitals,
    ) -> None:
        """`watchdog_s` is how often systemd wants to hear from us; None: it does not. Without a
        `photographer` no picture leaves the device.
        """
        self._settings = settings
        self._origin = origin
        self._camera = camera
        self._judge = judge
        self._stopwatch = stopwatch
        self._outbox = outbox
        self._publisher = publisher
        self._notifier = notifier
        self._watchdog_s = watchdog_s
        self._clock = clock
        self._photographer = photographer
        self._desk = CommandDesk(settings.commands, publisher, origin, photographer, clock)
        self._stop = threading.Event()
        self._started_s = clock.monotonic_s()
        self._meter = FrameMeter()
        self._compliance = ComplianceCounter(self._started_s)
        self._health_due_s = self._compliance_due_s = self._alive_due_s = self._started_s
        self._vitals_due_s = self._turned_s = self._started_s
        self._judged_s = -math.inf
        self._clock_is_right = clock_is_right
        self._stepped = SteppedClock(clock)
        self._misdated: set[str] = set()
        """Events confirmed by a clock that was not right, until they have ended."""
        self._read_vitals = vitals
        self._vitals = Vitals()
        self._load = Load()

    def stop(self) -> None:
        """End soon, orderly. Safe in a signal handler and from any thread."""
        self._stop.set()

    def run(self) -> None:
        """Run until `stop`, or until the source is over."""
        self._publisher.start()
        self._notifier.ready(self._status())
        try:
            while not self._is_over():
                self.run_once()
        finally:
            self._notifier.stopping("stopping")
            self._camera.close()  # begins now, so that it need not be waited for below
            self._take(self._judge.finish())
            self._report_compliance()
            self._publisher.close()
            self._outbox.close()
        self._camera.close(CLOSING_S)

    def run_once(self) -> None:
        """Take one frame along the road, if there is one; then look after reports and watchdog."""
        self._keep_pace()
        frame = self._camera.read(POLL_S)
        was_paused = self._desk.is_paused
        if was_paused or (frame is None and self._camera.state is CameraState.LOST):
            # In a pause frames are still taken, or the camera would count as lost.
            self._take(self._judge.finish())
        elif frame is not None:
            self._judged_s = self._clock.monotonic_s()
            with self._stopwatch("total"):
                outcome = self._judge.process(frame)
            self._meter.add(self._clock.monotonic_s())
            self._take(outcome.decision, frame)
        self._desk.serve(frame)
        self._look_around(was_paused)
        if self._desk.is_paused is not was_paused:
            self._health_due_s = self._clock.monotonic_s()
        self._report_if_due()

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._camera.ended or self._desk.restart_wanted

    def _keep_pace(self) -> None:
        wait_s = self._judged_s + self._load.pace.interval_s - self._clock.monotonic_s()
        if wait_s > 0:
            self._clock.sleep(wait_s)

    def _look_around(self, was_paused: bool) -> None:
        """See what has become of camera, clock and machine since the last turn."""
        now_s = self._clock.monotonic_s()
        turn_s, self._turned_s = now_s - self._turned_s, now_s
        if self._camera.sees and not was_paused:
            self._compliance.watch(turn_s, now_s)
        if self._stepped.look():
            _log.warning("the wall clock was set by %+.1f s", self._stepped.last_step_s)
        if now_s >= self._vitals_due_s:
            self._vitals_due_s = now_s + VITALS_EVERY_S
            self._vitals = self._read_vitals()
            if self._load.update(self._vitals, now_s):
                self._tell_pace()

    def _tell_pace(self) -> None:
        pace = self._load.pace
        if pace.max_fps is None:
            _log.info("all frames are judged again")
        else:
            _log.warning(
                "%g frames per second are judged at most, for %s", pace.max_fps,
                " and ".join(pace.reasons),
            )  # fmt: skip

    def _take(self, decision: Decision, frame: Frame | None = None) -> None:
        """Pass on what was decided; `frame` is the one that confirmed a violation."""
        now_s = self._clock.monotonic_s()
        confirmed = [v for v in decision.violations if v.state is ViolationState.CONFIRMED]
        snapshot = None
        if confirmed and frame is not None and self._photographer is not None:
            snapshot = self._photographer.take(frame)
        for visit in decision.visits:
            self._compliance.add(visit, now_s)
        for violation in decision.violations:
            self._accept(violation, snapshot if violation in confirmed else None)
        if decision.visits or decision.violations:
            self._compliance_due_s = min(self._compliance_due_s, now_s + 1)

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

        sequence = self._outbox.append(self._topic(VIOLATION), encoded)
        # Only now: what the log names without "in memory", no crash can take any more.
        _log.info(
            "violation %s: person %d, %.1f s, %.0f %% sure; document %d of event %s%s",
            violation.state,
            violation.track_id,
            violation.duration_s,
            100 * violation.bare_probability,
            sequence,
            violation.event_id,
            ", in memory" if self._outbox.state().in_memory else "",
        )
        self._publisher.wake()

    def _report_if_due(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._health_due_s:
            self._health_due_s = now_s + self._settings.health.interval_s
            self._publisher.publish_state(HEALTH, encode(self._health()))
        if now_s >= self._compliance_due_s:
            self._report_compliance()
        # Reached only when the loop goes round: a frame was judged, or an outage is being handled.
        if self._watchdog_s is not None and now_s >= self._alive_due_s:
            self._alive_due_s = now_s + min(self._watchdog_s, STATUS_EVERY_S)
            self._notifier.alive(self._status())

    def _report_compliance(self) -> None:
        now_s = self._clock.monotonic_s()
        self._compliance_due_s = now_s + COMPLIANCE_EVERY_S
        counts = self._compliance.totals(now_s)
        self._publisher.publish_state(
            COMPLIANCE,
            encode(
                compliance_message(self._origin, counts, self._clock.utc(), self._clock_is_right())
            ),
        )

    def _topic(self, name: str) -> str:
        return topic(self._settings.mqtt.topic_prefix, self._origin.device_id, name)

    def _status(self) -> str:
        fps = self._meter.fps(self._clock.monotonic_s())
        broker = "connected" if self._publisher.connected else "away"
        camera = self._camera.status()
        state = camera.state if camera.view in (None, CameraView.CLEAR) else camera.view
        left_s = self._desk.paused_for_s
        paused = "" if left_s is None else f"paused for {left_s:.0f} s; "
        outbox = self._outbox.state()
        refused = ", the disk refuses them" if outbox.is_refused else ""
        return (
            f"{paused}camera {state}, {fps:.1f} fps; "
            f"broker {broker}, {outbox.rows} waiting{refused}"
        )

    def _health(self) -> HealthMessage:
        now_s = self._clock.monotonic_s()
        waiting = self._outbox.state()
        aside_at = waiting.set_aside_at
        paused_for_s = self._desk.paused_for_s
        dropped = waiting.dropped
        camera = self._camera.status()
        return HealthMessage(
            **every_field(self._origin, self._clock.utc(), self._clock_is_right()),
            versions=Versions(
                program=__version__,
                runtime=runtime_version(),
                python=platform.python_version(),
                opencv=cv2.__version__,
            ),
            uptime_s=round(now_s - self._started_s, 1),
            fps=round(self._meter.fps(now_s), 2),
            latency_ms={
                step: LatencyHealth(p50=latency.p50, p95=latency.p95)
                for step, latency in self._stopwatch.latencies.take().items()
            },
            frames=self._meter.frames,
            dropped_frames=self._camera.dropped,
            camera=CameraHealth(
                state=camera.state,
                outages=camera.outages,
                view=camera.view,
                fps=camera.fps,
                slow=camera.slow,
            ),
            outbox=OutboxHealth(
                rows=waiting.rows,
                oldest_age_s=waiting.oldest_age_s,
                dropped=dropped.total,
                set_aside=waiting.set_aside,
                set_aside_at=None if aside_at is None else timestamp(aside_at),
                state=OutboxCondition.REFUSED if waiting.is_refused else OutboxCondition.ON_DISK,
                bytes=waiting.bytes,
                in_memory=waiting.in_memory,
                live=waiting.live,
                dropped_by=DroppedHealth(
                    rows=dropped.rows, bytes=dropped.bytes, age=dropped.age, memory=dropped.memory
                ),
            ),
            broker=BrokerHealth(
                reconnects=self._publisher.reconnects, protocol=self._publisher.protocol
            ),
            temperature_c=self._vitals.temperature_c,
            throttling=self._vitals.throttling,
            rss_bytes=rss_bytes(),
            available_bytes=self._vitals.available_bytes,
            pace=PaceHealth(max_fps=self._load.pace.max_fps, reasons=list(self._load.pace.reasons)),
            clock=ClockHealth(steps=self._stepped.steps, last_step_s=self._stepped.last_step_s),
            paused_for_s=None if paused_for_s is None else round(paused_for_s, 1),
        )


def open_service(settings: Settings) -> Service:
    """Build the service of real parts. Raises ConfigError, ModelError, OutboxError."""
    bundle = load_bundle(settings.classifier.bundle)
    stopwatch = Stopwatch()
    judge = open_pipeline(settings, bundle, EventIds(), stopwatch)
    who = origin(settings.device, bundle.card.model_id)
    outbox = Outbox(
        Path(settings.outbox.path or state_directory() / "outbox.sqlite"),
        settings.outbox,
        lambda: this_moment(clock_is_right=clock_synchronised()),
    )
    return Service(
        settings,
        who,
        Camera(lambda: frames_of(settings.camera), patience_with(settings.camera)),
        judge,
        stopwatch,
        outbox,
        MqttPublisher(
            settings.mqtt,
            who,
            outbox,
            max_command_bytes=MAX_PAYLOAD_BYTES if settings.commands.allowed else 0,
        ),
        Notifier.from_environment(),
        watchdog_interval_s(),
        photographer=open_photographer(settings, judge.tracker),
    )
