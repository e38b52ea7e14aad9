"""Drawn stand-ins for the scenes that a detector learns from."""

from __future__ import annotations

import numpy as np

from convert.detector.scenes import NO_BOXES, FaceKind, TrainingScene

FACE = (40.0, 30.0, 60.0, 54.0)
WHITE = 255


def scene(
    *faces: tuple[float, float, float, float], kind: FaceKind = FaceKind.BARE
) -> TrainingScene:
    """A black picture of 120 x 100 in which faces are white rectangles."""
    pixels = np.zeros((100, 120, 3), np.uint8)
    for left, top, right, bottom in faces:
        pixels[int(top) : int(bottom), int(left) : int(right)] = WHITE
    boxes = np.array(faces, np.float32).reshape(-1, 4)
    return TrainingScene(pixels, boxes, np.full(len(faces), kind, np.int64), NO_BOXES, 0)
