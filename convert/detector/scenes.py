"""Scenes that a detector learns from: pieces of pictures at random sizes, with what is in them.

Faces are drawn alike by kind, masked, bare and with a mask worn wrongly, and shown from some ten
pixels up to most of the scene, whatever the picture's own size: what a new door brings is neither
the sizes nor the mixture of any one set. Not every face in the sets is boxed. What another detector
finds there is taken for a face where it is sure, and left alone where it is in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from convert.data.augment import DEGRADED, degraded
from edge.classify.card import BARE, MASKED, WORN_WRONGLY
from edge.pixels import resize
from edge.records import Pixels

SIDE_PX = 320
"""Of a training scene, as YuNet's authors have it."""
MOST_FACES = 40
MOST_OTHERS = 40
FACE_PX = (10.0, 200.0)
"""Sizes at which a face is shown, spread evenly over the logarithm."""
LARGEST_PX = 300.0
CLOSE_UP = 0.06
"""Share of the scenes whose face is larger than that, up to `LARGEST_PX`."""
MOST_ENLARGED = 2.5
ELSEWHERE = 0.1
"""Share of the pieces that are cut out anywhere, with a face or not."""
MISTAKEN = 0.12
"""Share of the pieces that show something that is taken for a face and is none."""
LEAST_TILE_PX = 48
"""Of a scene's pieces that are cut out of different pictures."""
SMALLEST_PX = 8.0
"""Faces shown smaller are left alone."""
VISIBLE = 0.55
"""From this share on a face that is cut off by the edge counts as one; below it is left alone."""
SURE, DOUBTFUL = 0.8, 0.35
"""Scores of another detector's detections that carry no label: from SURE on faces, from DOUBTFUL on
left alone."""
SAME_FACE_IOU = 0.5
CAMERA_SIDE_PX = 48
"""How much a cheap camera smears, by the side of a face: that of one in the middle distance."""

Sides = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
Find = tuple[Sides, float]
"""What a detector finds, in pixels of the picture as it is, and the score."""
Boxes = NDArray[np.float32]
"""(n, 4): left, top, right, bottom in pixels."""
NO_BOXES: Boxes = np.zeros((0, 4), np.float32)


class FaceKind(IntEnum):
    """What a face is; the first three are the classifier's labels."""

    MASKED = MASKED
    BARE = BARE
    WORN_WRONGLY = WORN_WRONGLY
    UNLABELLED = 3


KIND_SHARES = {
    FaceKind.MASKED: 0.40,
    FaceKind.BARE: 0.46,
    FaceKind.WORN_WRONGLY: 0.08,
    FaceKind.UNLABELLED: 0.06,
}


@dataclass(frozen=True, slots=True)
class TrainingScene:
    """A picture, and all that is known of the faces in it."""

    pixels: Pixels
    faces: Boxes
    kinds: NDArray[np.int64]
    """(n,) of `FaceKind`."""
    doubtful: Boxes
    source: int
    """The number of the set that it comes from."""
    nothing: Boxes = field(default_factory=lambda: NO_BOXES)
    """What detectors take for faces, and is none."""


@dataclass(frozen=True, slots=True)
class TrainingPiece:
    """A piece of scenes: what a network is shown, and what it is to find there."""

    pixels: Pixels
    faces: Boxes
    doubtful: Boxes
    nothing: Boxes


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


def with_finds(known: Boxes, finds: Sequence[Find]) -> tuple[Boxes, Boxes]:
    """Return the detections of which nothing is known: faces for sure, and doubtful ones."""
    sure: list[Sides] = []
    doubtful: list[Sides] = []
    for box, score in finds:
        if score >= DOUBTFUL and not overlaps(box, known):
            (sure if score >= SURE else doubtful).append(box)
    return boxes_of(sure), boxes_of(doubtful)


def tightened(labelled: Boxes, finds: Sequence[Find]) -> Boxes:
    """Return the labeled boxes, each drawn half way to a sure detection of the same face.

    People box as they like, each set's in another way; the detector that looked is consistent.
    """
    boxes = labelled.copy()
    for find, score in finds:
        if score < SURE or not len(boxes):
            continue
        box = np.array(find, np.float32)
        shared = _shared_areas(box, labelled)
        iou = shared / (_areas(labelled) + _areas(box[np.newaxis]) - shared)
        if iou.max() >= SAME_FACE_IOU:
            boxes[iou.argmax()] = (labelled[iou.argmax()] + box) / 2
    return boxes


def overlaps(box: Sides, others: Boxes) -> bool:
    """Return whether the box shares a quarter of its own or of another's area with one."""
    own = np.array(box, np.float32)
    smaller = np.minimum(_areas(others), _areas(own[np.newaxis]))
    return bool((_shared_areas(own, others) > 0.25 * smaller).any())


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
        for kind, share in KIND_SHARES.items():
            for source, of_source in enumerate(source_shares):
                chosen = (self._faces[:, 2] == kind) & (self._faces[:, 3] == source)
                # A picture of a crowd teaches more than one of a face, but not a hundred times.
                weights = chosen / np.sqrt(in_scene)
                if weights.sum():
                    shares += share * of_source * weights / weights.sum()
        self._mistaken = [(scene, box) for scene in scenes for box in scene.nothing]
        self._upto = np.cumsum(shares / shares.sum())

    def batch(self, number: int, count: int) -> Batch:
        """Return this many scenes."""
        made = Batch(
            np.zeros((count, SIDE_PX, SIDE_PX, 3), np.uint8),
            np.zeros((count, MOST_FACES, 4), np.float32),
            np.zeros((count, MOST_FACES), np.bool_),
            np.zeros((count, MOST_OTHERS, 4), np.float32),
            np.zeros((count, MOST_OTHERS, 4), np.float32),
        )
        for row in range(count):
            shown = self.draw(np.random.default_rng((self._seed, number, row)))
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

    def draw(self, rng: Generator) -> TrainingPiece:
        """Return one scene of `SIDE_PX`."""
        canvas = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
        canvas[:] = rng.integers(0, 256, 3)
        marks: list[list[Boxes]] = [[], [], []]
        for left, top, tile in self._tiles(SIDE_PX, SIDE_PX, rng):
            height, width = tile.pixels.shape[:2]
            canvas[top : top + height, left : left + width] = tile.pixels
            corner = np.array([left, top, left, top], np.float32)
            for kept, boxes in zip(marks, (tile.faces, tile.doubtful, tile.nothing), strict=True):
                kept.append(boxes + corner)
        faces, doubtful, nothing = (np.concatenate(boxes) for boxes in marks)
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
        if self._mistaken and rng.random() < MISTAKEN:
            scene, box = self._mistaken[int(rng.integers(len(self._mistaken)))]
        else:
            number, place, *_ = self._faces[np.searchsorted(self._upto, rng.random())].tolist()
            scene = self._scenes[number]
            box = scene.faces[place]
        left, top, right, bottom = box.tolist()
        size = float(np.sqrt((right - left) * (bottom - top)))
        least, most = FACE_PX
        wanted = float(np.exp(rng.uniform(np.log(least), np.log(most))))
        if rng.random() < CLOSE_UP:
            wanted = float(rng.uniform(most, LARGEST_PX))
        wanted = min(wanted, 0.95 * min(width, height), MOST_ENLARGED * size)
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


def cut(
    scene: TrainingScene,
    middle: tuple[float, float],
    size: tuple[int, int],
    ratio_x: float,
    ratio_y: float,
    mirrored: bool,
) -> TrainingPiece:
    """Return the piece of the scene around `middle`, scaled to fill `size` (width, height).

    Beyond the picture's edge there is one color, that of its corner.
    """
    width, height = size
    tall, wide = scene.pixels.shape[:2]
    left, top = middle[0] - width / 2 / ratio_x, middle[1] - height / 2 / ratio_y
    # The whole pixels inside the piece, and where they come to lie in the tile.
    x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    x1 = min(wide, int(np.ceil(left + width / ratio_x)))
    y1 = min(tall, int(np.ceil(top + height / ratio_y)))
    tile = np.empty((height, width, 3), np.uint8)
    tile[:] = scene.pixels[0, 0]
    if x1 > x0 and y1 > y0:
        target = (max(1, round((x1 - x0) * ratio_x)), max(1, round((y1 - y0) * ratio_y)))
        piece = resize(scene.pixels[y0:y1, x0:x1], target)
        _paste(tile, piece, round((x0 - left) * ratio_x), round((y0 - top) * ratio_y))
    faces, doubtful, nothing = (
        boxes.copy() for boxes in (scene.faces, scene.doubtful, scene.nothing)
    )
    for boxes in (faces, doubtful, nothing):
        boxes[:, 0::2] = (boxes[:, 0::2] - left) * ratio_x
        boxes[:, 1::2] = (boxes[:, 1::2] - top) * ratio_y
    faces, lost = _visible(faces, width, height)
    doubtful = np.concatenate([lost, _clipped(doubtful, width, height)])
    nothing = _clipped(nothing, width, height)
    if mirrored:
        tile = np.ascontiguousarray(tile[:, ::-1])
        for boxes in (faces, doubtful, nothing):
            boxes[:, 0::2] = width - boxes[:, 2::-2]
    return TrainingPiece(tile, faces, doubtful, nothing)


def _paste(tile: Pixels, piece: Pixels, left: int, top: int) -> None:
    height, width = tile.shape[:2]
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + piece.shape[1]), min(height, top + piece.shape[0])
    if x1 > x0 and y1 > y0:
        tile[y0:y1, x0:x1] = piece[y0 - top : y1 - top, x0 - left : x1 - left]


def _clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    inside = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    has_area = (inside[:, 2] - inside[:, 0] > 1) & (inside[:, 3] - inside[:, 1] > 1)
    return np.asarray(inside[has_area], np.float32)


def _visible(boxes: Boxes, width: int, height: int) -> tuple[Boxes, Boxes]:
    """Return the faces, clipped to the tile, and what of them is too small or too little."""
    inside = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    areas = _areas(inside)
    enough = (areas >= VISIBLE * _areas(boxes)) & (areas >= SMALLEST_PX**2)
    return np.asarray(inside[enough], np.float32), _clipped(boxes[~enough], width, height)


def _shared_areas(box: NDArray[np.float32], others: Boxes) -> NDArray[np.float32]:
    """Return (n,): how many square pixels the box (4,) shares with each of the others."""
    return _areas(
        np.concatenate(
            [np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])], axis=1
        )
    )


def _areas(boxes: Boxes) -> NDArray[np.float32]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides.prod(1), np.float32)


def boxes_of(rows: Sequence[Sides]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)
