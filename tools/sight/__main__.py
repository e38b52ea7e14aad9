# ruff: noqa: T201 - a command line module
"""Whether the proof of sight notices damage: `make sight BOXED=folder:folder`.

First, what each level of ten kinds of damage costs on real faces of boxed pictures that training
has not seen. Then trials: a picture is a camera's scene, learned in several lights. Each trial is
another light (clouds, lamps, tint), with people who walk by, and either the mildest damage that
costs more than 10 points of recall, or none. A condition needs two proofs in a row, as in service.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from convert.data.voc import BoxedPicture, read_boxed
from edge.classify.card import MASKED, load_bundle
from edge.classify.classifier import MaskClassifier
from edge.config.seeing import ClassifierSettings, DetectorSettings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.look import NOBODY
from edge.pixels import resize
from edge.records import Box, Frame, Pixels
from edge.sight.judge import Fall, fall_of
from edge.sight.memory import LEARNED, SightMemory
from edge.sight.proof import ProofEyes, prove
from edge.sight.scene import SceneLook
from tests.fakes import START
from tools.sight.damage import DAMAGES, LEVELS, MILDEST, moved_box
from tools.sight.daylight import Daylight, live

HELD_OUT = Path("convert/report/figures/held-out.json")
WIDTH_PX = 640
COST = 0.1
LEAST_FACE_PX = 20
LEAST_PX = 24.0
SAME_IOU = 0.3
FACES_SEEN = 30
"""So often each face of a scene has been seen: more than makes it a place."""


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


def scenes_of(folders: Sequence[Path], most: int, *, is_wide: bool) -> list[RealScene]:
    """Return as many pictures of each set, with faces, as a camera 640 px wide shows them."""
    scenes: list[RealScene] = []
    for folder in folders:
        boxed = read_boxed(folder)
        parts = [each for part in ("validation", "test") for each in boxed.of_part(part, HELD_OUT)]
        np.random.default_rng(0).shuffle(parts)  # type: ignore[arg-type]
        scenes += list(_fitting(parts, is_wide=is_wide))[:most]
    return scenes


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


class SightTrial:
    """A camera before a scene, which it has learned."""

    def __init__(self, scene: RealScene, eyes: ProofEyes, seed: int) -> None:
        self._scene = scene
        self._eyes = eyes
        self._light = np.random.default_rng(seed)
        self._memory = SightMemory(None)
        height, width = scene.pixels.shape[:2]
        for _ in range(FACES_SEEN):
            self._memory.passages.add([box for box, _ in scene.faces], width, height)
        for _ in range(LEARNED):
            self._proved(Daylight(self._light))

    def fall(self, kind: str = "", level: float = 0, seed: int = 0) -> Fall | None:
        """Return why the condition is raised in another light; None: it is not."""
        moment = Daylight(self._light)
        first = self._proved(moment, kind, level, seed)
        return first and self._proved(moment, kind, level, seed)

    def _proved(
        self, moment: Daylight, kind: str = "", level: float = 0, seed: int = 0
    ) -> Fall | None:
        pairs = list(live(self._scene.pixels, moment, kind, level, seed))
        looks = [SceneLook.of(each.before.pixels, each.now.pixels) for each in pairs]
        memory = self._memory
        reference, places = memory.reference(START), memory.places(START)
        proof = prove(looks, pairs[-2:], reference, places, LEAST_PX, self._eyes)
        if reference is None:
            memory.learn(proof, places)
            return None
        return fall_of(proof, memory.normal(START), 1.0)


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


def print_table(raised: dict[str, list[str]], levels: dict[str, float]) -> None:
    """Print in how many trials the condition was raised, and with which causes."""
    for kind, causes in raised.items():
        named = {cause: causes.count(cause) for cause in sorted(set(causes) - {""})}
        said = ", ".join(f"{cause} {number}" for cause, number in named.items())
        noticed = sum(map(bool, causes))
        print(f"{kind:14} {levels.get(kind, 0):6g} {noticed:5} of {len(causes):5}  {said}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxed", type=Path, action="append", required=True, metavar="FOLDER")
    parser.add_argument(
        "--real",
        type=int,
        default=40,
        help="pictures of each set with real faces; 0: the levels of an earlier run",
    )
    parser.add_argument("--scenes", type=int, default=14, help="scenes of each set")
    parser.add_argument("--clean", type=int, default=24, help="undamaged trials of each scene")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    detector, bundle = open_detector(), load_bundle()
    real = RealRecall(
        FaceDetection(detector, DetectorSettings()),
        MaskClassifier(bundle, ClassifierSettings(threads=1)),
    )
    levels = dict(MILDEST)
    if options.real:
        levels = costs(real, scenes_of(options.boxed, options.real, is_wide=False))
    judge = MaskClassifier(bundle, ClassifierSettings(threads=1, min_face_px=8))
    eyes = ProofEyes(detector, judge, lambda frame: WIDTH_PX / max(frame.width, frame.height), 8)
    scenes = scenes_of(options.boxed, options.scenes, is_wide=True)
    raised: dict[str, list[str]] = {kind: [] for kind in ("none", *levels)}
    for number, scene in enumerate(scenes):
        started_s = time.monotonic()
        trial = SightTrial(scene, eyes, number)
        for _ in range(options.clean):
            fall = trial.fall()
            raised["none"].append("" if fall is None else fall.cause)
            if fall is not None:
                print(f"scene {number}, undamaged: {fall.cause}, {fall.text}", flush=True)
        for kind, level in levels.items():
            fall = trial.fall(kind, level, number)
            raised[kind].append("" if fall is None else fall.cause)
            if fall is None:
                print(f"scene {number}, {kind} {level:g}: not noticed", flush=True)
        took_s = time.monotonic() - started_s
        print(f"scene {number + 1} of {len(scenes)}: {took_s:.0f} s", file=sys.stderr, flush=True)
    print_table(raised, levels)
    return 0


if __name__ == "__main__":
    sys.exit(main())
