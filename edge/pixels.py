"""Pictures resized: one rule for the size, and one for the interpolation."""

from __future__ import annotations

import cv2
import numpy as np

from edge.records import Pixels


def scaled_size(pixels: Pixels, ratio: float) -> tuple[int, int]:
    """Return width and height of a picture times `ratio`, in whole pixels, each at least 1."""
    height, width = pixels.shape[:2]
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def scaled(pixels: Pixels, ratio: float) -> Pixels:
    """Return a picture times `ratio`; the same one, not a copy, where that is 1."""
    return pixels if ratio == 1 else resize(pixels, scaled_size(pixels, ratio))


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize a picture to width and height: by area where it shrinks, else bilinear.

    (height, width) grey ones too.
    """
    shrinks = max(size) < max(pixels.shape[:2])
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)
