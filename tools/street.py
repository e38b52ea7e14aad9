# ruff: noqa: T201 - a command line module
"""Who is reported in a moving street: `make street BOXED=folder`.

Pictures of a boxed set side by side, before a camera that sways and has noise: 1280 pixels wide,
six seconds at 15 frames. The whole road from detect to decide runs, which single pictures cannot
show.
"""

from __future__ import annotations

import argparse
import math
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from convert.data.split import SplitPart, read_split
from convert.data.voc import BoxedSet, LabelledFace, read_boxed
from convert.measure.metrics import MIN_IOU
from edge.classify.card import BARE, MASKED, WORN_WRONGLY, load_bundle
from edge.config import parse_settings
from edge.detect.detectors import NAMES as NAMES_OF_DETECTORS
from edge.pipeline import open_pipeline
from edge.pixels import resize
from edge.records import Box, Frame, Pixels, ViolationState
from tests.fakes import START

WIDTH, HEIGHT = 1280, 960
SWAY_PX = 20
NOISE = 3.0
FPS = 15
SECONDS = 6
COUNTED_PX = 22
"""Smaller faces need not be reported: just above what the daemon judges at all."""
NAMES = {MASKED: "masked", BARE: "bare"}
UNSURE = -1
"""The label of a face that is too unclear to say whether it wears a mask."""
COUNTS = (
    "masked",
    "masked followed",
    "bare",
    "bare followed",
    "bare, reported",
    "reported",
    "masked, reported",
    "worn wrongly, reported",
    "nobody can say",
    "no labeled face",
    "reported twice",
)
"""The first five are faces from COUNTED_PX, the others are violations."""


@dataclass(frozen=True, slots=True)
class Scene:
    pixels: Pixels
    """Larger than the frame by SWAY_PX on each side."""
    faces: tuple[LabelledFace, ...]

    def frames(self, noise: np.random.Generator) -> Iterator[tuple[Frame, float, float]]:
        """Return each frame, and where its left upper corner is in the scene."""
        for number in range(FPS * SECONDS):
            seconds = number / FPS
            left = SWAY_PX * (1 + math.sin(1.9 * seconds))
            top = SWAY_PX * (1 + math.sin(1.3 * seconds + 1)) / 2
            shift = np.array([[1, 0, -left], [0, 1, -top]])
            shown = cv2.warpAffine(self.pixels, shift, (WIDTH, HEIGHT))
            noisy = np.clip(shown + noise.normal(0, NOISE, shown.shape), 0, 255).astype(np.uint8)
            yield Frame(number, noisy, START + timedelta(seconds=seconds), seconds), left, top

    def face_at(self, box: Box) -> LabelledFace | None:
        """Return whose face a box of the scene is."""
        best = max(self.faces, key=lambda face: face.box.iou(box), default=None)
        return best if best and best.box.iou(box) >= MIN_IOU else None


def scenes(boxed: BoxedSet, chosen: set[str] | None, columns: int) -> Iterator[Scene]:
    """Return the pictures, `columns` in each direction; the last few are left out."""
    pictures = [each for each in boxed.pictures if chosen is None or each.picture.path in chosen]
    random.Random(0).shuffle(pictures)
    wide, high = WIDTH // columns, HEIGHT // columns
    number = columns**2
    for begin in range(0, len(pictures) - number + 1, number):
        pixels = np.full((HEIGHT + 2 * SWAY_PX, WIDTH + 2 * SWAY_PX, 3), 120, np.uint8)
        faces = []
        for index, each in enumerate(pictures[begin : begin + number]):
            picture = each.read()
            ratio = min(wide / picture.shape[1], high / picture.shape[0])
            size = (round(picture.shape[1] * ratio), round(picture.shape[0] * ratio))
            picture = resize(picture, size)
            left = SWAY_PX + index % columns * wide
            top = SWAY_PX + index // columns * high
            pixels[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            faces += [
                LabelledFace(face.box.scaled(ratio, ratio).moved(left, top), face.label)
                for face in (*each.faces, *(LabelledFace(box, UNSURE) for box in each.unsure))
            ]
        yield Scene(pixels, tuple(faces))


def judge(scene: Scene, detector: str, model: str, noise: np.random.Generator) -> Counter[str]:
    """Count who is there, and whom the daemon would report."""
    settings = parse_settings(
        {
            "mqtt": {"host": "none"},
            "camera": {"source": "none"},
            "detector": {"name": detector, "model": model},
        },
        "street",
    )
    pipeline = open_pipeline(settings, load_bundle(), lambda at: str(uuid.uuid4()))
    whose: dict[int, LabelledFace | None] = {}
    reported: list[int] = []
    for frame, left, top in scene.frames(noise):
        outcome = pipeline.process(frame)
        for sighting in outcome.sightings:
            box = sighting.reading.face.box.moved(left, top)
            whose[sighting.track_id] = scene.face_at(box)
        reported += [
            violation.track_id
            for violation in outcome.decision.violations
            if violation.state is ViolationState.CONFIRMED
        ]
    count = Counter(dict.fromkeys(COUNTS, 0))
    counted = [face for face in scene.faces if face.box.size_px >= COUNTED_PX]
    followed = [face for face in whose.values() if face is not None]
    for face in counted:
        if face.label in NAMES:
            name = NAMES[face.label]
            count[name] += 1
            count[f"{name} followed"] += face in followed
    faces_reported = [whose[track_id] for track_id in reported]
    count["bare, reported"] = sum(face.label == BARE for face in counted if face in faces_reported)
    count["reported"] = len(reported)
    labels = [face.label for face in faces_reported if face is not None]
    count["masked, reported"] = labels.count(MASKED)
    count["worn wrongly, reported"] = labels.count(WORN_WRONGLY)
    count["nobody can say"] = labels.count(UNSURE)
    count["no labeled face"] = sum(face is None for face in faces_reported)
    count["reported twice"] = (
        len(faces_reported) - len(set(faces_reported) - {None}) - count["no labeled face"]
    )
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("boxed", type=Path)
    parser.add_argument("--detector", choices=NAMES_OF_DETECTORS, default="auto")
    parser.add_argument("--detector-model", default="")
    parser.add_argument("--split", type=Path, help="only pictures that training has not seen")
    parser.add_argument("--columns", type=int, default=2, help="of pictures in a scene")
    options = parser.parse_args()
    chosen = None
    if options.split:
        parts = read_split(options.split).assignments
        chosen = {each.picture.path for each in parts if each.part is not SplitPart.TRAINING}
    noise = np.random.default_rng(0)
    total: Counter[str] = Counter()
    shown = 0
    for scene in scenes(read_boxed(options.boxed), chosen, options.columns):
        total.update(judge(scene, options.detector, options.detector_model, noise))
        shown += 1
    print(f"{shown} scenes, {options.detector}, faces from {COUNTED_PX} px")
    for name, number in total.items():
        print(f"{number:6}  {name}")


if __name__ == "__main__":
    main()
