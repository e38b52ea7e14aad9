"""`make bench`: the pipeline and the prototype's own steps, in turns in one process.

A busy or hot machine slows both, so the result is how many times one is as fast as the other: the
median over several turns, with the range seen.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from edge.classify.card import load_bundle
from edge.commands.measure import Meter, Run, measure_daemon, peak_rss_mb, runs
from edge.commands.scene import Size
from edge.config import CameraSettings, DetectorSettings, MqttSettings, Settings
from edge.detect.detectors import here
from edge.host.health import Stopwatch
from edge.pipeline import STEPS
from tools.bench.baseline import Prototype, limit_threads

# ruff: noqa: T201 - a command line


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The pipeline beside the prototype on the same frames."""

    source: str
    size: Size
    faces: int | None
    detector: str
    threads: int
    fps: float
    baseline_fps: float
    times_as_fast: float
    """Median over the turns."""
    at_least: float
    at_most: float
    cpu_ms: float
    baseline_cpu_ms: float
    p95_ms: float
    baseline_p95_ms: float
    faces_found: float
    baseline_faces_found: float
    scanned: float
    looks_per_frame: float
    baseline_steps_p50_ms: dict[str, float]
    steps_p95_ms: dict[str, float]


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The whole process, from outside."""

    detector: str
    first_frame_s: float
    baseline_first_frame_s: float
    peak_rss_mb: float
    baseline_peak_rss_mb: float


def compare(
    run: Run, prototype: Prototype, stopwatch: Stopwatch, options: argparse.Namespace
) -> Comparison:
    theirs = Meter(prototype.process, run.frames(), stopwatch)
    theirs.advance(2)
    theirs.reset()
    prototype.found = 0
    ratios = []
    for _ in range(options.turns):
        ours_s = run.meter.advance(options.frames) / options.frames
        theirs_s = theirs.advance(options.baseline_frames) / options.baseline_frames
        ratios.append(theirs_s / ours_s)
    row, latencies = run.row(), stopwatch.latencies()
    return Comparison(
        source=row.source,
        size=(row.width_px, row.height_px),
        faces=row.faces,
        detector=row.detector,
        threads=row.threads,
        fps=row.fps,
        baseline_fps=round(theirs.count / theirs.wall_s, 2),
        times_as_fast=round(statistics.median(ratios), 1),
        at_least=round(min(ratios), 1),
        at_most=round(max(ratios), 1),
        cpu_ms=round(1000 * row.cpu_s_per_frame, 2),
        baseline_cpu_ms=round(1000 * theirs.cpu_s / theirs.count, 1),
        p95_ms=row.latency_ms["total"].p95,
        baseline_p95_ms=latencies["total"].p95,
        faces_found=row.faces_found,
        baseline_faces_found=round(prototype.found / theirs.count, 2),
        scanned=row.scanned,
        looks_per_frame=row.looks_per_frame,
        baseline_steps_p50_ms={step: round(each.p50, 1) for step, each in latencies.items()},
        steps_p95_ms={step: round(each.p95, 2) for step, each in row.latency_ms.items()},
    )


def baseline_start(clip: str, threads: int) -> tuple[float, float]:
    """Return the seconds to the prototype's first frame, and its peak memory in MB."""
    begun_s = time.perf_counter()
    command = [sys.executable, "-m", "tools.bench.baseline", clip, str(threads)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first_frame_s = time.perf_counter() - begun_s
        peak_mb = 0.0
        while process.stdout.readline():
            peak_mb = max(peak_mb, peak_rss_mb(process.pid))
    return first_frame_s, peak_mb


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="scenes use faces of the first")
    parser.add_argument("--yunet", default="", metavar="FILE", help="its weights")
    parser.add_argument("--detectors", nargs="+", help="default: those that are here")
    parser.add_argument("--faces", nargs="*", type=int, default=[0, 1, 4, 10])
    parser.add_argument("--sizes", nargs="+", default=["640x480", "1280x720"])
    parser.add_argument("--threads", nargs="+", type=int, default=[2])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--frames", type=int, default=120, help="of the pipeline in a turn")
    parser.add_argument("--baseline-frames", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    limit_threads(max(options.threads))
    stopwatch = Stopwatch(STEPS)
    prototype = Prototype(stopwatch)
    bundle = load_bundle()
    sizes = [(int(w), int(h)) for w, h in (size.split("x") for size in options.sizes)]
    names = options.detectors or [
        *(["yunet"] if options.yunet else []),
        *(known.name for known in here()),
    ]
    detectors = [
        DetectorSettings(name=name, model=options.yunet if name == "yunet" else "")
        for name in dict.fromkeys(names)
    ]
    comparisons = []
    print(
        "source             size      faces detector thr |    fps  baseline | times as fast"
        "         | CPU ms  baseline | p95 ms  baseline"
    )
    for clip in options.clips:
        camera = CameraSettings(source=clip, realtime=False)
        settings = Settings(mqtt=MqttSettings(host="nobody"), camera=camera)
        people = [[]] if clip != options.clips[0] or not options.faces else [[], options.faces]
        for faces in people:
            for run in runs(settings, bundle, detectors, options.threads, sizes, faces):
                comparisons.append(compare(run, prototype, stopwatch, options))
                print(line(comparisons[-1]), flush=True)
    first = CameraSettings(source=options.clips[0], realtime=False)
    first_frame_s, peak_mb = baseline_start(options.clips[0], max(options.threads))
    starts = []
    for detector in detectors:
        daemon = measure_daemon(
            Settings(mqtt=MqttSettings(host="nobody"), camera=first, detector=detector)
        )
        starts.append(
            Start(
                detector=detector.name,
                first_frame_s=daemon.first_frame_s,
                baseline_first_frame_s=round(first_frame_s, 2),
                peak_rss_mb=daemon.peak_rss_mb,
                baseline_peak_rss_mb=round(peak_mb, 1),
            )
        )
        print(
            f"{detector.name}: first frame after {daemon.first_frame_s:.2f} s "
            f"(baseline {first_frame_s:.2f} s, {first_frame_s / daemon.first_frame_s:.1f} times), "
            f"peak memory {daemon.peak_rss_mb:.0f} MB "
            f"(baseline {peak_mb:.0f} MB, {peak_mb / daemon.peak_rss_mb:.1f} times)"
        )
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode((comparisons, starts))))


def line(each: Comparison) -> str:
    faces = each.faces_found if each.faces is None else each.faces
    width, height = each.size
    return (
        f"{each.source[:18]:<18} {width:>4}x{height:<4} {faces:>5} {each.detector:<8} "
        f"{each.threads:>3} | {each.fps:>6.1f} {each.baseline_fps:>9.2f} | "
        f"{each.times_as_fast:>6.1f} ({each.at_least:.1f} to {each.at_most:.1f}) | "
        f"{each.cpu_ms:>6.2f} {each.baseline_cpu_ms:>9.1f} | {each.p95_ms:>6.1f} "
        f"{each.baseline_p95_ms:>9.1f}"
    )


if __name__ == "__main__":
    main()
