"""How good a picture is: sharpness and light, to aim and focus a camera by."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from edge.pixels import sharpness
from edge.records import Pixels
from edge.telemetry import CameraView

CENTRE_PX = 480
"""Side of the part in the middle whose sharpness is measured: of the picture as it is, since a
smaller one is sharp whatever the lens does."""
UNCLEAR = {
    CameraView.DARK: "too dark",
    CameraView.BLINDED: "blinded",
    CameraView.COVERED: "covered",
}
"""What is said of a picture that shows nothing, whatever its figures are."""


class Quality(msgspec.Struct, frozen=True):
    """How good it is, as numbers and as text."""

    sharpness: float
    """Of the middle; comparable only between pictures of the same scene. 0: nothing is seen."""
    light: int
    """Mean brightness, 0 to 100."""
    light_text: str
    view: CameraView | None


def quality_of(pixels: Pixels, view: CameraView | None = CameraView.CLEAR) -> Quality:
    """Return how sharp and how bright a picture is; `view` is what the camera makes of it.

    Sharpness is that of `edge.pixels`, times 100. A covered lens gives noise, which that takes for
    sharp: of a picture that shows nothing there is none.
    """
    mean = float(np.mean(pixels[::8, ::8]))
    light = round(mean / 2.55)
    if view in UNCLEAR:
        return Quality(0.0, light, UNCLEAR[view], view)
    height, width = pixels.shape[:2]
    top, left = max(0, (height - CENTRE_PX) // 2), max(0, (width - CENTRE_PX) // 2)
    grey = cv2.cvtColor(pixels[top : top + CENTRE_PX, left : left + CENTRE_PX], cv2.COLOR_BGR2GRAY)
    sharp = sharpness(np.asarray(grey, np.uint8))
    return Quality(round(100 * sharp, 1), light, _light_in_words(mean), view)


def _light_in_words(mean: float) -> str:
    for below, text in ((50, "dim"), (200, "good"), (235, "very bright")):
        if mean < below:
            return text
    return "glaring"
