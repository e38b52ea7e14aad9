"""The scenes that a detector learns from: pieces of pictures at random sizes, put together.

Faces are drawn alike by kind, masked, bare and with a mask worn wrongly, and shown from some ten
pixels up to most of the scene, whatever the picture's own size: what a new door brings is neither
the sizes nor the mixture of any one set. Some batches have a few large scenes instead of many small
ones, for faces that fill a camera's picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from convert.data.augment import DEGRADED, degraded, in_other_light
from convert.detector.pieces import TrainingPiece, cut, turned
from convert.detector.scenes import Boxes, FaceKind, TrainingScene, areas
from edge.records import Pixels

SIDE_PX = 320
"""Of a training scene, as YuNet's authors have it."""
LARGE_SIDE_PX = 640
"""Of a large one: the size that a camera's picture is scanned at. It costs as much as four."""
LARGE_EVERY = 4
"""One batch in so many has large scenes."""
MOST_FACES = 40
MOST_OTHERS = 40
LEAST_FACE_PX = 10.0
SHOWN = 0.62
"""Faces are shown up to this share of the scene's side, spread evenly over the logarithm,"""
CLOSE_UP = 0.08
"""and this share of them larger than that, up to"""
CLOSE_UP_SHOWN = 0.95
"""of the side."""
LARGE_CLOSE_UP = 0.5
"""The share of larger ones in large scenes."""
MOST_ENLARGED = 2.5
ELSEWHERE = 0.1
"""Share of the pieces that are cut out anywhere, with a face or not."""
MISTAKEN = 0.12
"""Share of the pieces that show something that is taken for a face and is none."""
HARD_WEIGHT = 3.0
"""How many times as often a face is drawn that a training before has not learned."""
TURNED = 0.08
"""Share of the pieces that are turned, by up to 90 degrees to either side."""
TRIES = 8
"""How often a face is drawn again that is too small to be shown as large as it is to be."""
LEAST_TILE_PX = 48
"""Of a scene's pieces that are cut out of different pictures."""
CAMERA_SIDE_PX = 48
"""How much a cheap camera smears, by the side of a face: that of one in the middle distance."""

KIND_SHARES = {
    FaceKind.MASKED: 0.38,
    FaceKind.BARE: 0.48,
    FaceKind.WORN_WRONGLY: 0.08,
    FaceKind.UNLABELLED: 0.06,
}


class Batch(NamedTuple):
    """Scenes; the boxes are padded with zeros."""

    pixels: Pixels
    """(n, side, side, 3) uint8 BGR."""
    faces: Boxes
    """(n, MOST_FACES, 4)."""
    is_face: NDArray[np.bool_]
    """(n, MOST_FACES)."""
    doubtful: Boxes
    """(n, MOST_OTHERS, 4): inside these nothing is asked."""
    nothing: Boxes
    """(n, MOST_OTHERS, 4): inside these there is no face for sure, whatever a teacher says."""


class SceneSampler:
    """Draws scenes: the same ones for one seed and number."""

    def __init__(
        self, scenes: Sequence[TrainingScene], source_shares: Sequence[float], seed: int
    ) -> None:
        """`source_shares` are the chances of each source within a kind of face."""
        self._scenes = scenes
        self._seed = seed
        rows = [
            (number, place, kind, scene.source)
            for number, scene in enumerate(scenes)
            for place, kind in enumerate(scene.kinds.tolist())
        ]
        self._faces = np.array(rows, np.int64).reshape(-1, 4)
        shares = np.zeros(len(self._faces))
        in_scene = np.bincount(self._faces[:, 0], minlength=len(scenes))[self._faces[:, 0]]
        weight = np.concatenate([_weights(scene) for scene in scenes])
        for kind, share in KIND_SHARES.items():
            for source, of_source in enumerate(source_shares):
                chosen = (self._faces[:, 2] == kind) & (self._faces[:, 3] == source)
                # A picture of a crowd teaches more than one of a face, but not a hundred times.
                weights = chosen * weight / np.sqrt(in_scene)
                if weights.sum():
                    shares += share * of_source * weights / weights.sum()
        self._sizes = np.sqrt(areas(np.concatenate([scene.faces for scene in scenes])))
        self._mistaken = [(scene, box) for scene in scenes for box in scene.nothing]
        self._upto = np.cumsum(shares / shares.sum())

    def batch(self, number: int, count: int) -> Batch:
        """Return this many scenes, or a quarter as many large ones: the number decides."""
        side = SIDE_PX
        if number % LARGE_EVERY == LARGE_EVERY - 1:
            side, count = LARGE_SIDE_PX, max(1, count // 4)
        made = Batch(
            np.zeros((count, side, side, 3), np.uint8),
            np.zeros((count, MOST_FACES, 4), np.float32),
            np.zeros((count, MOST_FACES), np.bool_),
            np.zeros((count, MOST_OTHERS, 4), np.float32),
            np.zeros((count, MOST_OTHERS, 4), np.float32),
        )
        for row in range(count):
            shown = self.draw(np.random.default_rng((self._seed, number, row)), side)
            made.pixels[row] = shown.pixels
            # Where a crowd has more faces than fit, what is left over is left alone.
            kept, rest = shown.faces[:MOST_FACES], shown.faces[MOST_FACES:]
            made.faces[row, : len(kept)] = kept
            made.is_face[row, : len(kept)] = True
            doubtful = np.concatenate([rest, shown.doubtful])[:MOST_OTHERS]
            made.doubtful[row, : len(doubtful)] = doubtful
            nothing = shown.nothing[:MOST_OTHERS]
            made.nothing[row, : len(nothing)] = nothing
        return made

    def draw(self, rng: Generator, side: int = SIDE_PX) -> TrainingPiece:
        """Return one scene of that side."""
        canvas = np.empty((side, side, 3), np.uint8)
        canvas[:] = rng.integers(0, 256, 3)
        marks: list[list[Boxes]] = [[], [], []]
        for left, top, tile in self._tiles(side, side, rng):
            height, width = tile.pixels.shape[:2]
            canvas[top : top + height, left : left + width] = tile.pixels
            corner = np.array([left, top, left, top], np.float32)
            for kept, boxes in zip(marks, (tile.faces, tile.doubtful, tile.nothing), strict=True):
                kept.append(boxes + corner)
        faces, doubtful, nothing = (np.concatenate(boxes) for boxes in marks)
        canvas = in_other_light(canvas, rng)
        if rng.random() < DEGRADED:
            canvas = degraded(canvas, rng, CAMERA_SIDE_PX)
        return TrainingPiece(canvas, faces, doubtful, nothing)

    def _tiles(
        self, width: int, height: int, rng: Generator
    ) -> list[tuple[int, int, TrainingPiece]]:
        """Return pieces of pictures that fill the area, with the place of each.

        A picture that is shown so small that it does not fill the area leaves the rest to others.
        """
        scene, middle, ratio_x, ratio_y = self._chosen(width, height, rng)
        tall, wide = scene.pixels.shape[:2]
        across = min(width, max(LEAST_TILE_PX, round(wide * ratio_x)))
        down = min(height, max(LEAST_TILE_PX, round(tall * ratio_y)))
        if across < width or down < height:
            # What is left is filled: the picture as a whole, and others beside it.
            middle = (wide / 2, tall / 2)
        mirrored = rng.random() < 0.5
        tile = cut(scene, middle, (across, down), ratio_x, ratio_y, mirrored)
        is_left, is_top = rng.random(2) < 0.5
        left, top = (0 if is_left else width - across), (0 if is_top else height - down)
        tiles = [(left, top, tile)]
        if width - across >= LEAST_TILE_PX:
            beside = self._tiles(width - across, down, rng)
            shift = across if is_left else 0
            tiles += [(x + shift, y + top, each) for x, y, each in beside]
        if height - down >= LEAST_TILE_PX:
            below = self._tiles(width, height - down, rng)
            shift = down if is_top else 0
            tiles += [(x, y + shift, each) for x, y, each in below]
        return tiles

    def _chosen(
        self, width: int, height: int, rng: Generator
    ) -> tuple[TrainingScene, tuple[float, float], float, float]:
        """Return a picture, the place in it to show, and how much larger than it is.

        As a rule it shows a face, somewhere in an area of that size.
        """
        shape = float(np.exp(rng.normal(0, 0.06)))
        if rng.random() < ELSEWHERE:
            scene = self._scenes[int(rng.integers(len(self._scenes)))]
            tall, wide = scene.pixels.shape[:2]
            ratio = float(np.exp(rng.uniform(np.log(0.3), np.log(2.0))))
            middle = (float(rng.uniform(0, wide)), float(rng.uniform(0, tall)))
            return scene, middle, ratio * shape, ratio / shape
        wanted, is_close = _wanted_px(max(width, height), rng)
        if self._mistaken and rng.random() < MISTAKEN:
            scene, box = self._mistaken[int(rng.integers(len(self._mistaken)))]
        else:
            scene, box = self._face(wanted / MOST_ENLARGED if is_close else 0.0, rng)
        left, top, right, bottom = box.tolist()
        size = float(np.sqrt((right - left) * (bottom - top)))
        wanted = min(wanted, CLOSE_UP_SHOWN * min(width, height), MOST_ENLARGED * size)
        ratio_x, ratio_y = wanted / size * shape, wanted / size / shape
        # Where in the area the face's center comes to lie: anywhere that shows most of it.
        at_x, at_y = (
            float(rng.uniform(min(0.4 * wanted, side / 2), max(side - 0.4 * wanted, side / 2)))
            for side in (width, height)
        )
        middle = (
            (left + right) / 2 + (width / 2 - at_x) / ratio_x,
            (top + bottom) / 2 + (height / 2 - at_y) / ratio_y,
        )
        return scene, _within(scene, middle, (width / ratio_x, height / ratio_y)), ratio_x, ratio_y

    def _face(self, least_px: float, rng: Generator) -> tuple[TrainingScene, NDArray[np.float32]]:
        """Return a face and its picture: one of that size, unless they are rare."""
        for _ in range(TRIES):
            row = np.searchsorted(self._upto, rng.random())
            if self._sizes[row] >= least_px:
                break
        number, place, *_ = self._faces[row].tolist()
        scene = self._scenes[number]
        if rng.random() < TURNED:
            scene = turned(scene, float(rng.uniform(-90, 90)))
        return scene, scene.faces[place]


def _weights(scene: TrainingScene) -> NDArray[np.float64]:
    """Return (n,): how often each face is shown, beside others of its kind and source."""
    if scene.is_hard is None:
        return np.ones(len(scene.faces))
    return np.where(scene.is_hard, HARD_WEIGHT, 1.0)


def _wanted_px(side: int, rng: Generator) -> tuple[float, bool]:
    """Return how large a face is to be in a scene of that side, and whether it fills it."""
    is_large = side > SIDE_PX
    side = LARGE_SIDE_PX if is_large else SIDE_PX
    most = SHOWN * side
    if rng.random() < (LARGE_CLOSE_UP if is_large else CLOSE_UP):
        return float(rng.uniform(most, CLOSE_UP_SHOWN * side)), True
    return float(np.exp(rng.uniform(np.log(LEAST_FACE_PX), np.log(most)))), False


def _within(
    scene: TrainingScene, middle: tuple[float, float], size: tuple[float, float]
) -> tuple[float, float]:
    """Return the middle of an area of that size, moved into the picture where it fits there."""
    tall, wide = scene.pixels.shape[:2]
    x, y = (
        min(max(at, side / 2), whole - side / 2) if side <= whole else at
        for at, side, whole in zip(middle, size, (wide, tall), strict=True)
    )
    return x, y
