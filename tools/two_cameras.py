"""What a second camera brings and costs: frames judged a second, processor and memory.

    python -m tools.two_cameras [SECONDS] [TURNS]

The same drawn people before each camera, a clip that is repeated.

`as fast as possible`: every frame, one after the other, each network with one thread. One camera is
held to one core and two cameras to two, so each has as much as the other. Two programs with a
camera and a core each share nothing but the machine: two cameras of one program can judge no more.
`live`: 15 frames a second, with the settings' own threads, on all cores.

All take turns of SECONDS each, and only what was measured in the same turn is compared; the table
has the medians. `others` is what other programs took of the cores meanwhile: with more than a few
percent the machine is not quiet. `per core` is what a whole core would have judged, by the
processor time that was had: it shows what two cameras cost each other where others took the rest.
"""

# A measurement speaks on standard output.
# ruff: noqa: T201

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.people import frames
from edge.telemetry import Telemetry
from tests.edge.capture.fakes import write_clip
from tools.fleet.simulation import cpu_s, rss_mb

FPS = 15
TURNS = 5
SETTLE_S = 5.0
LEAST_S, LONGEST_S = 0.2, 60.0
FAST = "[detector]\nthreads = 1\nplan = 'usual'\n[classifier]\nthreads = 1\n"
LIVE = "[detector]\nplan = 'usual'\n"
IDLE = (3, 4)
"""Of the times of a core in /proc/stat: idle, and idle while a disk is awaited."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured."""

    name: str
    sections: str
    keys: str
    """Of each camera's section."""
    cores: int
    cameras: int
    """Of one program."""
    programs: int = 1
    """Each has its share of the cores for itself."""


def setups(cores: int) -> dict[str, Setup]:
    """Return what takes turns; `cores` is how many the machine has."""
    fast = (FAST, "realtime = false\nloop = true\n")
    live = (LIVE, "loop = true\n")
    return {
        each.name: each
        for each in (
            Setup("as fast as possible, 1", *fast, cores=1, cameras=1),
            Setup("as fast as possible, 2", *fast, cores=2, cameras=2),
            Setup("the same, 2 programs", *fast, cores=2, cameras=1, programs=2),
            Setup("live, 1", *live, cores=cores, cameras=1),
            Setup("live, 2", *live, cores=cores, cameras=2),
        )
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
    others: float
    """What other programs took of each of these cores, in %."""

    @property
    def per_core(self) -> float:
        """Frames judged in a second of processor time."""
        return 100 * self.fps / self.share


@contextlib.contextmanager
def running(folder: Path, clip: Path, setup: Setup, cores: set[int]) -> Iterator[int]:
    """Run the program on these cores until the end of the block; its process id."""
    folder.mkdir(parents=True)
    settings = folder / "tensormask.toml"
    several = "".join(
        f'[[camera]]\nname = "c{number}"\nsource = "{clip}"\n{setup.keys}'
        for number in range(setup.cameras)
    )
    settings.write_text(
        f'[mqtt]\nhost = "127.0.0.1"\nport = 9\n[outbox]\npath = "{folder}/outbox.sqlite"\n'
        f"{setup.sections}{several}"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", str(settings)],
        env=os.environ | {"RUNTIME_DIRECTORY": str(folder)},
        stderr=subprocess.DEVNULL,
    )
    try:
        # Before it has threads: those inherit it.
        os.sched_setaffinity(process.pid, cores)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def measured(folder: Path, clip: Path, setup: Setup, seconds: float) -> CameraCost:
    """Run the programs for so long."""
    cores = sorted(os.sched_getaffinity(0))[: setup.cores]
    parts = [set(cores[number :: setup.programs]) for number in range(setup.programs)]
    folders = [folder / str(number) for number in range(setup.programs)]
    with contextlib.ExitStack() as programs:
        ids = [
            programs.enter_context(running(place, clip, setup, part))
            for place, part in zip(folders, parts, strict=True)
        ]
        for place in folders:
            _read(place)
        time.sleep(SETTLE_S)
        before, before_s, busy_s, begun_s = _all(folders), _cpu_s(ids), _busy_s(cores), _now_s()
        time.sleep(seconds)
        after, own_s = _all(folders), _cpu_s(ids) - before_s
        passed_s, all_s = _now_s() - begun_s, _busy_s(cores) - busy_s
        each = [
            (now.of(name).frames - then.of(name).frames) / (now.uptime_s - then.uptime_s)
            for then, now in zip(before, after, strict=True)
            for name, _ in now.each_camera
        ]
        return CameraCost(
            sum(each),
            100 * own_s / passed_s,
            sum(map(rss_mb, ids)),
            len(each) * min(each) / sum(each),
            100 * max(0.0, all_s - own_s) / passed_s / len(cores),
        )


def _now_s() -> float:
    return time.monotonic()


def _cpu_s(ids: Sequence[int]) -> float:
    return sum(map(cpu_s, ids))


def _busy_s(cores: Sequence[int]) -> float:
    """Return how long these cores have been busy, with whatever, since the start of the machine."""
    rows = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    times = {row[0]: [int(each) for each in row[1:9]] for row in rows if row[0].startswith("cpu")}
    ticks = sum(
        ticks
        for core in cores
        for number, ticks in enumerate(times[f"cpu{core}"])
        if number not in IDLE
    )
    return ticks / os.sysconf("SC_CLK_TCK")


def _all(folders: Sequence[Path]) -> list[Telemetry]:
    return [_read(each) for each in folders]


def _read(folder: Path) -> Telemetry:
    """Return what a program says of itself, as soon as all its cameras give frames."""
    until_s = _now_s() + LONGEST_S
    while _now_s() < until_s:
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


def ratio(found: dict[str, list[CameraCost]], one: str, other: str, field: str) -> str:
    """Return how many times as much the other was in the same turn: median, least and most."""
    ratios = [
        getattr(second, field) / getattr(first, field)
        for first, second in zip(found[one], found[other], strict=True)
    ]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else TURNS
    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        print("two cameras as fast as possible need two cores; this machine has one")
        return 1
    found: dict[str, list[CameraCost]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = write_clip(folder / "people.avi", [*frames(4 * FPS, FPS)], FPS)
        for turn in range(turns):
            for number, setup in enumerate(setups(cores).values()):
                cost = measured(folder / f"{turn}-{number}", clip, setup, seconds)
                found.setdefault(setup.name, []).append(cost)
    heads = ("judged/s", "% of a core", "per core", "MB", "evenness", "others %")
    print(f"{'cameras':24}" + "".join(f"{each:>13}" for each in heads))
    for each, costs in found.items():
        fps, share, per_core, memory, least, others = (
            statistics.median(getattr(cost, field) for cost in costs)
            for field in ("fps", "share", "per_core", "memory_mb", "least", "others")
        )
        print(
            f"{each:24}{fps:13.1f}{share:13.0f}{per_core:13.1f}{memory:13.0f}{least:13.2f}"
            f"{others:13.0f}"
        )
    one, two, apart, live, both = found
    print("times as much as one camera on one core, median (least to most):")
    for field, name in (
        ("fps", "frames"),
        ("per_core", "frames per core"),
        ("memory_mb", "memory"),
    ):
        of_two, of_apart = (ratio(found, one, each, field) for each in (two, apart))
        print(f"{name:16} two cameras on two cores {of_two}, two programs {of_apart}")
    fps, memory = (ratio(found, live, both, field) for field in ("fps", "memory_mb"))
    print(f"{'live':16} frames {fps}, memory {memory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
