"""Is a release or a model on trial any worse than what ran before? Pure: looks in, a verdict out.

What it cannot help is not held against it: a cable that is pulled, a camera that was lost before, a
restart that somebody asked for, a power cut. Time counts only while all is well that was before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from edge.release.growth import Memory, Queue
from edge.release.ledger import Baseline
from edge.release.observed import Look, ServiceReport, ServiceState

MOST_CRASHES = 3
MOST_HANGS = 2
"""A start that takes 90 s, or 20 s without a frame: two say enough."""
MOST_RESTARTS = 20
"""By systemd, for whatever reason: on command, too."""
MOST_BOOTS = 5
"""A trial takes this many runs of the machine; more, and it may have been brought down by it."""
PATIENCE_S = 90.0
"""How long a fault that may pass is tolerated: a camera may take 10 s to open, a broker 30 s."""
START_PATIENCE_S = 360.0
"""How long it may take to come up at all."""
SLOWER, SLOWER_MS = 1.6, 20.0
"""A scan may take this many times as long as before, and so much more."""
FRAME_SLOWER, FRAME_SLOWER_MS = 2.0, 150.0
"""The same of a whole frame, which goes by how many people pass too."""
FEWER = 0.4
"""Of the frames a second that there were before, there must be this share."""
GIVEN_UP = 6
"""After this many windows the trial no longer waits for what cannot be judged, such as a broker."""
LONGEST_STEP_S = 10.0
"""More than this between two looks was not watched: the machine slept."""

ENDINGS = {
    65: "its model is damaged or cannot be used (exit status 65)",
    72: "a package is missing (exit status 72)",
    78: "it refuses the configuration (exit status 78)",
}
"""The statuses after which systemd does not restart it."""
OF_SETTINGS = (0, 1, *ENDINGS, 243)
"""Exit statuses that may be the settings' fault, or that of what they name. 1: a folder that cannot
be made, say; 243: a credential that systemd does not find; 0: that was so before its first program.
"""
CAMERA_LOST = (69, 71)
"""Exit statuses that are the camera's; none of the release's where there was no picture before."""


class Fault(StrEnum):
    ENDED = "ended"
    CRASHES = "crashes"
    HANGS = "hangs"
    RESTARTS = "restarts"
    NOT_UP = "not_up"
    MUTE = "mute"
    NO_FRAMES = "no_frames"
    NO_BROKER = "no_broker"
    STUCK = "stuck"
    PAGE = "page"
    SLOW = "slow"
    SLOW_FRAMES = "slow_frames"
    FEW_FRAMES = "few_frames"
    SLOW_CAMERA = "slow_camera"
    LEAKS = "leaks"
    DISK = "disk"
    REBOOTS = "reboots"
    ON_COMMAND = "on_command"
    """Somebody has decided so."""


SPEED = (Fault.SLOW, Fault.SLOW_FRAMES, Fault.FEW_FRAMES, Fault.SLOW_CAMERA)


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    keep: bool
    reason: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that may be worse than before."""

    fault: Fault
    is_there: bool
    text: str
    patience_s: float = PATIENCE_S


@dataclass(slots=True)
class TrialJudge:
    """Counts how long a trial did well, and what went wrong. One for each trial and boot."""

    window_s: float
    baseline: Baseline
    watched_s: float = 0.0
    ran_s: float = 0.0
    crashes: int = 0
    hangs: int = 0
    restarts: int = 0
    trouble: str = ""
    """The present problem that is still tolerated, as text; empty: all is well."""
    _last_s: float | None = None
    _counted: tuple[str, int] | None = None
    _excused: str | None = None
    """The run that ended for wrong settings."""
    _restarted: int | None = None
    """`ServiceState.restarts` at the last look."""
    _frames: tuple[str, int] = ("", 0)
    _queue: Queue = field(default_factory=Queue)
    _memory: Memory = field(default_factory=Memory)
    _borne_s: dict[Fault, float] = field(default_factory=dict)

    def look(self, look: Look) -> TrialVerdict | None:
        """Take one look into account; return the verdict, or None: not yet."""
        step_s = 0.0 if self._last_s is None else min(look.at_s - self._last_s, LONGEST_STEP_S)
        self._last_s = look.at_s
        if self._is_excused(look):
            self.trouble = "the settings are wrong for the former release too: tensormask check"
            return None
        verdict = self._ended(look.service)
        if verdict is not None or look.service.is_stopped:
            self.trouble = "" if verdict is not None else "the service is stopped"
            return verdict
        report = look.report if look.service.is_up else None
        self.trouble = ""
        for sign in (*self._silence(look), *([] if report is None else self._signs(look, report))):
            if sign.is_there:
                self.trouble = self.trouble or sign.text
            # None of its faults, but nothing is known to be well.
            if sign.fault is Fault.NO_BROKER and not look.broker_answers:
                continue
            if sign.fault is Fault.PAGE and look.settings_refused:
                continue
            if self._bears(sign, step_s):
                return TrialVerdict(False, sign.text, sign.fault)
        if report is None:
            return None
        self.ran_s += step_s
        if look.is_starved:
            self.trouble = self.trouble or "other programs take the processor"
        if not self.trouble:
            self.watched_s += step_s
        if self.watched_s >= self.window_s:
            return TrialVerdict(True, f"well for {self.watched_s:.0f} s")
        if self.ran_s >= GIVEN_UP * self.window_s:
            return TrialVerdict(
                True,
                f"no problem was seen, but not everything could be measured in {self.ran_s:.0f} s",
            )
        return None

    def _is_excused(self, look: Look) -> bool:
        """Return whether it has ended for settings that were wrong; they may be right by now."""
        service = look.service
        if service.has_ended and look.settings_refused:
            self._excused = service.invocation
        if not service.has_ended or service.invocation != self._excused:
            return False
        # Nor is the restart that follows of its doing.
        self._restarted = service.restarts + service.is_between
        self._borne_s.clear()
        return True

    def _ended(self, service: ServiceState) -> TrialVerdict | None:
        if service.active == "failed":
            reason = ENDINGS.get(service.status, f"it failed ({service.result}, {service.status})")
            return TrialVerdict(False, reason, Fault.ENDED)
        before = service.restarts if self._restarted is None else self._restarted
        self.restarts += max(0, service.restarts - before)
        self._restarted = service.restarts
        if self.restarts >= MOST_RESTARTS:
            reason = f"systemd has restarted it {self.restarts} times"
            return TrialVerdict(False, reason, Fault.RESTARTS)
        this = (service.invocation, service.restarts)
        if not service.is_between or this == self._counted or service.result == "success":
            return None
        self._counted = this
        how = f"{service.result}, {service.status}"
        if service.result in ("watchdog", "timeout"):
            self.hangs += 1
            if self.hangs >= MOST_HANGS:
                return TrialVerdict(
                    False, f"it hung {self.hangs} times ({service.result})", Fault.HANGS
                )
        elif service.result != "exit-code" or service.status not in CAMERA_LOST:
            self.crashes += 1
            if self.crashes >= MOST_CRASHES:
                return TrialVerdict(
                    False, f"it crashed {self.crashes} times ({how})", Fault.CRASHES
                )
        elif self.baseline.camera_runs:
            self.crashes += 1
            if self.crashes >= MOST_CRASHES:
                reason = f"it ended {self.crashes} times because of the camera, which ran before"
                return TrialVerdict(False, f"{reason} ({how})", Fault.CRASHES)
        return None

    def _silence(self, look: Look) -> Iterator[Sign]:
        """Return whether it runs at all, and says how it does."""
        is_up = look.service.is_up
        yield Sign(Fault.NOT_UP, not is_up, "it does not start", START_PATIENCE_S)
        text = "it runs, but its status file is missing, stale or cannot be read"
        yield Sign(Fault.MUTE, is_up and look.report is None, text)

    def _signs(self, look: Look, report: ServiceReport) -> Iterator[Sign]:
        """Return what is worse than before, or not, and how that is said."""
        before = self.baseline
        run, frames = self._frames
        stands = run == look.service.invocation and report.frames <= frames
        self._frames = (look.service.invocation, report.frames)
        yield Sign(
            Fault.NO_FRAMES,
            before.camera_runs and (not report.camera_runs or (stands and not report.is_held_back)),
            "no frames are judged, unlike before",
        )
        yield Sign(
            Fault.NO_BROKER,
            before.broker_connected and not report.broker_connected,
            "it does not reach the broker, unlike before",
        )
        yield Sign(
            Fault.STUCK,
            report.broker_connected and self._queue.is_stuck(look.at_s, report.oldest_s),
            f"a message has waited for {report.oldest_s or 0:.0f} s, and the broker is connected",
        )
        yield Sign(
            Fault.DISK,
            before.disk_takes and not report.disk_takes,
            "its outbox takes nothing, unlike before",
        )
        rate = self._memory.leak(look.service.invocation, look.at_s, report.rss_bytes)
        yield Sign(Fault.LEAKS, rate > 0, f"its memory grows by {rate / 1e6:.1f} MB/s", 0.0)
        if look.settings_changed:
            return
        text = "its page does not answer, unlike before"
        yield Sign(Fault.PAGE, before.page_answers and not look.page_answers, text)
        if not report.is_held_back and not look.is_starved:
            yield from self._slowness(report)

    def _slowness(self, report: ServiceReport) -> Iterator[Sign]:
        before = self.baseline
        scan, frame = (report.scan_ms, before.scan_ms), (report.frame_ms, before.frame_ms)
        yield Sign(
            Fault.SLOW,
            _is_above(*scan, SLOWER, SLOWER_MS),
            f"a scan takes {scan[0] or 0:.0f} ms, up from {scan[1] or 0:.0f} ms",
        )
        yield Sign(
            Fault.SLOW_FRAMES,
            _is_above(*frame, FRAME_SLOWER, FRAME_SLOWER_MS),
            f"one frame in twenty takes {frame[0] or 0:.0f} ms or longer, up from "
            f"{frame[1] or 0:.0f} ms",
        )
        judged, given = (report.fps, before.fps), (report.camera_fps, before.camera_fps)
        yield Sign(
            Fault.SLOW_CAMERA,
            _is_below(*given, FEWER),
            f"the camera gives {given[0] or 0:.1f} frames a second, down from {given[1] or 0:.1f}",
        )
        yield Sign(
            Fault.FEW_FRAMES,
            _is_below(*judged, FEWER),
            f"{judged[0] or 0:.1f} frames a second are judged, down from {judged[1] or 0:.1f}",
        )

    def _bears(self, sign: Sign, step_s: float) -> bool:
        """Count how long a fault lasts; tell whether that is too long."""
        if not sign.is_there:
            self._borne_s.pop(sign.fault, None)
            return False
        self._borne_s[sign.fault] = self._borne_s.get(sign.fault, 0.0) + step_s
        return self._borne_s[sign.fault] >= sign.patience_s


def _is_above(now: float | None, before: float | None, factor: float, more: float) -> bool:
    return now is not None and before is not None and now > factor * before + more


def _is_below(now: float | None, before: float | None, share: float) -> bool:
    return now is not None and before is not None and now < share * before
