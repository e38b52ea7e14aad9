"""What lens and light do to a head at a place, estimated from the scene around it.

A head that is drawn sharply into a blurred picture would be found although no real one is. So what
has become of the scene since it was good becomes of the head too: it is blurred as the scene was,
its contrast is multiplied by what is left of the scene's, the haze over the scene lies over the
head, and it gets the noise and the lack of color of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from edge.records import Box, Pixels
from edge.sight.blur import sigma_of, slope_of
from edge.sight.heads import DrawnHead
from edge.sight.scene import BANDS, MEASURED_PX, Map, SceneFigures

REACH: Final = 0.035
"""How far around a place the scene counts, in widths of the picture: a standard deviation."""
EVERYWHERE: Final = 0.02
"""The weight of all of the picture, where a place itself shows nothing but a wall."""
COARSE: Final = slice(3, BANDS)
"""The bands by which light is told from lens: no defocus that leaves a face takes them."""
MOST: Final = 1.5
"""More contrast than so much is another scene, not more light."""
GOOD_LENS_PX: Final = 0.6
"""How a sharp camera blurs: a standard deviation, in its own pixels."""
WELL_LIT: Final = 110.0
"""The mean level of a scene whose heads are as bright as they are drawn."""
LIGHT: Final = (0.35, 1.3)
"""The least and most of their light."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What becomes of a head at one place."""

    light: float
    """What it is lit with, in a scene as in the reference."""
    contrast: float
    """What is left of the scene's coarse contrast."""
    blur_px: float
    """How much more the scene is blurred: a standard deviation, in pixels of the picture."""
    haze: tuple[float, float, float]
    """What lies over it: levels of Y, Cr and Cb (those from 128 on)."""
    color: float
    """What is left of its color."""


def transfer(
    reference: SceneFigures, now: SceneFigures, x: float, y: float, width_px: int
) -> Transfer:
    """Compare the scene with the reference, which is `aligned`, around a place (shares).

    `width_px` is that of the picture.
    """
    weight = _around(reference, x, y)
    had, has = (np.tensordot(each.power, weight, axes=2) for each in (reference, now))
    kept = np.sqrt(has.clip(0) / had.clip(1e-3)).clip(0, MOST)
    contrast = float(max(0.01, kept[COARSE].mean()))
    before, after = (
        np.tensordot(weight, each.level, axes=2) / weight.sum() for each in (reference, now)
    )
    color = min(MOST, now.color / reference.color) if reference.color > 1 else 1.0
    light = float(np.clip(reference.level[..., 0].mean() / WELL_LIT, *LIGHT))
    haze = (
        float(after[0] - contrast * before[0]),
        *(float(after[each] - 128 - color * (before[each] - 128)) for each in (1, 2)),
    )
    slope = slope_of(np.asarray(reference.power.mean(axis=(1, 2)), np.float64))
    blur_px = sigma_of(np.asarray(kept / contrast, np.float64), slope)
    blur_px *= max(1.0, width_px / MEASURED_PX)
    return Transfer(light, contrast, blur_px, (haze[0], haze[1], haze[2]), float(color))


def blended(
    pixels: Pixels, noise: Map, head: DrawnHead, at: tuple[float, float], by: Transfer
) -> Box:
    """Draw a head into `pixels`, which change, and return the box of its face.

    `at` is the center of its face; it must fit in. `noise` is what differs between two pictures, of
    the same shape as `pixels`.
    """
    side = head.side
    left, top = (round(part - middle) for part, middle in zip(at, head.face.centre, strict=True))
    part = (slice(top, top + side), slice(left, left + side))
    alpha, shades = _seen(head, by)
    around = pixels[part].astype(np.float32)
    under = cv2.cvtColor(around.clip(0, 255).astype(np.uint8), cv2.COLOR_BGR2YCrCb)
    mixed = under.astype(np.float32) * (1 - alpha[..., None]) + shades
    out = cv2.cvtColor(np.clip(np.rint(mixed), 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2BGR)
    grainy = out.astype(np.float32) + noise[part] * alpha[..., None]
    # What is outside the head stays to the bit.
    kept = alpha[..., None] < 1 / 512
    pixels[part] = np.where(kept, pixels[part], np.clip(np.rint(grainy), 0, 255)).astype(np.uint8)
    return head.face.moved(left, top)


def _around(figures: SceneFigures, x: float, y: float) -> Map:
    rows, columns = figures.level.shape[:2]
    down, across = np.mgrid[:rows, :columns].astype(np.float32)
    # A cell is as high as it is wide.
    far = ((across + 0.5 - x * columns) ** 2 + (down + 0.5 - y * rows) ** 2) / columns**2
    near = np.exp(-far / (2 * REACH**2))
    return np.asarray(near / near.sum() + EVERYWHERE / near.size, np.float32)


def _seen(head: DrawnHead, by: Transfer) -> tuple[Map, Map]:
    """Return the head's alpha, and its Y, Cr and Cb times alpha, as they arrive in the picture."""
    sigma = math.hypot(GOOD_LENS_PX, by.blur_px)
    alpha = np.asarray(cv2.GaussianBlur(head.alpha, (0, 0), sigma), np.float32)
    colors = cv2.GaussianBlur(head.colors, (0, 0), sigma) / 255 * np.float32(by.light)
    shades = cv2.cvtColor(np.asarray(colors, np.float32), cv2.COLOR_BGR2YCrCb) * 255
    luma = by.contrast * shades[..., 0] + by.haze[0] * alpha
    # Haze has a color of its own, and less light takes as much of it as of the brightness. Times
    # alpha, gray is 0: OpenCV adds half to Cr and Cb, also where there is nothing.
    chroma = [
        min(1.0, by.contrast) * by.color * (shades[..., plane] - 127.5) + (128 + haze) * alpha
        for plane, haze in zip((1, 2), by.haze[1:], strict=True)
    ]
    return alpha, np.stack([luma, *chroma], axis=-1).astype(np.float32)
