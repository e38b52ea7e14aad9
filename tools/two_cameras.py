"""What a second camera brings and costs: frames judged a second, processor and memory.

    python -m tools.two_cameras [SECONDS]

The same drawn people before each camera, a clip that is repeated. `as fast as possible`: every
frame, one after the other, with one thread of each network for each camera, so that a second camera
needs a second core. `live`: 15 frames a second, with the settings' own threads. One and two cameras
take turns of SECONDS each; the rows of one run may be compared with one another.
"""

# A measurement speaks on standard output.
# ruff: noqa: T201

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.people import frames
from edge.telemetry import Telemetry
from tests.edge.capture.fakes import write_clip
from tools.fleet.simulation import cpu_s, rss_mb

FPS = 15
TURNS = 3
SETTLE_S = 5.0
LEAST_S, LONGEST_S = 0.2, 60.0
ONE_THREAD = "[detector]\nthreads = 1\nplan = 'usual'\n[classifier]\nthreads = 1\n"
ROWS = {
    "as fast as possible": (ONE_THREAD, "realtime = false\nloop = true\n"),
    "live": ("[detector]\nplan = 'usual'\n", "loop = true\n"),
}


@dataclass(frozen=True, slots=True)
class CameraCost:
    """Of one turn."""

    fps: float
    """Judged by all cameras together."""
    share: float
    """Of one core, in %."""
    memory_mb: float
    least: float
    """The part of the frames that the slowest camera has had, of an even part; 1: all had the
    same."""


def measured(folder: Path, clip: Path, cameras: int, row: str, seconds: float) -> CameraCost:
    """Run the program with so many cameras for so long."""
    sections, keys = ROWS[row]
    folder.mkdir()
    settings = folder / "tensormask.toml"
    several = "".join(
        f'[[camera]]\nname = "c{number}"\nsource = "{clip}"\n{keys}' for number in range(cameras)
    )
    settings.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = 9\n[outbox]\npath = "{folder}/outbox.sqlite"\n'
        f"{sections}{several}"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", str(settings)],
        env=os.environ | {"RUNTIME_DIRECTORY": str(folder)},
        stderr=subprocess.DEVNULL,
    )
    try:
        _read(folder)
        time.sleep(SETTLE_S)
        before, before_s, begun_s = _read(folder), cpu_s(process.pid), time.monotonic()
        time.sleep(seconds)
        after, passed_s = _read(folder), time.monotonic() - begun_s
        elapsed_s = after.uptime_s - before.uptime_s
        each = [
            (after.of(name).frames - before.of(name).frames) / elapsed_s
            for name, _ in after.each_camera
        ]
        return CameraCost(
            sum(each),
            100 * (cpu_s(process.pid) - before_s) / passed_s,
            rss_mb(process.pid),
            len(each) * min(each) / sum(each),
        )
    finally:
        process.terminate()
        process.wait()


def _read(folder: Path) -> Telemetry:
    """Return what the program says of itself, as soon as all cameras give frames."""
    until_s = time.monotonic() + LONGEST_S
    while time.monotonic() < until_s:
        try:
            content = (folder / "telemetry.json").read_bytes()
            now = msgspec.json.decode(content, type=Telemetry)
        except FileNotFoundError:
            time.sleep(LEAST_S)
            continue
        if all(now.of(name).frames for name, _ in now.each_camera):
            return now
        time.sleep(LEAST_S)
    raise TimeoutError("the program judges no frames")


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    found: dict[tuple[str, int], list[CameraCost]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = write_clip(folder / "people.avi", [*frames(4 * FPS, FPS)], FPS)
        for turn in range(TURNS):
            for row in ROWS:
                for cameras in (1, 2):
                    place = folder / f"{turn}-{row.replace(' ', '-')}-{cameras}"
                    cost = measured(place, clip, cameras, row, seconds)
                    found.setdefault((row, cameras), []).append(cost)
    print(f"{'':22}{'cameras':>8}{'judged/s':>10}{'% of a core':>13}{'MB':>7}{'evenness':>10}")
    for (row, cameras), costs in found.items():
        fps, share, memory, least = (
            statistics.median(getattr(each, field) for each in costs)
            for field in ("fps", "share", "memory_mb", "least")
        )
        print(f"{row:22}{cameras:8d}{fps:10.1f}{share:13.0f}{memory:7.0f}{least:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
