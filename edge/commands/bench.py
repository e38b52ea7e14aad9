"""`tensormask bench`: speed, processor time, memory and start, on a clip or on made scenes."""

from __future__ import annotations

import argparse

import msgspec

from edge.classify.card import load_bundle
from edge.commands.measure import BenchReport, bench, runs, without_cadence
from edge.commands.options import add_json, add_judging, judging, whole
from edge.commands.output import print_document
from edge.commands.parser import Parser
from edge.detect import detectors


def add_arguments(parser: Parser) -> None:
    parser.runs(
        run,
        "tensormask bench minute.mp4",
        "tensormask bench minute.mp4 --faces 0,1,4 --threads 1,2 --json",
    )
    parser.add_argument("source", metavar="CLIP|FOLDER")
    parser.add_argument(
        "--faces",
        type=_people,
        default=[],
        metavar="N,…",
        help="measure on scenes with this many people, whose faces are cut out of the source",
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=[(640, 480)],
        metavar="WxH,…",
        help="of these scenes (default 640x480)",
    )
    parser.add_argument(
        "--threads",
        type=_threads,
        default=[2],
        metavar="N,…",
        help="of detector and classifier (default 2)",
    )
    parser.add_argument("--frames", type=_count, default=300, help="of each (default 300)")
    parser.add_argument(
        "--every-frame", action="store_true", help="scan every frame and judge every face in it"
    )
    add_json(parser)
    add_judging(parser)


def run(options: argparse.Namespace) -> int:
    settings = judging(options, options.source)
    if options.every_frame:
        settings = without_cadence(settings)
    replace = msgspec.structs.replace
    chosen = [settings.detector]
    if settings.detector.name == "auto" and not settings.detector.model:
        chosen = [replace(settings.detector, name=known.name) for known in detectors.here()]
    configurations = runs(
        settings,
        load_bundle(settings.classifier.bundle),
        chosen,
        options.threads,
        options.sizes,
        options.faces,
    )
    report = bench(settings, configurations, options.frames)
    if options.json:
        print_document(report)
    else:
        print(report_lines(report))  # noqa: T201 - a command's output
    return 0


def _count(text: str) -> int:
    return whole(text, 1, 10_000_000)


def _people(text: str) -> list[int]:
    """Read `0,1,4`."""
    return [whole(number, 0, 1000) for number in text.split(",")]


def _threads(text: str) -> list[int]:
    """Read `1,2`."""
    return [whole(number, 1, 16) for number in text.split(",")]


def _sizes(text: str) -> list[tuple[int, int]]:
    """Read `640x480,1280x720`."""
    pairs = [size.partition("x") for size in text.split(",")]
    return [(whole(width, 64, 4608), whole(height, 64, 4608)) for width, _, height in pairs]


def report_lines(report: BenchReport) -> str:
    """Return the report for people."""
    lines = [
        "source               size       faces detector thr |  fps   p50 ms  p95 ms  CPU ms | "
        "scanned (full)  classified"
    ]
    for row in report.rows:
        total = row.latency_ms["total"]
        lines.append(
            f"{row.source[:20]:<20} {row.width_px:>4}x{row.height_px:<4} "
            f"{row.faces_found if row.faces is None else row.faces:>6} "
            f"{row.detector:<8} {row.threads:>3} | {row.fps:>6.1f} {total.p50:>7.2f} "
            f"{total.p95:>7.2f} {1000 * row.cpu_s_per_frame:>7.2f} | {100 * row.scanned:>5.1f} % "
            f"({100 * row.scanned_in_full:.1f} %) {row.looks_per_frame:>6.2f}"
        )
        steps = (
            f"{step} {latency.p50:.2f}/{latency.p95:.2f}"
            for step, latency in row.latency_ms.items()
            if step != "total"
        )
        lines.append(f"    ms p50/p95: {', '.join(steps)}")
    lines.append(
        f"the service: first frame judged {report.daemon.first_frame_s:.2f} s after the start, "
        f"peak memory {report.daemon.peak_rss_mb:.0f} MB"
    )
    return "\n".join(lines)
