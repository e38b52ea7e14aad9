"""Finding every head in a picture, so that it can be covered.

Every face is covered, not only the one that a violation is about. So the picture is searched again,
more eagerly than the road does it: what is no face may be covered, a face may not be missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config import DetectorSettings
from edge.detect.detector import FaceDetector
from edge.detect.detectors import DETECTORS, here, open_detector
from edge.pixels import scaled, scaled_size
from edge.records import Box, Frame, Pixels

CONFIDENCE = 0.15
"""Far below what the road asks for: of street faces 1 of 328 from 16 px on is missed with it, and 4
of 176 from 8 to 16 px; with 0.5 they are 12 and 34."""
WINDOW_PX = 640
"""Longest side of what is searched at once: the whole scene for near faces, and, for far ones, its
quarters, almost twice as large. In one piece, these would take four times the memory."""
OVERLAP = 0.1
"""Of two quarters, as a share of them: more than a face that only they show."""
TURNED_PX = 448
"""Longest side of the scene when it is searched turned: with 480 no more faces from 16 px on were
missed than with 640, and with this a picture takes less than three upright searches in all."""
SCORES = ((64.0, 0.08), (90.0, 0.15), (180.0, 0.4))
"""Size of a box, in pixels of the whole scene as it is searched, and the score from which it may be
a face in a turned scene; between two sizes it goes by the logarithm. Small tilted faces have scores
as low as these, and what is covered for nothing is small, too. With 0.15 for all sizes three fifths
of street pictures were covered where no head is."""
SURE = 0.75
"""Score from which a box is so surely a face that a less sure one around it is none."""
TELLING = 0.5
"""Score from which a box tells how the camera hangs, the more the higher it is."""
RIVAL = 0.15
"""Of the evidence for the direction that has most: with less, a direction is not the camera's. Of a
camera that is tilted two have it."""
UNSURE = 0.3
"""Score from which a box may be a face in a direction that is not the camera's."""
MEMORY_S = 5.0
"""In this time, evidence falls to 1/e."""
FAINT = 0.1
"""Evidence below this is none: one face a little above `TELLING`."""
MOVED = 8
"""Gray levels by which more than half of the patches differ where the camera was moved: of a street
turned by 22 degrees at least two thirds do, of clips from a camera that hangs at most 36 %."""
STILL_S = 1.0
"""How long at most a turned search holds, however still the scene is."""
PATCH_PX = 8
"""A scene is compared with an earlier one by squares of this side: a quarter of the smallest head
that counts."""
STILL = 3
"""Gray levels by which a patch may differ in a scene that is as it was, where white is in it; in a
dark one, less."""
DARK, BRIGHT = 128, 220
"""A scene in which no patch is brighter than the first has its brightest patch made as bright as
the second before it is searched."""
MAX_GAIN = 8.0
"""By more, noise alone would be left."""
HOLD_S = 0.5
"""How long a head stays covered where it was found."""
AGAIN = 0.5
"""Intersection over union from which on it is the same head that is found again."""
GROWTH = 1.0
"""Added in a second to a head that is held, on each side, as a share of it."""

FindFaces = Callable[[Frame], Sequence[Box]]
"""Returns what is to be covered, in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What may be a face."""

    box: Box
    """In pixels of the frame."""
    score: float
    size_px: float
    """In the whole scene as it is searched upright."""
    quarters: int
    """Of a turn, by which the scene was turned when it was found."""

    def may_be_face(self, expected: bool) -> bool:
        """Return whether the score is enough, in a direction in which faces are `expected`."""
        score = _score_for(self.size_px)
        score = score if self.quarters else min(CONFIDENCE, score)
        return self.score >= (score if expected else max(UNSURE, score))

    def surrounds(self, other: _Candidate) -> bool:
        """Return whether this is hair, a chest or the like around the surer face `other`."""
        x, y = other.box.centre
        return (
            other.score > self.score
            and 2 * self.box.area >= other.box.area
            and self.box.left < x < self.box.right
            and self.box.top < y < self.box.bottom
        )


class _Hanging:
    """How the camera hangs, by the faces that were seen since it was last moved."""

    def __init__(self) -> None:
        self._evidence = np.zeros(4)
        self._updated_s = -math.inf

    def update(self, found: Sequence[_Candidate], holds: bool, now_s: float) -> Sequence[int]:
        """Return the quarters of a turn by which faces may be turned; all, if nothing tells.

        What was seen so far, and now, tells nothing where it does not hold.
        """
        seen = np.zeros(4)
        for each in found:
            seen[each.quarters] += max(0.0, each.score - TELLING)
        evidence = seen + self._evidence * math.exp(min(0.0, self._updated_s - now_s) / MEMORY_S)
        if seen.max() >= FAINT and seen.argmax() != evidence.argmax():
            evidence = seen
        if not holds or evidence.max() < FAINT:
            evidence = np.zeros(4)
        self._evidence, self._updated_s = evidence, now_s
        return [int(each) for each in np.flatnonzero(evidence >= RIVAL * evidence.max())]


class FaceSearch:
    """Finds what may be a face, however the camera hangs, and people in sight who are not found.

    The scene is searched as it is, and turned upside down and on both sides: somebody who aims a
    camera holds it in any way. The turned searches are left out only while nothing has changed
    since the last ones, which then still hold. Sure faces tell how the camera hangs; while it is
    not moved, a box in another direction needs a higher score. For one thread at a time.

    Of 281 street faces from 16 px on one is missed upright, upside down and on either side, which
    is a wrong label; of 501 tilted by 40 degrees 6 (`make heads`). An upright search alone
    missed 2, 67, 24 and 24.
    """

    def __init__(
        self,
        detector: FaceDetector,
        expected: Callable[[float], Sequence[Box]] = lambda now_s: (),
        *,
        quarters: bool = True,
    ) -> None:
        """`expected` returns where the people in sight are at a monotonic time. Without `quarters`
        the scene is searched as a whole only."""
        self._detector = detector
        self._expected = expected
        self._quarters = quarters
        self._hanging = _Hanging()
        self._turned: list[_Candidate] = []
        self._turned_s = -math.inf
        self._seen: NDArray[np.uint8] | None = None

    def __call__(self, frame: Frame) -> Sequence[Box]:
        near = WINDOW_PX / max(frame.width, frame.height)
        scene = scaled(frame.pixels, near)
        gain = _gain(scene)
        scene = _brightened(scene, gain)
        found = [
            _Candidate(face.box.scaled(1 / near, 1 / near), face.confidence, face.box.size_px, 0)
            for face in self._detector.find(scene)
        ]
        is_moved = self._turn(scene, near, frame.monotonic_s)
        found = _without_surroundings([*found, *self._turned])
        # In the dark, tilted faces have low scores: several times as many were missed.
        holds = gain == 1 and not is_moved
        directions = self._hanging.update(found, holds, frame.monotonic_s)
        boxes = [
            *self._expected(frame.monotonic_s),
            *(each.box for each in found if each.may_be_face(each.quarters in directions)),
        ]
        if self._quarters:
            boxes += self._found_in_quarters(frame.pixels, scene, near * (2 - OVERLAP), gain)
        return boxes

    def _turn(self, scene: Pixels, near: float, now_s: float) -> bool:
        """Search the scene turned, unless the last such search holds; tell if the camera moved."""
        seen, before = _patches(scene), self._seen
        if before is None:
            before = seen
        same_size = before.shape == seen.shape
        changed = cv2.absdiff(before, seen).max(axis=2) if same_size else np.full((1, 1), 255)
        is_still = changed.max() <= STILL * int(seen.max()) / 255
        if not (is_still and 0 <= now_s - self._turned_s < STILL_S):
            self._turned = self._found_turned(scene, near)
            self._seen, self._turned_s = seen, now_s
        return bool((changed > MOVED).mean() > 0.5)

    def _found_turned(self, scene: Pixels, near: float) -> list[_Candidate]:
        ratio = TURNED_PX / WINDOW_PX
        small = scaled(scene, ratio)
        height, width = small.shape[:2]
        found = []
        # The width before each quarter of a turn.
        for widths in ((width,), (width, height), (width, height, width)):
            turned = np.ascontiguousarray(np.rot90(small, len(widths)))
            for face in self._detector.find(turned):
                box = face.box.turned_back(widths).scaled(1 / ratio / near, 1 / ratio / near)
                size_px = face.box.size_px / ratio
                found.append(_Candidate(box, face.confidence, size_px, len(widths)))
        return found

    def _found_in_quarters(
        self, pixels: Pixels, scene: Pixels, far: float, gain: float
    ) -> list[Box]:
        large = _brightened(scaled(pixels, far), gain)
        height, width = scene.shape[:2]
        boxes = []
        for top in (0, large.shape[0] - height):
            for left in (0, large.shape[1] - width):
                quarter = np.ascontiguousarray(large[top : top + height, left : left + width])
                boxes += [
                    face.box.moved(left, top).scaled(1 / far, 1 / far)
                    for face in self._detector.find(quarter)
                    if face.confidence >= CONFIDENCE
                ]
        return boxes


class Held:
    """Finds what `find` does, and what it has found within the last half second.

    One look that misses a head would show it. By how far it may have moved since, its box grows;
    where it is found again, it is not held.
    """

    def __init__(self, find: FindFaces) -> None:
        self._find = find
        self._found: list[tuple[float, Box]] = []

    def __call__(self, frame: Frame) -> Sequence[Box]:
        now_s = frame.monotonic_s
        found = self._find(frame)
        self._found = [
            (at_s, box)
            for at_s, box in self._found
            if 0 <= now_s - at_s <= HOLD_S and not any(box.iou(each) >= AGAIN for each in found)
        ] + [(now_s, box) for box in found]
        return [box.grown(GROWTH * (now_s - at_s)) for at_s, box in self._found]


def open_covering(settings: DetectorSettings) -> FaceDetector:
    """Open the detector that may cover faces: the road's, where it is one, else the first here."""
    covering = [known for known in DETECTORS.values() if known.covers]
    known = next(
        (each for each in covering if each.name == settings.name),
        next((each for each in covering if each in here()), covering[0]),
    )
    fits = Path(settings.model).suffix.lower() == known.weights.kind
    return open_detector(known.name, settings.model if fits else "", SCORES[0][1])


def _without_surroundings(found: Sequence[_Candidate]) -> list[_Candidate]:
    sure = [each for each in found if each.score >= SURE]
    return [each for each in found if not any(each.surrounds(other) for other in sure)]


def _patches(scene: Pixels) -> Pixels:
    """Return the scene with one pixel, the mean, for each patch."""
    size = scaled_size(scene, 1 / PATCH_PX)
    return np.asarray(cv2.resize(scene, size, interpolation=cv2.INTER_AREA), np.uint8)


def _gain(scene: Pixels) -> float:
    """Return by what a scene is to be multiplied so that faces in it are found; mostly 1.

    By its brightest patch: a lit face in a dark room must not turn white.
    """
    brightest = max(1.0, float(_patches(scene).max()))
    return min(MAX_GAIN, BRIGHT / brightest) if brightest < DARK else 1.0


def _brightened(pixels: Pixels, gain: float) -> Pixels:
    return pixels if gain == 1 else np.asarray(cv2.convertScaleAbs(pixels, alpha=gain), np.uint8)


def _score_for(size_px: float) -> float:
    """Return the score from which a box of that size may be a face in a turned scene."""
    sizes, scores = zip(*SCORES, strict=True)
    return float(np.interp(math.log(size_px), np.log(sizes), scores))
