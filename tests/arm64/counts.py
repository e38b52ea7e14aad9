"""What the road takes, in instructions: run in an arm64 userland by an emulator that counts.

    python counts.py COUNTS CLIP [NETWORK]

`count.c` writes COUNTS. One line of JSON: millions of instructions by class for each step, and for
what others have published times of: YuNet's graph in their sizes, and a NETWORK (tflite, int8).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.commands.scene import clip_frames, cut_out_faces, scene_frames
from edge.config import CameraSettings, ClassifierSettings, DetectorSettings, MqttSettings, Settings
from edge.decide.identity import EventIds
from edge.detect.detectors import open_detector
from edge.patterns import draw
from edge.pipeline import open_pipeline
from edge.pixels import resize
from edge.records import Pixels

# ruff: noqa: T201 - a command line

CLASSES = ("integer", "branch", "memory", "vector_memory", "vector")
NOBODY = 0x7EADBEEF
"""No process has this number: the plugin takes asking for its group as asking for the counts."""
OURS = ((640, 360), (320, 180))
PUBLISHED = ((160, 120), (320, 320), (640, 640))
FRAMES_PER_S = 30
Counts = NDArray[np.float64]


class Counter:
    """Counts what this process does, in all of its threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = path.open()
        self._lines.seek(0, os.SEEK_END)
        self.spent: dict[str, list[Counts]] = defaultdict(list)
        for _ in range(5):
            with self("nothing"):
                pass
        self._own = np.median(self.spent.pop("nothing"), axis=0)

    def _now(self) -> Counts:
        with contextlib.suppress(ProcessLookupError):
            os.getpgid(NOBODY)
        return np.array(self._lines.readline().split(), np.float64)

    @contextlib.contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        before = self._now()
        yield
        self.spent[step].append(self._now() - before)

    def repeated(self, step: str, work: Callable[[], object]) -> None:
        """Count `work` a few times, when it has been done twice: by then all is laid out."""
        for _ in range(2):
            work()
        for _ in range(3):
            with self(step):
                work()

    def millions(self) -> dict[str, dict[str, float]]:
        """Return the median of each step by class."""
        medians = {
            step: np.median(counts, axis=0) - self._own for step, counts in self.spent.items()
        }
        return {
            step: dict(zip(CLASSES, (counts / 1e6).round(3).tolist(), strict=True))
            for step, counts in medians.items()
        }


def count_parts(counter: Counter, settings: Settings) -> None:
    """Count scans of pictures in each size, and looks at a face."""
    detector = open_detector()
    frame = next(clip_frames(settings))
    for width, height in (*OURS, *PUBLISHED):
        picture = resize(frame.pixels, (width, height))
        counter.repeated(f"scan {width} x {height}", lambda: detector.find(picture))  # noqa: B023
    classifier = MaskClassifier(load_bundle(), settings.classifier)
    face = detector.find(frame.pixels)[:1]
    counter.repeated("look", lambda: classifier.classify(frame, face))


def count_network(counter: Counter, path: Path) -> None:
    """Count one run of an int8 network, on a pattern."""
    network = Interpreter(str(path), num_threads=1)
    network.allocate_tensors()
    (place,) = network.get_input_details()
    crop = draw(0, place["shape"][1])[None].astype(np.int16) - 128
    network.set_tensor(place["index"], crop.astype(np.int8))
    counter.repeated("network", network.invoke)


def count_second(counter: Counter, settings: Settings, cutouts: list[Pixels], people: int) -> None:
    """Count one of two seconds of a scene with this many people, whom it has known for two."""
    steps = Counter(counter.path)
    pipeline = open_pipeline(settings, load_bundle(), EventIds(), steps)
    frames = scene_frames(cutouts, people, (1280, 720))
    for frame in islice(frames, 2 * FRAMES_PER_S):
        pipeline.process(frame)
    steps.spent.clear()
    for frame in islice(frames, 2 * FRAMES_PER_S):
        with steps("frame"):
            pipeline.process(frame)
    for step, counts in steps.spent.items():
        counter.spent[f"second, people {people}, {step}"].append(np.sum(counts, axis=0) / 2)


def main() -> None:
    counts, clip, *networks = map(Path, sys.argv[1:])
    cv2.setNumThreads(1)
    camera = CameraSettings(source=str(clip), realtime=False)
    settings = Settings(
        mqtt=MqttSettings(host="nobody"),
        camera=camera,
        # Threads that wait for each other would count that as work.
        detector=DetectorSettings(threads=1),
        classifier=ClassifierSettings(threads=1),
    )
    counter = Counter(counts)
    count_parts(counter, settings)
    for network in networks:
        count_network(counter, network)
    cutouts = cut_out_faces(settings, settings.detector)
    for people in (1, 4):
        count_second(counter, settings, cutouts, people)
    print(json.dumps(counter.millions()))


if __name__ == "__main__":
    main()
