"""Frames of a camera or stream that OpenCV reads, stamped on arrival."""

from __future__ import annotations

import cv2
import numpy as np

from edge.capture.rotate import rotated
from edge.clock import Clock
from edge.records import Frame


class ArrivingFrames:
    """What a USB camera and a network stream have in common once they are open."""

    def __init__(self, capture: cv2.VideoCapture, rotation_deg: int, clock: Clock) -> None:
        self._capture = capture
        self._rotation_deg = rotation_deg
        self._clock = clock
        self._number = 0

    def read(self) -> Frame | None:
        """Wait for the next frame; None where OpenCV gets none."""
        arrived, pixels = self._capture.read()
        if not arrived:
            return None
        upright = rotated(np.asarray(pixels, np.uint8), self._rotation_deg)
        number = self._number
        self._number += 1
        return Frame(number, upright, self._clock.utc(), self._clock.monotonic_s())

    def close(self) -> None:
        self._capture.release()
