"""Is a release or a model on trial any worse than what ran before? Pure: looks in, a verdict out.

What it cannot help is not held against it: a cable that is pulled, a camera that was lost before, a
restart that somebody asked for, a power cut. Time counts only while all is well that was before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from edge.release.ledger import Baseline

MOST_CRASHES = 3
MOST_HANGS = 2
"""A start that takes 90 s, or 20 s without a frame: two say enough."""
MOST_BOOTS = 5
"""A trial takes so many runs of the machine; more, and it may have been brought down by it."""
PATIENCE_S = 90.0
"""So long a fault that may pass is borne with: a camera may take 10 s to open, a broker 30 s."""
START_PATIENCE_S = 360.0
"""So long it may take to come up at all."""
SLOWER = 1.6
"""A scan may take so much longer than before, and `SLOWER_MS` more."""
SLOWER_MS = 20.0
GIVEN_UP = 6
"""After so many windows what cannot be judged is not waited for any more, say a broker's return."""
LONGEST_STEP_S = 10.0
"""More than this between two looks was not watched: the machine slept."""

ENDINGS = {
    65: "its model is damaged or not what it runs (exit status 65)",
    72: "a package is missing (exit status 72)",
    78: "it refuses the configuration (exit status 78)",
}
"""The statuses after which systemd does not start it anew."""
CAMERA_LOST = (69, 71)
"""Exit statuses that are the camera's."""


class Fault(StrEnum):
    ENDED = "ended"
    CRASHES = "crashes"
    HANGS = "hangs"
    NOT_UP = "not_up"
    NO_FRAMES = "no_frames"
    NO_BROKER = "no_broker"
    SLOW = "slow"
    DISK = "disk"
    REBOOTS = "reboots"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What systemd says of the service, see systemctl(1), `show`."""

    active: str
    sub: str
    result: str
    """How it ended the last time: `success`, `exit-code`, `watchdog`, `timeout`, `signal`…"""
    status: int
    """Its exit status, or the signal."""
    restarts: int
    """By systemd itself, since it was last started by somebody."""
    invocation: str
    """Names this run of it."""

    @property
    def is_up(self) -> bool:
        return self.active == "active"

    @property
    def is_between(self) -> bool:
        """It has ended, and systemd is about to start it anew."""
        return self.sub.startswith("auto-restart")

    @property
    def is_stopped(self) -> bool:
        """Somebody wanted it so."""
        return self.active in ("inactive", "deactivating") and not self.is_between


@dataclass(frozen=True, slots=True)
class Report:
    """What the service says of itself."""

    camera_runs: bool
    broker_connected: bool
    disk_takes: bool
    frames: int
    """Judged since its start."""
    is_held_back: bool
    """Paused, or judging fewer frames for heat, power or memory."""
    scan_ms: float | None
    """The 95th percentile of `detect`: what a scan of a frame takes; None: not known yet."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    at_s: float
    """Monotonic."""
    service: ServiceState
    report: Report | None
    """None: it says nothing now."""
    broker_answers: bool = True
    """Somebody listens at the broker's address. What cannot be reached by anybody is no fault."""


@dataclass(frozen=True, slots=True)
class Verdict:
    keep: bool
    reason: str
    fault: Fault | None = None


@dataclass(slots=True)
class Judge:
    """Counts how long a trial did well, and what went wrong. One for each trial and boot."""

    window_s: float
    baseline: Baseline
    watched_s: float = 0.0
    ran_s: float = 0.0
    crashes: int = 0
    hangs: int = 0
    _last_s: float | None = None
    _counted: tuple[str, int] | None = None
    _frames: tuple[str, int] = ("", 0)
    _borne_s: dict[Fault, float] = field(default_factory=dict)

    def look(self, look: Look) -> Verdict | None:
        """Take one look into account; return the verdict, or None: not yet."""
        step_s = 0.0 if self._last_s is None else min(look.at_s - self._last_s, LONGEST_STEP_S)
        self._last_s = look.at_s
        verdict = self._ended(look.service)
        if verdict is not None or look.service.is_stopped:
            return verdict
        is_mute = not look.service.is_up or look.report is None
        if self._bears(Fault.NOT_UP, is_mute, step_s, START_PATIENCE_S):
            return Verdict(False, "it does not come up", Fault.NOT_UP)
        if look.report is None or not look.service.is_up:
            return None
        self.ran_s += step_s
        is_well = True
        for fault, is_there, text in self._faults(look, look.report):
            is_well = is_well and not is_there
            # A broker that nobody reaches is none of its faults, but nothing is known to be well.
            if fault is Fault.NO_BROKER and not look.broker_answers:
                continue
            if self._bears(fault, is_there, step_s, PATIENCE_S):
                return Verdict(False, text, fault)
        if is_well:
            self.watched_s += step_s
        if self.watched_s >= self.window_s:
            return Verdict(True, f"well for {self.watched_s:.0f} s")
        if self.ran_s >= GIVEN_UP * self.window_s:
            return Verdict(
                True,
                f"nothing speaks against it, but not all could be judged in {self.ran_s:.0f} s",
            )
        return None

    def _ended(self, service: ServiceState) -> Verdict | None:
        if service.active == "failed":
            reason = ENDINGS.get(service.status, f"it failed ({service.result}, {service.status})")
            return Verdict(False, reason, Fault.ENDED)
        this = (service.invocation, service.restarts)
        if not service.is_between or this == self._counted or service.result == "success":
            return None
        self._counted = this
        if service.result in ("watchdog", "timeout"):
            self.hangs += 1
            if self.hangs >= MOST_HANGS:
                return Verdict(False, f"it hung {self.hangs} times ({service.result})", Fault.HANGS)
        elif not (service.result == "exit-code" and service.status in CAMERA_LOST):
            self.crashes += 1
            if self.crashes >= MOST_CRASHES:
                how = f"{service.result}, {service.status}"
                return Verdict(False, f"it crashed {self.crashes} times ({how})", Fault.CRASHES)
        return None

    def _faults(self, look: Look, report: Report) -> Iterator[tuple[Fault, bool, str]]:
        """Return what is worse than before, or not, and how that is said."""
        before = self.baseline
        run, frames = self._frames
        stands = run == look.service.invocation and report.frames <= frames
        self._frames = (look.service.invocation, report.frames)
        yield (
            Fault.NO_FRAMES,
            before.camera_runs and (not report.camera_runs or (stands and not report.is_held_back)),
            "no frames are judged, and before there were",
        )
        yield (
            Fault.NO_BROKER,
            before.broker_connected and not report.broker_connected,
            "it does not reach the broker, and before it was reached",
        )
        yield (
            Fault.DISK,
            before.disk_takes and not report.disk_takes,
            "its outbox takes nothing, and before it did",
        )
        limit_ms = None if before.scan_ms is None else SLOWER * before.scan_ms + SLOWER_MS
        is_slow = limit_ms is not None and report.scan_ms is not None and report.scan_ms > limit_ms
        yield (
            Fault.SLOW,
            is_slow and not report.is_held_back,
            f"a scan takes {report.scan_ms or 0:.0f} ms, and before {before.scan_ms or 0:.0f} ms",
        )

    def _bears(self, fault: Fault, is_there: bool, step_s: float, patience_s: float) -> bool:
        """Count how long a fault lasts; tell whether that is too long."""
        if not is_there:
            self._borne_s.pop(fault, None)
            return False
        self._borne_s[fault] = self._borne_s.get(fault, 0.0) + step_s
        return self._borne_s[fault] >= patience_s


def baseline_of(report: Report | None) -> Baseline:
    """Return how the device is now, before a switch; of one that says nothing, nothing is known."""
    if report is None:
        return Baseline()
    return Baseline(report.camera_runs, report.broker_connected, report.disk_takes, report.scan_ms)
