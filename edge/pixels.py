"""Pictures resized and measured: one rule for the size, the interpolation, the sharpness."""

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

    (height, width) gray ones too.
    """
    shrinks = max(size) < max(pixels.shape[:2])
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def sharpness(grey: Pixels) -> float:
    """Return how sharp a (height, width) gray picture is; 0 where it has one level only.

    The variance of the Laplacian (Pech-Pacheco et al., 2000) over that of the brightness, so that
    neither light nor contrast matters.
    """
    contrast = float(grey.var())
    return 0.0 if contrast < 1 else float(cv2.Laplacian(grey, cv2.CV_32F).var()) / contrast
