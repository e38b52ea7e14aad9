"""Pieces of scenes: cut out, scaled, mirrored and turned, with the boxes of what they show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from convert.detector.scenes import Boxes, TrainingScene, areas
from edge.pixels import resize
from edge.records import Pixels

SMALLEST_PX = 8.0
"""Faces shown smaller are left alone."""
VISIBLE = 0.55
"""From this share on a face that is cut off by the edge counts as one; below it is left alone."""


@dataclass(frozen=True, slots=True)
class TrainingPiece:
    """A piece of scenes: what a network is shown, and what it is to find there."""

    pixels: Pixels
    faces: Boxes
    doubtful: Boxes
    nothing: Boxes


def turned(scene: TrainingScene, degrees: float) -> TrainingScene:
    """Return the scene turned to the left about its middle, as large as it then has to be.

    A box becomes that of the ellipse in it: a head is round, and its corners are nobody's.
    """
    height, width = scene.pixels.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), np.float64)
    cosine, sine = np.abs(matrix[0, :2])
    across, down = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix[:, 2] += ((across - width) / 2, (down - height) / 2)
    corner = [int(value) for value in scene.pixels[0, 0]]
    pixels = cv2.warpAffine(scene.pixels, matrix, (across, down), borderValue=corner)

    def boxes_in(boxes: Boxes) -> Boxes:
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
        x, y = (boxes[:, 2:] - boxes[:, :2]).T / 2
        reach = np.stack([np.hypot(x * cosine, y * sine), np.hypot(x * sine, y * cosine)], axis=1)
        return np.asarray(np.concatenate([middles - reach, middles + reach], axis=1), np.float32)

    return replace(
        scene,
        pixels=np.asarray(pixels, np.uint8),
        faces=boxes_in(scene.faces),
        doubtful=boxes_in(scene.doubtful),
        nothing=boxes_in(scene.nothing),
    )


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
    shown = areas(inside)
    enough = (shown >= VISIBLE * areas(boxes)) & (shown >= SMALLEST_PX**2)
    return np.asarray(inside[enough], np.float32), _clipped(boxes[~enough], width, height)
