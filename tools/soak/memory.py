"""`make memory`: does the daemon grow? The real one, on frames with people who come and go.

Its own health messages say how many frames it has judged and how much memory it takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np

from edge.publish.messages import HEALTH, HealthMessage
from tests.clips import carphone
from tools.soak import scene
from tools.soak.broker import SoakBroker, SoakSubscriber
from tools.soak.rig import (
    Cable,
    SoakDevice,
    empty_folder,
    move_into_namespaces,
    wait_until,
)

# ruff: noqa: T201 - a command line

LIMIT_MB = 1.0
"""For every 10,000 frames, after the warming up."""
_WARM_UP = 0.2
_FPS = 120
_SIZE = (320, 240)
_SETTINGS = '[camera]\nsource = "{clip}"\nrealtime = false\nloop = true\n[health]\ninterval_s = 1\n'
_FRAMES_WITHIN_S = 0.1
_PROGRESS = 60
"""Samples, of which there is one a second, to a line."""


@dataclass(frozen=True, slots=True)
class Sample:
    frames: int
    rss_mb: float


def slope_mb(samples: list[Sample]) -> float:
    """Return the growth in MB for every 10,000 frames: the line of least squares."""
    slope, _ = np.polyfit([s.frames / 10_000 for s in samples], [s.rss_mb for s in samples], 1)
    return float(slope)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make memory", description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path("build/memory"), help="for the logs")
    options = parser.parse_args()
    move_into_namespaces("tools.soak.memory", sys.argv[1:])
    folder = empty_folder(options.folder)
    clip = write_clip(folder / "clip.avi")
    network = Cable()
    broker = SoakBroker(folder)
    subscriber = SoakSubscriber(HEALTH)
    state = folder / "state"
    state.mkdir()
    device = SoakDevice(folder, network, state, _SETTINGS.format(clip=clip))
    begun_s = time.monotonic()
    device.start()
    samples: list[Sample] = []

    def has_judged_all() -> bool:
        subscriber.acknowledge()
        while subscriber.received:
            health = msgspec.json.decode(subscriber.received.pop(0), type=HealthMessage)
            samples.append(Sample(health.frames, health.rss_bytes / 1e6))
            if len(samples) % _PROGRESS == 0:
                print(f"{health.frames:>7} frames  {samples[-1].rss_mb:6.1f} MB", flush=True)
        device.supervise()
        return bool(samples) and samples[-1].frames >= options.frames

    wait_until(has_judged_all, "the frames", _FRAMES_WITHIN_S * options.frames)
    took_s = time.monotonic() - begun_s
    device.stop()
    broker.kill()
    warm = [sample for sample in samples if sample.frames >= _WARM_UP * options.frames]
    growth_mb = slope_mb(warm)
    log = device.log_path.read_text()
    print(
        f"{samples[-1].frames} frames in {took_s:.0f} s, {log.count('violation confirmed')} "
        f"violations; {warm[0].rss_mb:.1f} MB after {warm[0].frames} frames, "
        f"{warm[-1].rss_mb:.1f} MB at the end, at most {max(s.rss_mb for s in warm):.1f} MB; "
        f"slope {growth_mb:+.3f} MB in 10,000 frames, limit {LIMIT_MB:g}"
    )
    if device.ended_itself:
        print(f"BROKEN  the device ended by itself; see {device.log_path}")
        return 1
    return 0 if growth_mb < LIMIT_MB else 1


def write_clip(path: Path) -> Path:
    """Write 12 s of the scene at a rate at which few frames are scanned for faces."""
    faces = scene.cut_out_faces(carphone())
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), _FPS, _SIZE)
    for pixels in scene.pictures(faces, _FPS, 12 * _FPS):
        writer.write(cv2.resize(pixels, _SIZE, interpolation=cv2.INTER_AREA))
    writer.release()
    return path


if __name__ == "__main__":
    sys.exit(main())
