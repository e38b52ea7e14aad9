"""Values of the edge that several tests begin with."""

from __future__ import annotations

from edge.software import InUse
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    CameraView,
    ClockState,
    Latency,
    OutboxState,
    Pace,
    Telemetry,
    Vitals,
)

IN_USE = InUse(
    device_id="door-1",
    site="Museum",
    zone="north entrance",
    source="/dev/video0",
    broker="broker.example:1883",
    settings="/etc/tensormask/tensormask.toml",
    settings_written_ns=1,
)
TELEMETRY = Telemetry(
    uptime_s=12.5,
    frames=180,
    fps=15.0,
    latencies={"scan": Latency(31.5, 40.0), "total": Latency(0.2, 60.0)},
    dropped_frames=0,
    camera=CameraStatus(CameraState.RUNNING, 0, CameraView.CLEAR, 15.0, False),
    outbox=OutboxState(),
    broker=BrokerState(True, 0, "MQTT 5"),
    vitals=Vitals(),
    rss_bytes=1,
    pace=Pace(),
    clock=ClockState(0, None),
    paused_for_s=None,
)
"""A device that does well."""
