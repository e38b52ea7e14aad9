"""The lookout: camera, judge and counts. What is seen, and what it comes to."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from edge.capture.camera import Camera
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import Polygons, ZoneSettings
from edge.daemon.budget import Budget, Usage
from edge.decide.compliance import ComplianceCounter
from edge.decide.policy import Decision
from edge.detect.area import Area
from edge.history.records import WatchState
from edge.host.health import FrameMeter, Stopwatch
from edge.observers import Observers
from edge.pipeline import FrameOutcome
from edge.plan import SeeingPlan, Work
from edge.records import Compliance, Frame
from edge.telemetry import (
    TOTAL,
    CameraReport,
    CameraState,
    CameraStatus,
    CameraView,
    Latency,
    Pace,
)

_log = logging.getLogger(__name__)

_NOTHING = Decision()
_VIEWS = {
    CameraView.DARK: WatchState.DARK,
    CameraView.BLINDED: WatchState.BLINDED,
    CameraView.COVERED: WatchState.COVERED,
}


class FrameJudge(Protocol):
    """The pure middle of the road: `Pipeline`."""

    def process(self, frame: Frame) -> FrameOutcome: ...
    def limit_to(self, area: Area) -> None: ...
    def divide_into(self, zones: Sequence[ZoneSettings]) -> None: ...
    def follow(self, plan: SeeingPlan) -> None: ...
    @property
    def work(self) -> Work: ...
    @property
    def bridged_s(self) -> float: ...
    @property
    def rotation_wanted_deg(self) -> int | None: ...
    @property
    def lifeless_places(self) -> Polygons: ...
    def finish(self) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Glance:
    """What one turn of the loop brought."""

    frame: Frame | None = None
    """The newest; in a pause it was not judged. None: none came."""
    decision: Decision = _NOTHING
    watched_s: float = 0.0
    """How long somebody could have been seen since the glance before."""
    snapshot: bytes | None = None
    """The covered picture of the frame that confirmed a violation, where pictures may leave the
    device; `Device.take` adds it."""
    camera: str = ""
    """The name of the camera; empty: the only one."""
    watch: WatchState = WatchState.LOST
    """What the camera did in this turn."""
    turn_s: float = 0.0
    """How long it has done that: since the glance before."""


@dataclass(frozen=True, slots=True)
class LookoutState:
    """How a lookout did at one moment; for any thread."""

    report: CameraReport
    counts: Compliance
    """Who passed it."""

    @property
    def name(self) -> str:
        return self.report.name

    @property
    def status(self) -> CameraStatus:
        return self.report.status

    def stuck(self) -> LookoutState:
        """Return the same of one whose thread does not go on."""
        return replace(self, report=replace(self.report, is_stuck=True))


class Lookout:
    """Takes frames along the road, and counts who passes."""

    def __init__(
        self,
        camera: Camera,
        judge: FrameJudge,
        stopwatch: Stopwatch,
        budget: Budget,
        clock: Clock = SYSTEM_CLOCK,
        name: str = "",
        zone: str = "",
        new_area: Callable[[], Area | None] = lambda: None,
        new_zones: Callable[[], Sequence[ZoneSettings] | None] = lambda: None,
    ) -> None:
        """`name` is the camera's, `zone` what it watches; `new_area` and `new_zones` return, once,
        what is to hold from now on."""
        self.name = name
        self.observers = Observers()
        self.stopwatch = stopwatch
        self._zone = zone
        self._new_area = new_area
        self._new_zones = new_zones
        self._camera = camera
        self._judge = judge
        self._budget = budget
        self._clock = clock
        self._meter = FrameMeter()
        self._looked_s = clock.monotonic_s()
        self._compliance = ComplianceCounter(self._looked_s)
        self._judged_s = -math.inf
        self._is_crowded = False

    @property
    def ended(self) -> bool:
        """Whether the source is over, as a clip is at its end."""
        return self._camera.ended

    @property
    def camera_state(self) -> CameraState:
        return self._camera.state

    @property
    def camera(self) -> CameraStatus:
        running = self._camera.state is CameraState.RUNNING
        return replace(
            self._camera.status(),
            rotation_wanted_deg=self._judge.rotation_wanted_deg if running else None,
            lifeless_places=self._judge.lifeless_places if running else (),
        )

    @property
    def frames(self) -> int:
        """How many were judged."""
        return self._meter.frames

    @property
    def dropped_frames(self) -> int:
        return self._camera.dropped

    @property
    def fps(self) -> float:
        """Frames judged per second, lately."""
        return self._meter.fps(self._clock.monotonic_s())

    @property
    def latencies(self) -> dict[str, Latency]:
        return self.stopwatch.latencies()

    @property
    def plan(self) -> SeeingPlan:
        """How closely frames are looked at."""
        return self._budget.plan

    @property
    def counts(self) -> Compliance:
        return self._compliance.totals(self._clock.monotonic_s())

    @property
    def places(self) -> tuple[str, ...]:
        """By which visits are counted, see `ComplianceCounter.places`."""
        return self._compliance.places

    def state(self) -> LookoutState:
        """Return how all of it is now."""
        report = CameraReport(
            name=self.name,
            zone=self._zone,
            status=self.camera,
            frames=self.frames,
            fps=self.fps,
            dropped_frames=self.dropped_frames,
            latencies=self.latencies,
            plan=self.plan.name,
        )
        return LookoutState(report, self.counts)

    def turn(self, timeout_s: float, pace: Pace, is_paused: Callable[[], bool]) -> Glance:
        """Look at the area, as closely and as often as is wanted now, and take one frame along the
        road, if one comes in time. Raises what `Camera.read` raises."""
        if (area := self._new_area()) is not None:
            self.limit_to(area)
        if (zones := self._new_zones()) is not None:
            self.divide_into(zones)
        self.keep_to_budget(pace)
        self.wait(pace.interval_s)
        return self.look(timeout_s, is_paused=is_paused())

    def wait(self, interval_s: float) -> None:
        """Wait until so long after the frame that was judged last."""
        wait_s = self._judged_s + interval_s - self._clock.monotonic_s()
        if wait_s > 0:
            self._clock.sleep(wait_s)

    def look(self, timeout_s: float, *, is_paused: bool = False) -> Glance:
        """Take one frame along the road, if one comes in time. In a pause nobody is judged.

        Raises what `Camera.read` raises.
        """
        frame = self._camera.read(timeout_s)
        decision = _NOTHING
        if is_paused or (frame is None and self._is_long_lost()):
            # In a pause frames are still taken, or the camera would count as lost.
            decision = self._judge.finish()
            self._budget.start_over(self._usage(), self._clock.monotonic_s())
        elif frame is not None:
            decision = self._judged(frame)
        watches = self._camera.sees and not is_paused
        turn_s = self._count(decision, watches=watches)
        return Glance(
            frame,
            decision,
            turn_s if watches else 0.0,
            camera=self.name,
            watch=self._watch(is_paused=is_paused),
            turn_s=turn_s,
        )

    def limit_to(self, area: Area) -> None:
        """Have only faces in `area` count from now on."""
        self._judge.limit_to(area)

    def divide_into(self, zones: Sequence[ZoneSettings]) -> None:
        """Have these zones, and their rules, hold from now on."""
        self._judge.divide_into(zones)
        self._compliance.divide_into([each.name for each in zones if each.counts])

    def keep_to_budget(self, pace: Pace) -> None:
        """Look as closely as the box can afford at this pace; another plan comes rarely."""
        now_s = self._clock.monotonic_s()
        if self._budget.is_due(now_s):
            fps = self._camera.status().fps
            self._judge.follow(self._budget.choose(self._usage(), fps, pace, now_s))

    def _usage(self) -> Usage:
        return Usage.of(self._judge.work, self.stopwatch)

    def end_visits(self) -> Glance:
        """Nobody is in sight any more: the service stops."""
        decision = self._judge.finish()
        self._count(decision, watches=False)
        return Glance(None, decision, camera=self.name)

    def rest(self) -> Glance:
        """The camera is lost, and is not tried now."""
        decision = self._judge.finish()
        turn_s = self._count(decision, watches=False)
        return Glance(None, decision, camera=self.name, watch=WatchState.LOST, turn_s=turn_s)

    def close(self, timeout_s: float = 0.0) -> None:
        """Have the camera given back, and wait for that; a capture call that hangs goes on."""
        self._camera.close(timeout_s)

    def _is_long_lost(self) -> bool:
        """Return whether the camera has been away for so long that nobody is known any more."""
        blind_s = self._clock.monotonic_s() - self._judged_s
        return self._camera.state is CameraState.LOST and blind_s > self._judge.bridged_s

    def _judged(self, frame: Frame) -> Decision:
        self._judged_s = self._clock.monotonic_s()
        with self.stopwatch(TOTAL):
            outcome = self._judge.process(frame)
        self._meter.add(self._clock.monotonic_s())
        self._is_crowded = outcome.is_crowded
        self.observers.show(frame, outcome)
        return outcome.decision

    def _watch(self, *, is_paused: bool) -> WatchState:
        """Return what the camera does now."""
        if is_paused:
            return WatchState.PAUSED
        camera = self._camera.status()
        if camera.state is not CameraState.RUNNING:
            return WatchState.LOST
        if camera.view in _VIEWS:
            return _VIEWS[camera.view]
        if self._judge.rotation_wanted_deg is not None:
            return WatchState.TURNED
        return WatchState.CROWDED if self._is_crowded else WatchState.WATCHED

    def _count(self, decision: Decision, *, watches: bool) -> float:
        """Count who has left; return how long this turn took."""
        now_s = self._clock.monotonic_s()
        turn_s, self._looked_s = now_s - self._looked_s, now_s
        if watches:
            self._compliance.watch(turn_s, now_s)
        for visit in decision.visits:
            self._compliance.add(visit, now_s)
            stayed_s = (visit.ended_at - visit.started_at).total_seconds()
            _log.debug("person %d left after %.1f s: %s", visit.track_id, stayed_s, visit.verdict)
        return turn_s
