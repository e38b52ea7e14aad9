"""The metrics of each of several cameras; with one camera they have no values."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edge.daemon.metrics.figures import Figures
from edge.telemetry import CameraState

PREFIX = "tensormask_each_camera"


def camera_families(figures: Figures) -> Iterator[Metric]:
    """Yield them; their label `camera` has at most as many values as the settings have cameras."""
    cameras = figures.telemetry.cameras
    running = GaugeMetricFamily(
        f"{PREFIX}_running", "1 for a camera that gives frames.", labels=("camera",)
    )
    rate = GaugeMetricFamily(
        f"{PREFIX}_judged_frames_per_second",
        "Frames of the camera that were judged a second, over the last 10 s.",
        labels=("camera",),
    )
    frames = CounterMetricFamily(
        f"{PREFIX}_frames_judged", "Frames of the camera that were judged.", labels=("camera",)
    )
    for each in cameras:
        running.add_metric((each.name,), float(each.status.state is CameraState.RUNNING))
        rate.add_metric((each.name,), each.fps)
        frames.add_metric((each.name,), each.frames)
    yield from (running, rate, frames)
    watched = CounterMetricFamily(
        f"{PREFIX}_watched_seconds",
        "How long somebody could have been seen by the camera.",
        labels=("camera",),
    )
    people = CounterMetricFamily(
        f"{PREFIX}_people",
        "People who have left its picture, by what is known of them.",
        labels=("camera", "verdict"),
    )
    alerts = CounterMetricFamily(
        f"{PREFIX}_alerts", "Violations that were confirmed there.", labels=("camera", "kind")
    )
    for name, counted in figures.by_camera.items():
        watched.add_metric((name,), round(counted.watched_s, 3))
        for verdict, count in counted.people.items():
            people.add_metric((name, str(verdict)), count)
        for kind, count in counted.alerts.items():
            alerts.add_metric((name, str(kind)), count)
    yield from (watched, people, alerts)
