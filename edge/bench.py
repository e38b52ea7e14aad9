"""Measuring the road, step by step, on frames that are decoded beforehand."""

from __future__ import annotations

import itertools
import resource
import time
from datetime import timedelta

import msgspec

from edge.capture import open_source
from edge.config import Settings
from edge.errors import PictureError
from edge.identity import EventIds
from edge.messages import Latency
from edge.model import Bundle
from edge.pipeline import open_pipeline
from edge.records import Frame
from edge.service import Stopwatch

MAX_DECODED_BYTES = 512 * 1024 * 1024
WARM_UP_FRAMES = 10


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured."""

    frames: int
    width_px: int
    height_px: int
    detector: str
    threads: int
    faces_per_frame: float
    fps: float
    """Frames per second of the road from detect to decide; decoding is left out."""
    cpu_s_per_frame: float
    latency_ms: dict[str, Latency]
    peak_rss_mb: float


def bench(settings: Settings, bundle: Bundle, frames: int, threads: int) -> BenchReport:
    """Judge `frames` frames of the source, over and over if it has fewer."""
    settings = msgspec.structs.replace(
        settings,
        detector=msgspec.structs.replace(settings.detector, threads=threads),
        classifier=msgspec.structs.replace(settings.classifier, threads=threads),
    )
    decoded = _decode(settings, frames)
    stopwatch = Stopwatch()
    pipeline = open_pipeline(settings, bundle, EventIds(), stopwatch)
    lap_s = decoded[-1].monotonic_s - decoded[0].monotonic_s + 1 / settings.camera.fps
    endless = (_later(frame, lap * lap_s) for lap in itertools.count() for frame in decoded)
    for frame in itertools.islice(endless, WARM_UP_FRAMES):
        pipeline.process(frame)
    stopwatch.latencies.take()
    faces = 0
    scans_before = pipeline.detection.scans
    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    for frame in itertools.islice(endless, frames):
        with stopwatch("total"):
            faces += len(pipeline.process(frame).sightings)
    taken_s, taken_cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    return BenchReport(
        frames=frames,
        width_px=decoded[0].width,
        height_px=decoded[0].height,
        detector=pipeline.detection.name,
        threads=threads,
        faces_per_frame=round(faces / max(1, pipeline.detection.scans - scans_before), 2),
        fps=round(frames / taken_s, 1),
        cpu_s_per_frame=round(taken_cpu_s / frames, 5),
        latency_ms=stopwatch.latencies.take(),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def _decode(settings: Settings, most: int) -> list[Frame]:
    source = open_source(settings.camera)
    frames: list[Frame] = []
    room = MAX_DECODED_BYTES
    while len(frames) < most and room > 0 and (frame := source.read()) is not None:
        frames.append(frame)
        room -= frame.pixels.nbytes
    source.close()
    if not frames:
        raise PictureError(f"{settings.camera.source}: it has no frames")
    return frames


def _later(frame: Frame, by_s: float) -> Frame:
    moment = frame.captured_at + timedelta(seconds=by_s)
    return Frame(frame.number, frame.pixels, moment, frame.monotonic_s + by_s, frame.lores)


def report_lines(report: BenchReport) -> str:
    """Return the report for eyes."""
    lines = [
        f"{report.frames} frames of {report.width_px} x {report.height_px}, "
        f"{report.faces_per_frame} faces each; {report.detector}, {report.threads} threads",
        f"{report.fps} frames per second, {1000 * report.cpu_s_per_frame:.1f} ms of processor time "
        f"each, peak memory {report.peak_rss_mb} MB",
    ]
    lines += [
        f"  {step:<9} p50 {latency.p50:7.2f} ms   p95 {latency.p95:7.2f} ms"
        for step, latency in report.latency_ms.items()
    ]
    return "\n".join(lines)
