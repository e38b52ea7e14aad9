"""What a trial is judged by: what systemd, the service and what is around it say."""

from __future__ import annotations

from dataclasses import dataclass

from edge.release.ledger import Baseline


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
    pid: int = 0
    """Of its first process; 0: it has none."""
    has_job: bool = False
    """Systemd is about to start or stop it."""

    @property
    def is_up(self) -> bool:
        return self.active == "active"

    @property
    def is_between(self) -> bool:
        """It has ended, and systemd is about to restart it."""
        return self.sub.startswith("auto-restart")

    @property
    def is_changing(self) -> bool:
        """It is being started, stopped or restarted."""
        return (self.has_job or self.active.endswith("ing")) and not self.is_between

    @property
    def has_ended(self) -> bool:
        return self.active == "failed" or self.is_between

    @property
    def is_stopped(self) -> bool:
        """Somebody wanted it so."""
        return self.active in ("inactive", "deactivating") and not self.is_between


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What the service says of itself."""

    camera_runs: bool
    broker_connected: bool
    disk_takes: bool
    frames: int
    """Judged since its start."""
    is_held_back: bool
    """Paused, or judging fewer frames for heat, power or memory."""
    scan_ms: float | None
    """The median of `scan`, what the detector takes for a picture of full size; None: not known."""
    frame_ms: float | None = None
    """The 95th percentile of `total`, all steps for a frame: most frames are not scanned."""
    fps: float | None = None
    """Frames judged a second, lately."""
    camera_fps: float | None = None
    """Frames a second that the camera gives; None: none."""
    oldest_s: float | None = None
    """The age of the oldest message that waits for the broker; None: none waits."""
    rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment."""

    at_s: float
    """Monotonic."""
    service: ServiceState
    report: ServiceReport | None
    """None: it says nothing now that can be read."""
    broker_answers: bool = True
    """Somebody listens at the broker's address. What cannot be reached by anybody is no fault."""
    page_answers: bool = True
    is_starved: bool = False
    """Other programs leave it too little of the processor."""
    settings_changed: bool = False
    """Since before the switch: how fast it was then says nothing."""
    settings_refused: bool = False
    """By the former release too."""


def baseline_of(
    report: ServiceReport | None, *, page_answers: bool = False, settings: str = ""
) -> Baseline:
    """Return how the device is now, before a switch; of one that says nothing, nothing is known."""
    if report is None:
        return Baseline(page_answers=page_answers, settings=settings)
    return Baseline(
        report.camera_runs,
        report.broker_connected,
        report.disk_takes,
        report.scan_ms,
        report.frame_ms,
        report.fps,
        report.camera_fps,
        page_answers,
        settings,
    )
