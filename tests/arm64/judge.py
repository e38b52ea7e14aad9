"""What the program makes of the same inputs, whatever the processor: one line of JSON.

    python judge.py CLIP PICTURES

The documents of a replay, the answers of the network, the finds of the detector, and the memory.
PICTURES is a folder with the clip's frames: decoding gives other pixels on another processor.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.classify.card import Bundle, load_bundle
from edge.classify.network import open_network
from edge.classify.preprocess import crop_face
from edge.classify.runtime import runtime_version
from edge.commands.replay import replay
from edge.config import CameraSettings, MqttSettings, Settings
from edge.detect.detectors import open_detector
from edge.patterns import draw
from edge.pixels import resize
from edge.records import Box, Face, Pixels

# ruff: noqa: T201 - a command line

LOOKED_AT = slice(0, 96, 8)
"""Of the clip's frames."""
FACE = Box(50, 15, 120, 105)
"""About where one is in the clip, the same for every machine."""
SIZES = ((176, 144), (320, 262), (640, 524))
NOISES = 100


def network_answers(bundle: Bundle, frames: list[Pixels]) -> dict[str, Any]:
    """Return int8 answers to patterns, to noise and to crops of the clip."""
    card = bundle.card
    network = open_network(card.format, bundle.model)
    side = card.input_side_px
    noises = np.random.default_rng(7).integers(0, 256, (NOISES, side, side, 3), np.uint8)
    crops = [crop_face(pixels, FACE, card.crop_margin, side) for pixels in frames]
    return {
        "golden": network.answers(np.stack([draw(n, side) for n in card.golden.patterns])).tolist(),
        "patterns": network.answers(np.stack([draw(n, side) for n in range(NOISES)])).tolist(),
        "noise": network.answers(noises).tolist(),
        "crops": network.answers(np.stack(crops)).tolist(),
        "crops_sha256": hashlib.sha256(np.stack(crops).tobytes()).hexdigest(),
    }


def finds(frames: list[Pixels]) -> dict[str, Any]:
    """Return the faces in each frame and size, the surest first: edges and confidence."""
    detector = open_detector()
    return {
        f"{width} x {height}": [
            _rows(detector.find(resize(each, (width, height)))) for each in frames
        ]
        for width, height in SIZES
    }


def _rows(faces: tuple[Face, ...]) -> list[list[float]]:
    boxes = ((face.box, face.confidence) for face in faces)
    return [[box.left, box.top, box.right, box.bottom, sure] for box, sure in boxes]


def memory_mb() -> dict[str, float]:
    """Return what is resident of this program, as the kernel's RssAnon and RssFile.

    An emulator shows its program its own part of the address space in `maps`; the thread's `smaps`
    it passes on, with all that it needs itself besides.
    """
    ours = list(_areas(Path("/proc/self/maps").read_text()))
    anonymous = resident = 0
    inside = False
    for line in Path("/proc/thread-self/smaps").read_text().splitlines():
        word, *rest = line.split()
        if not word.endswith(":"):
            start = int(word.partition("-")[0], 16)
            inside = any(low <= start < high for low, high in ours)
        elif inside and word == "Rss:":
            resident += int(rest[0])
        elif inside and word == "Anonymous:":
            anonymous += int(rest[0])
    return {"anonymous": anonymous / 1024, "file": (resident - anonymous) / 1024}


def _areas(maps: str) -> Iterator[tuple[int, int]]:
    for line in maps.splitlines():
        low, _, high = line.split()[0].partition("-")
        yield int(low, 16), int(high, 16)


def documents(bundle: Bundle, source: str) -> list[Any]:
    camera = CameraSettings(source=source, realtime=False)
    settings = Settings(mqtt=MqttSettings(host="nobody"), camera=camera)
    told: list[Any] = []
    summary = replay(settings, bundle, lambda _, payload: told.append(json.loads(payload)))
    for each in told:
        del each["device_id"]  # the host's name
    return [*told, *map(str, summary.people)]


def main() -> None:
    clip, pictures = sys.argv[1:]
    bundle = load_bundle()
    clip_documents = documents(bundle, clip)
    memory = memory_mb()
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    frames = [
        np.asarray(cv2.imread(str(path)), np.uint8)
        for path in sorted(Path(pictures).iterdir())[LOOKED_AT]
    ]
    report = {
        "runtimes": [runtime_version(), f"OpenCV {cv2.__version__}", f"numpy {np.__version__}"],
        "clip": clip_documents,
        "pictures": documents(bundle, pictures),
        "answers": network_answers(bundle, frames),
        "finds": finds(frames),
        "memory_mb": memory,
        "peak_mb": int(peak) / 1024,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
