# ruff: noqa: T201 - prints what it measures
"""Boxed pictures as a camera shows them, and what damage costs on their real faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np

from convert.data.voc import BoxedPicture, read_boxed
from edge.classify.card import MASKED
from edge.classify.classifier import MaskClassifier
from edge.detect.detection import FaceDetection
from edge.look import NOBODY
from edge.pixels import resize
from edge.records import Box, Frame, Pixels
from tests.fakes import START
from tools.sight.damage import DAMAGES, LEVELS, moved_box

HELD_OUT = Path("convert/report/figures/held-out.json")
WIDTH_PX = 640
COST = 0.1
LEAST_FACE_PX = 20
SAME_IOU = 0.3


@dataclass(frozen=True, slots=True)
class RealScene:
    pixels: Pixels
    faces: tuple[tuple[Box, bool], ...]
    """Each, and whether it is masked."""


@dataclass(slots=True)
class RealRecall:
    """What sees real faces: the settings of a box."""

    detection: FaceDetection
    judge: MaskClassifier

    def recall(self, scenes: Sequence[RealScene], kind: str = "", level: float = 0) -> float:
        """Return the share of the faces that are found and judged rightly."""
        faces = right = 0
        for seed, scene in enumerate(scenes):
            shown = DAMAGES[kind](scene.pixels, level, seed) if kind else scene.pixels
            frame = Frame(0, shown, START, 0.0)
            found = self.detection.detect(frame)
            for box, is_masked in scene.faces:
                faces += 1
                place = moved_box(kind, level, seed, box, shown)
                same = [each for each in found if each.box.iou(place) >= SAME_IOU]
                if not same:
                    continue
                (reading,) = self.judge.classify(frame, same[:1])
                uncovered = reading.uncovered_probability
                if uncovered is not None and reading.nobody < NOBODY:
                    right += (uncovered <= 0.5) == is_masked
        return right / faces


def scenes_of(
    folders: Sequence[Path], most: int, *, is_wide: bool, skip: int = 0
) -> list[RealScene]:
    """Return as many pictures of each set, with faces, as a camera 640 px wide shows them.

    `skip` leaves out the first of each set. The sets take turns, so that a part of a run has all.
    """
    sets: list[list[RealScene]] = []
    for folder in folders:
        boxed = read_boxed(folder)
        parts = [each for part in ("validation", "test") for each in boxed.of_part(part, HELD_OUT)]
        np.random.default_rng(0).shuffle(parts)  # type: ignore[arg-type]
        sets.append(list(islice(_fitting(parts, is_wide=is_wide), skip, skip + most)))
    return [scene for row in zip_longest(*sets) for scene in row if scene is not None]


def _fitting(pictures: Sequence[BoxedPicture], *, is_wide: bool) -> Iterator[RealScene]:
    for picture in pictures:
        pixels = picture.read()
        height, width = pixels.shape[:2]
        if is_wide and width < 1.1 * height:
            continue
        ratio = WIDTH_PX / max(width, height)
        faces = tuple(
            (face.box.scaled(ratio, ratio), face.label == MASKED)
            for face in picture.faces
            if ratio * face.box.size_px >= LEAST_FACE_PX
        )
        if faces:
            yield RealScene(resize(pixels, (round(ratio * width), round(ratio * height))), faces)


def costs(real: RealRecall, scenes: Sequence[RealScene]) -> dict[str, float]:
    """Print what each level costs; return the mildest level of each kind that costs too much."""
    clean = real.recall(scenes)
    faces = sum(len(scene.faces) for scene in scenes)
    print(f"{len(scenes)} pictures, {faces} faces from {LEAST_FACE_PX} px; undamaged {clean:.3f}")
    chosen: dict[str, float] = {}
    for kind, levels in LEVELS.items():
        for level in levels:
            recall = real.recall(scenes, kind, level)
            print(f"{kind:14} {level:6g} {recall:.3f} {100 * (recall - clean):+6.1f}", flush=True)
            if clean - recall > COST:
                chosen[kind] = level
                break
    return chosen
