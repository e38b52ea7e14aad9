"""From pixels to the classifier's input: the only code that does it.

Training, calibration, evaluation and the camera all come through here, down to the interpolation,
so the network never meets a face prepared in a way that it was not trained on.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.pixels import resize, scaled, sharpness
from edge.records import Box, Pixels

SHARPNESS_SIDE_PX = 32
"""Faces are shrunk to at most this side first, so that one limit serves all sizes."""


def square_around(box: Box, margin: float) -> tuple[int, int, int]:
    """Return (left, top, side) in whole pixels of the square that shows the face of `box`.

    The square shares the box's center; its side is `margin` times the longer side of the box. It
    may reach over the edge of the picture.
    """
    side = max(1, round(max(box.width, box.height) * margin))
    x, y = box.centre
    return round(x - side / 2), round(y - side / 2), side


def crop_face(pixels: Pixels, box: Box, margin: float, side_px: int) -> Pixels:
    """Return the square around `box` as (side_px, side_px, 3) uint8 BGR.

    Where the square reaches over the edge of the picture, the edge is replicated. Shrinking
    averages areas, enlarging is bilinear. `box` must overlap the picture.
    """
    left, top, side = square_around(box, margin)
    height, width = pixels.shape[:2]
    right, bottom = left + side, top + side
    # The square's center lies in the picture, but rounding can push a tiny square just outside it.
    x0, x1 = min(max(left, 0), width - 1), max(min(right, width), 1)
    y0, y1 = min(max(top, 0), height - 1), max(min(bottom, height), 1)
    inside = pixels[y0:y1, x0:x1]
    overhang = (max(0, y0 - top), max(0, bottom - y1), max(0, x0 - left), max(0, right - x1))
    if not any(overhang):
        return resize_square(inside, side_px)
    whole = cv2.copyMakeBorder(inside, *overhang, borderType=cv2.BORDER_REPLICATE)
    return resize_square(np.asarray(whole, np.uint8), side_px)


def resize_square(crop: Pixels, side_px: int) -> Pixels:
    """Resize a square picture the way every crop is resized."""
    return resize(crop, (side_px, side_px))


def to_float(crops: Pixels) -> NDArray[np.float32]:
    """Map crops (..., side, side, 3) uint8 BGR to the network's float32 RGB in [-1, 1].

    This is MobileNetV2's own ImageNet scaling, x / 127.5 - 1.
    """
    return crops[..., ::-1].astype(np.float32) / np.float32(127.5) - np.float32(1)


def quantize(values: NDArray[np.float32], scale: float, zero_point: int) -> NDArray[np.int8]:
    """Map real values onto int8 by rounding and saturating.

    A bare `astype(np.int8)` would cut toward zero and wrap 128 round to -128.
    """
    steps = np.round(values / scale) + zero_point
    return np.asarray(np.clip(steps, -128, 127), np.int8)


def dequantize(values: NDArray[np.int8], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Map int8 back to the real values that it stands for."""
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def int8_levels(scale: float, zero_point: int) -> NDArray[np.int8]:
    """Return the (256,) table from a uint8 channel value to the network's int8 input.

    `int8_levels(...)[crops[..., ::-1]]` is `quantize(to_float(crops), ...)` at a look-up's cost.
    """
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return quantize(to_float(ramp)[:, 0], scale, zero_point)


def to_int8(crops: Pixels, levels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Map crops (..., side, side, 3) uint8 BGR to int8 RGB by the table of `int8_levels`."""
    # OpenCV's table look-up on one long row: a tenth of the time of numpy's.
    mapped = cv2.LUT(crops.reshape(1, -1), levels).reshape(crops.shape)
    return np.asarray(mapped[..., ::-1], np.int8)


def face_sharpness(pixels: Pixels, box: Box) -> float:
    """Return how sharp the face is: below 0.05 for a smear, above 0.1 for nearly every face.

    That of `edge.pixels`, of the face shrunk to at most 32 px.
    """
    clipped = box.clipped(pixels.shape[1], pixels.shape[0])
    if clipped is None:
        return 0.0
    x0, y0 = int(clipped.left), int(clipped.top)
    face = pixels[y0 : max(y0 + 1, int(clipped.bottom)), x0 : max(x0 + 1, int(clipped.right))]
    grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)
    return sharpness(scaled(grey, min(1.0, SHARPNESS_SIDE_PX / max(grey.shape))))
