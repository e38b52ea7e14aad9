"""The metrics: names, units, labels and what they mean; docs/metrics.md has each.

No label takes values without a bound, and none is about one person. What cannot be measured on a
machine has a family without a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from edge.conditions import conditions
from edge.conditions.running import RUNNING
from edge.daemon.metrics.cameras import camera_families
from edge.daemon.metrics.figures import Figures
from edge.host.health import BOUNDS_S, Distribution
from edge.publish.messages import DetectorIdentity, Origin, Versions
from edge.telemetry import CameraState, CameraView, Telemetry, ThrottlingFlag

PREFIX = "tensormask"


@dataclass(frozen=True, slots=True)
class Described:
    """What does not change while the program runs."""

    origin: Origin
    versions: Versions
    detector: DetectorIdentity


def families(identity: Described, figures: Figures) -> Iterator[Metric]:
    """Yield all metrics."""
    now = figures.telemetry
    yield from _identity(identity)
    yield from _life(figures)
    yield from _judging(figures)
    yield _conditions(now)
    yield from _camera(now)
    yield from camera_families(figures)
    yield from _outbox(now)
    yield from _broker(now)
    yield from _machine(now)
    yield from _software(figures)


def gauge(name: str, text: str, value: float | None) -> Metric:
    """Return one without labels; None: without a value."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text)
    if value is not None:
        family.add_metric((), value)
    return family


def counter(name: str, text: str, value: float) -> Metric:
    """Return one without labels; `_total` is added to its name."""
    return CounterMetricFamily(f"{PREFIX}_{name}", text, value)


def labeled(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    text: str,
    label: str,
    values: Mapping[str, float],
) -> Metric:
    """Return one with a label."""
    family = kind(f"{PREFIX}_{name}", text, labels=(label,))
    for each, value in values.items():
        family.add_metric((each,), value)
    return family


def one_of(every: Iterable[str], present: Iterable[str | None]) -> dict[str, float]:
    """Return 1 for each that is present, and 0 for the others: none is ever missing."""
    there = set(present)
    return {str(each): float(each in there) for each in every}


def _identity(identity: Described) -> Iterator[Metric]:
    origin, versions, detector = identity.origin, identity.versions, identity.detector
    yield InfoMetricFamily(
        f"{PREFIX}_device",
        "What the device is called, as in its settings.",
        {"device": origin.device_id, "site": origin.site, "zone": origin.zone},
    )
    yield InfoMetricFamily(
        f"{PREFIX}_build",
        "What runs on it.",
        {
            "version": versions.program,
            "release": versions.release or "",
            "python": versions.python,
            "opencv": versions.opencv,
            "runtime": versions.runtime,
            "model": origin.model.name,
            "model_version": origin.model.version,
            "detector": detector.name,
            "detector_version": detector.version or "",
        },
    )


def _life(figures: Figures) -> Iterator[Metric]:
    now = figures.telemetry
    yield gauge(
        "start_time_seconds",
        "When the program was started, in seconds since 1970.",
        figures.started_at_s,
    )
    yield gauge(
        "state_time_seconds",
        "When these figures were taken, in seconds since 1970: once a second, by the loop that "
        "judges.",
        None if now.at is None else now.at.timestamp(),
    )
    yield gauge(
        "pause_remaining_seconds",
        "How long judging is still paused; 0: it is not.",
        now.paused_for_s or 0.0,
    )


def _judging(figures: Figures) -> Iterator[Metric]:
    now = figures.telemetry
    yield counter("frames_judged", "Frames judged.", now.frames)
    yield counter(
        "frames_dropped",
        "Frames of the camera that were passed over, since a newer one was there.",
        now.dropped_frames,
    )
    yield gauge("judged_frames_per_second", "Frames judged a second, over the last 10 s.", now.fps)
    yield gauge(
        "work_allowed_ratio",
        "The share of its work that the device may do; below 1 it is held back by heat, power or "
        "memory.",
        now.pace.share,
    )
    yield _steps(figures.steps)
    yield counter(
        "watched_seconds", "How long somebody could have been seen.", round(figures.watched_s, 3)
    )
    yield _people(figures)
    alerts = {str(kind): count for kind, count in figures.alerts.items()}
    text = "Violations that were confirmed."
    yield labeled(CounterMetricFamily, "alerts", text, "kind", alerts)
    text = "The people by zone of the picture, where they were longest; empty: in none."
    yield _by_place("place_people", text, "verdict", figures.people_by_place)
    text = "The violations by zone of the picture, where they were confirmed; empty: in none."
    yield _by_place("place_alerts", text, "kind", figures.alerts_by_place)


def _people(figures: Figures) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}_people",
        "People who have left, by whether a mask was required of them, and what is known of them.",
        labels=("required", "verdict"),
    )
    for (is_required, verdict), count in figures.people.items():
        family.add_metric((str(is_required).lower(), str(verdict)), count)
    return family


def _by_place(name: str, text: str, label: str, counts: Mapping[str, Mapping[Any, int]]) -> Metric:
    """Return a counter by place, of which there are as many as zones; without zones it has no
    values."""
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=("place", label))
    for place, by_kind in counts.items():
        for kind, count in by_kind.items():
            family.add_metric((place, str(kind)), count)
    return family


def _steps(steps: Mapping[str, Distribution]) -> Metric:
    family = HistogramMetricFamily(
        f"{PREFIX}_step_duration_seconds",
        "How long each step of judging a frame took; total: all of them.",
        labels=("step",),
    )
    for step, took in steps.items():
        buckets, count = [], 0
        for bound, more in zip((*map(str, BOUNDS_S), "+Inf"), took.counts, strict=True):
            count += more
            buckets.append((bound, count))
        family.add_metric((step,), buckets, took.sum_s)
    return family


def _conditions(now: Telemetry) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}_condition",
        "1 for what is wrong now; docs/mqtt.md lists the codes. Each is always there.",
        labels=("code", "severity"),
    )
    found = {each.code for each in conditions(now)}
    for code, kind in RUNNING.items():
        family.add_metric((code, kind.severity), float(code in found))
    return family


def _camera(now: Telemetry) -> Iterator[Metric]:
    camera = now.camera
    states = one_of(CameraState, [camera.state])
    yield labeled(GaugeMetricFamily, "camera_state", "1 for how the camera does.", "state", states)
    views = one_of(CameraView, [camera.view])
    text = "1 for what the picture is good for; all are 0 while there is none."
    yield labeled(GaugeMetricFamily, "camera_view", text, "view", views)
    yield counter("camera_outages", "How often the camera was lost.", camera.outages)
    yield gauge(
        "camera_frames_per_second",
        "Frames a second that the camera gives, judged or not; nothing while it gives none.",
        camera.fps,
    )


def _outbox(now: Telemetry) -> Iterator[Metric]:
    outbox = now.outbox
    yield gauge("queued_messages", "Messages that wait for the broker.", outbox.rows)
    yield gauge(
        "queued_messages_in_memory",
        "Those of them that the disk has refused, and that a power cut would lose.",
        outbox.in_memory,
    )
    yield gauge("queued_bytes", "The size of the messages that are kept.", outbox.bytes)
    yield gauge(
        "queue_oldest_age_seconds",
        "How long the oldest of them waits; 0: none does.",
        outbox.oldest_age_s or 0.0,
    )
    yield counter(
        "messages_delivered", "Messages that the broker has acknowledged.", outbox.acknowledged
    )
    dropped = {reason: float(count) for reason, count in asdict(outbox.dropped).items()}
    text = "Messages dropped undelivered, since the queue was created, by the limit that was hit."
    yield labeled(CounterMetricFamily, "messages_dropped", text, "reason", dropped)
    yield gauge(
        "rejected_messages",
        "Messages that the broker has rejected, and that are kept.",
        outbox.refused,
    )
    yield gauge("quarantined_files", "Damaged files of the queue, kept aside.", outbox.set_aside)


def _broker(now: Telemetry) -> Iterator[Metric]:
    broker = now.broker
    yield gauge("broker_connected", "Whether the broker is connected.", float(broker.connected))
    yield counter("broker_reconnects", "Connections after the first.", broker.reconnects)


def _machine(now: Telemetry) -> Iterator[Metric]:
    vitals = now.vitals
    yield gauge(
        "cpu_temperature_celsius", "Of the processor, where it can be read.", vitals.temperature_c
    )
    flags = {} if vitals.throttling is None else one_of(ThrottlingFlag, vitals.throttling)
    text = "1 for what a Raspberry Pi's firmware reports; _occurred: since boot."
    yield labeled(GaugeMetricFamily, "throttling", text, "flag", flags)
    yield gauge("resident_memory_bytes", "Memory of the program that judges.", now.rss_bytes)
    yield gauge(
        "available_memory_bytes",
        "Memory that it may still take, where that can be read.",
        vitals.available_bytes,
    )
    yield gauge(
        "clock_synchronized",
        "Whether the wall clock is set from the network.",
        float(now.clock.is_synchronised),
    )
    yield counter("clock_steps", "How often the wall clock was set.", now.clock.steps)


def _software(figures: Figures) -> Iterator[Metric]:
    now = figures.telemetry
    ends = {_section(each.key): each.ends_at.timestamp() for each in now.certificates}
    text = "When each certificate of the device ends, in seconds since 1970, by its section."
    yield labeled(GaugeMetricFamily, "certificate_end_time_seconds", text, "section", ends)
    slots = figures.undone
    trial = one_of(slots, [None if now.trial is None else now.trial.slot])
    text = "1 for the kind of software that is on trial."
    yield labeled(GaugeMetricFamily, "on_trial", text, "slot", trial)
    undone = {str(slot): float(is_undone) for slot, is_undone in slots.items()}
    text = "1 where the last change of that software was undone, as it did worse."
    yield labeled(GaugeMetricFamily, "last_change_undone", text, "slot", undone)


def _section(key: str) -> str:
    """Return `page` of `[page] certificate_file /etc/…`."""
    return key.partition("]")[0].removeprefix("[")
