"""The prototype's face detector: OpenCV's SSD on a ResNet-10, trained at 300 x 300."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.errors import ModelError
from edge.records import Box, Face, Pixels

INPUT_PX = (300, 300)
MEAN_BGR = (104.0, 177.0, 123.0)
"""Subtracted in training: OpenCV's face detector sample names these."""


class Res10:
    input_px: int | None = INPUT_PX[0]

    def __init__(
        self, name: str, description: bytes, network: bytes, confidence: float, sure: float
    ) -> None:
        """Read the bytes of prototxt and caffemodel. Raises cv2.error when they are none."""
        if not hasattr(cv2.dnn, "readNetFromCaffe"):
            raise ModelError(
                f"OpenCV {cv2.__version__} no longer reads Caffe models; install opencv below 5 "
                '(requirements-pi.txt), or set [detector] name = "yunet"'
            )
        self._network = cv2.dnn.readNetFromCaffe(
            np.frombuffer(description, np.uint8), np.frombuffer(network, np.uint8)
        )
        # Its transformed weights would take 27 MB, a fifth of the service's memory, for a tenth of
        # the time.
        self._network.enableWinograd(False)
        self.name = name
        self.sure = sure
        self._confidence = confidence

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        height, width = pixels.shape[:2]
        self._network.setInput(cv2.dnn.blobFromImage(pixels, 1.0, INPUT_PX, MEAN_BGR))
        faces = []
        # Rows of picture, class, score, left, top, right, bottom; the sides as fractions.
        for _, _, score, left, top, right, bottom in self._network.forward()[0, 0].tolist():
            if not math.isfinite(left + top + right + bottom + score):
                continue
            if score < self._confidence or right <= left or bottom <= top:
                continue
            box = Box(left * width, top * height, right * width, bottom * height)
            if inside := box.clipped(width, height):
                faces.append(Face(inside, min(score, 1.0)))
        return tuple(sorted(faces, key=lambda face: -face.confidence))
