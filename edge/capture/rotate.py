"""Turning the picture of a camera that hangs on its side."""

from __future__ import annotations

import cv2
import numpy as np

from edge.records import Pixels

_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def rotated(pixels: Pixels, clockwise_deg: int) -> Pixels:
    """Return the picture turned by 0, 90, 180 or 270 degrees; for 0 the very same array."""
    if clockwise_deg == 0:
        return pixels
    return np.asarray(cv2.rotate(pixels, _CODES[clockwise_deg]), np.uint8)
