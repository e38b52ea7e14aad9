"""Measuring the road, step by step, on a clip as it is or on scenes with any number of faces.

Only the road from detect to decide is timed: decoding and composing happen between two frames.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from edge.classify.card import Bundle
from edge.commands.progress import progress
from edge.commands.scene import MAX_PEOPLE, Size, clip_frames, cut_out_faces, scene_frames
from edge.config import DetectorSettings, Settings
from edge.decide.identity import EventIds
from edge.errors import ConfigError, TensorMaskError
from edge.host.health import Stopwatch
from edge.pipeline import STEPS, Pipeline, open_pipeline
from edge.records import Frame
from edge.telemetry import Latency

WARM_UP_FRAMES = 60
"""Two seconds of a scene: by then everybody in it is known."""
MOST_FRAMES = 4096
"""How many of the last ones count for the latencies."""
START_TIMEOUT_S = 60.0
POLL_S = 0.05


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration, measured."""

    source: str
    width_px: int
    height_px: int
    faces: int | None
    """In a scene; None: a clip as it is."""
    detector: str
    threads: int
    frames: int
    faces_found: float
    """In a scan, on average."""
    scanned: float
    """The share of frames that were scanned for faces, 0 to 1."""
    scanned_in_full: float
    """The share that were scanned in full size, close-ups among them."""
    looks_per_frame: float
    fps: float
    """Frames per second of the road from detect to decide."""
    cpu_s_per_frame: float
    latency_ms: dict[str, Latency]


class Daemon(msgspec.Struct, frozen=True, kw_only=True):
    """The whole service on the clip, without a broker."""

    first_frame_s: float
    """From the start of the process to the first frame that it has judged."""
    peak_rss_mb: float


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[Row]
    daemon: Daemon


@dataclass(slots=True)
class Meter:
    """Times one configuration; may be advanced in turns with another."""

    process: Callable[[Frame], object]
    frames: Iterator[Frame]
    stopwatch: Stopwatch
    count: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def reset(self) -> None:
        """Forget what was measured so far: the warming up."""
        self.count, self.wall_s, self.cpu_s = 0, 0.0, 0.0
        self.stopwatch.clear()

    def advance(self, frames: int) -> float:
        """Process this many more; return the seconds that it took."""
        before_s = self.wall_s
        for frame in itertools.islice(self.frames, frames):
            begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
            with self.stopwatch("total"):
                self.process(frame)
            self.cpu_s += time.process_time() - begun_cpu_s
            self.wall_s += time.perf_counter() - begun_s
            self.count += 1
        return self.wall_s - before_s


@dataclass(slots=True)
class Run:
    """A configuration of the pipeline under measurement."""

    settings: Settings
    bundle: Bundle
    frames: Callable[[], Iterator[Frame]]
    """Endless, and the same for everybody who asks."""
    size: Size
    faces: int | None
    found: int = 0
    pipeline: Pipeline = field(init=False)
    meter: Meter = field(init=False)
    _before: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        stopwatch = Stopwatch(STEPS, window=MOST_FRAMES)
        self.pipeline = open_pipeline(self.settings, self.bundle, EventIds(), stopwatch)
        self.meter = Meter(self._process, self.frames(), stopwatch)
        self.meter.advance(WARM_UP_FRAMES)
        self.meter.reset()
        self.found = 0
        self._before = self._counts()

    def _process(self, frame: Frame) -> None:
        self.found += len(self.pipeline.process(frame).sightings)

    def _counts(self) -> tuple[int, int, int]:
        detection = self.pipeline.detection
        in_full = detection.full_scans + detection.close_ups
        return detection.scans, in_full, self.pipeline.attention.looks

    def row(self) -> Row:
        pairs = zip(self._counts(), self._before, strict=True)
        scans, in_full, looks = (now - before for now, before in pairs)
        count = self.meter.count
        return Row(
            source=Path(self.settings.camera.source).name,
            width_px=self.size[0],
            height_px=self.size[1],
            faces=self.faces,
            detector=self.pipeline.detection.name,
            threads=self.settings.detector.threads,
            frames=count,
            faces_found=round(self.found / max(1, scans), 2),
            scanned=round(scans / count, 3),
            scanned_in_full=round(in_full / count, 3),
            looks_per_frame=round(looks / count, 3),
            fps=round(count / self.meter.wall_s, 1),
            cpu_s_per_frame=round(self.meter.cpu_s / count, 6),
            latency_ms=self.meter.stopwatch.latencies(),
        )


def without_cadence(settings: Settings) -> Settings:
    """Return the settings with which every frame is scanned in full and every face judged."""
    replace = msgspec.structs.replace
    return replace(
        settings,
        detector=replace(settings.detector, every_s=0.0, full_every_s=0.0, idle_every_s=0.0),
        classifier=replace(settings.classifier, recheck_s=0.0, looks_per_frame=1000),
    )


def runs(
    settings: Settings,
    bundle: Bundle,
    detectors: Sequence[DetectorSettings],
    threads: Sequence[int],
    sizes: Sequence[Size],
    faces: Sequence[int],
) -> Iterator[Run]:
    """Return every combination, each ready to be measured; without `faces`, the clip as it is.

    Raises ConfigError for more people than fit into a scene, PictureError for a clip without any.
    """
    if max(faces, default=0) > MAX_PEOPLE:
        raise ConfigError(f"--faces: a scene has room for {MAX_PEOPLE} people")
    replace = msgspec.structs.replace
    cutouts = cut_out_faces(settings, detectors[0]) if any(faces) else []
    for detector, count in itertools.product(detectors, threads):
        chosen = replace(
            settings,
            detector=replace(detector, threads=count),
            classifier=replace(settings.classifier, threads=count),
        )
        if not faces:
            first = next(clip_frames(settings))
            frames = partial(clip_frames, settings)
            yield Run(chosen, bundle, frames, (first.width, first.height), None)
        for size, people in itertools.product(sizes, faces):
            yield Run(chosen, bundle, partial(scene_frames, cutouts, people, size), size, people)


def bench(settings: Settings, configurations: Iterator[Run], frames: int) -> BenchReport:
    """Measure each configuration on this many frames; then the whole service, with `settings`."""
    rows = []
    for run in configurations:
        chosen = run.settings.detector
        text = f"{chosen.name}, {chosen.threads} threads"
        for _ in progress(range(frames), text, frames, " frames"):
            run.meter.advance(1)
        rows.append(run.row())
    return BenchReport(rows=rows, daemon=measure_daemon(settings))


def measure_daemon(settings: Settings) -> Daemon:
    """Run the service on the clip, once, as fast as it can, and look at it from outside.

    It tells systemd's watchdog that it lives for the first time when the first frame is judged.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices,
        socket.socket() as nobody,
    ):
        notices.bind(f"{folder}/notify")
        notices.settimeout(START_TIMEOUT_S)
        # Bound, but not listening: a broker that is away.
        nobody.bind(("127.0.0.1", 0))
        config = Path(folder, "tensormask.toml")
        config.write_text(_daemon_config(settings, nobody.getsockname()[1], folder))
        environment = {
            **os.environ,
            # Not the installed service's, where nobody else may write, and root does not run.
            "STATE_DIRECTORY": folder,
            "NOTIFY_SOCKET": f"{folder}/notify",
            "WATCHDOG_USEC": "60000000",
            # An installed program is not among its Python's packages.
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        environment.pop("WATCHDOG_PID", None)
        begun_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(config)],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            first_frame_s = _ready_s(notices) - begun_s
            peak_mb = 0.0
            notices.settimeout(POLL_S)
            while process.poll() is None:
                peak_mb = max(peak_mb, peak_rss_mb(process.pid))
                with contextlib.suppress(TimeoutError):
                    notices.recv(4096)
        finally:
            process.kill()
            process.wait()
    return Daemon(first_frame_s=round(first_frame_s, 2), peak_rss_mb=round(peak_mb, 1))


def _ready_s(notices: socket.socket) -> float:
    """Wait until the service is ready; return when that was."""
    try:
        while b"READY=1" not in notices.recv(4096):
            pass
    except TimeoutError as error:
        raise TensorMaskError(
            f"the service judged no frame within {START_TIMEOUT_S:.0f} s; see what "
            "`tensormask check` says"
        ) from error
    return time.perf_counter()


def peak_rss_mb(pid: int) -> float:
    """Return what the kernel calls VmHWM; 0 for a process that has just ended.

    The figure of wait4(2) would not do: it counts what the parent occupied when it forked.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) / 1024 if sizes else 0.0


def _daemon_config(settings: Settings, port: int, folder: str) -> str:
    detector, classifier = settings.detector, settings.classifier
    quoted = msgspec.json.encode
    return (
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        f"[camera]\nsource = {quoted(settings.camera.source).decode()}\nrealtime = false\n"
        f'[detector]\nname = "{detector.name}"\nmodel = {quoted(detector.model).decode()}\n'
        f"threads = {detector.threads}\n"
        f"[classifier]\nbundle = {quoted(classifier.bundle).decode()}\n"
        f"[outbox]\npath = {quoted(folder + '/outbox.sqlite').decode()}\n"
    )
