"""What the running service says of itself, as far as a trial goes by it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.files import DamagedFileError, decoded, read_file
from edge.host.status_file import DIRECTORY, NAME
from edge.release.observed import ServiceReport
from edge.telemetry import SCAN, TOTAL, CameraState

MAX_BYTES = 64 * 1024
STALE_AFTER = 5
"""Readings: a service that hangs says the same over and over."""


class _Camera(msgspec.Struct):
    state: str
    fps: float | None = None


class _Report(msgspec.Struct):
    """One of several cameras."""

    status: _Camera


class _Broker(msgspec.Struct):
    connected: bool


class _Outbox(msgspec.Struct):
    is_refused: bool
    oldest_age_s: float | None = None


class _Pace(msgspec.Struct):
    max_fps: float | None


class _Latency(msgspec.Struct):
    p50: float
    p95: float


class _Telemetry(msgspec.Struct):
    """What is read of `edge.telemetry.Telemetry`. It may be another version's, which has more."""

    uptime_s: float
    frames: int
    camera: _Camera
    broker: _Broker
    outbox: _Outbox
    pace: _Pace
    latencies: dict[str, _Latency] = {}
    paused_for_s: float | None = None
    fps: float | None = None
    rss_bytes: int = 0
    cameras: tuple[_Report, ...] = ()

    @property
    def each_camera(self) -> tuple[_Camera, ...]:
        return tuple(each.status for each in self.cameras) or (self.camera,)

    @property
    def camera_fps(self) -> float | None:
        """What all cameras give, as far as they do; None: none does."""
        return sum(each.fps or 0.0 for each in self.each_camera) or None


class Reports:
    """Reads the service's status file repeatedly."""

    def __init__(self, path: Path = DIRECTORY / NAME) -> None:
        self._path = path
        self._uptime_s: float | None = None
        self._readings = 0
        """With this uptime."""

    def read(self) -> ServiceReport | None:
        """Return what it says; None: nothing, nothing that can be read, or nothing new."""
        try:
            said = decoded(read_file(self._path, MAX_BYTES), _Telemetry)
        except (OSError, DamagedFileError):
            return None
        self._readings = self._readings + 1 if said.uptime_s == self._uptime_s else 0
        self._uptime_s = said.uptime_s
        if self._readings >= STALE_AFTER:
            return None
        scan, total = said.latencies.get(SCAN), said.latencies.get(TOTAL)
        return ServiceReport(
            # One that is lost is no fault of a release that judges the others.
            camera_runs=any(each.state == CameraState.RUNNING for each in said.each_camera),
            broker_connected=said.broker.connected,
            disk_takes=not said.outbox.is_refused,
            frames=said.frames,
            is_held_back=said.pace.max_fps is not None or said.paused_for_s is not None,
            scan_ms=None if scan is None else scan.p50,
            frame_ms=None if total is None else total.p95,
            fps=said.fps,
            camera_fps=said.camera_fps,
            oldest_s=said.outbox.oldest_age_s,
            rss_bytes=said.rss_bytes,
        )
