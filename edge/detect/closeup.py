"""Where a closer look is worth it.

Somebody far away is too small for the picture that the detector sees of the whole scene. A
close-up shows half of the frame's width and height in the size of that picture: every face twice as
large, at the same price. It goes where something has moved, or a small face was found, and nothing
has been looked at closely since; so several places get their turns.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Box, Frame

SHARE = 0.5
"""Of the frame's width and height."""
KEPT = 0.7
"""What is left of a movement's interest at the next scan: its cause has moved on."""
FORGOTTEN = 0.1
"""Less than this is none."""
FACE_INTEREST = 3.0
"""A small face's, in each pixel of the map; a movement's is 1."""


class CloseUps:
    """Chooses the part of the frame that is next, on a map as coarse as the glimpse."""

    def __init__(self) -> None:
        self._interest: NDArray[np.float32] = np.zeros((1, 1), np.float32)

    def note_movement(self, changed: NDArray[np.bool_]) -> None:
        """Something moved in these pixels of the map."""
        if changed.shape != self._interest.shape:
            self._interest = np.zeros(changed.shape, np.float32)
        self._interest *= KEPT
        self._interest[self._interest < FORGOTTEN] = 0
        self._interest += changed

    def note_face(self, box: Box, frame: Frame) -> None:
        """A small face was found there, in pixels of the frame."""
        self._interest[self._at(box, frame)] += FACE_INTEREST

    def next(self, frame: Frame) -> Box | None:
        """Return the part of the frame, in its pixels, that is most worth it; None: none is."""
        if not self._interest.any():
            return None
        rows, columns = self._interest.shape
        # Of the windows that hold as much the one with it in its middle: a box, blurred by a box.
        half = (max(1, round(columns * SHARE / 2)), max(1, round(rows * SHARE / 2)))
        border = cv2.BORDER_CONSTANT
        held = cv2.blur(cv2.blur(self._interest, half, borderType=border), half, borderType=border)
        _, _, _, (x, y) = cv2.minMaxLoc(held)
        width, height = math.ceil(frame.width * SHARE), math.ceil(frame.height * SHARE)
        left = _inside(round((x + 0.5) / columns * frame.width - width / 2), frame.width - width)
        top = _inside(round((y + 0.5) / rows * frame.height - height / 2), frame.height - height)
        box = Box(left, top, left + width, top + height)
        self._interest[self._at(box, frame)] = 0
        return box

    def _at(self, box: Box, frame: Frame) -> tuple[slice, slice]:
        """Return where on the map a part of the frame is."""
        rows, columns = self._interest.shape
        at = box.scaled(columns / frame.width, rows / frame.height)
        return (
            slice(int(at.top), math.ceil(at.bottom)),
            slice(int(at.left), math.ceil(at.right)),
        )


def _inside(start: int, most: int) -> int:
    return min(max(start, 0), most)
