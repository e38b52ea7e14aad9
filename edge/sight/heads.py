"""Drawn heads with shoulders, cut out, in looks that the neural networks take for people."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.people import Colour, Figure, draw
from edge.records import Box, Verdict

_LARGER = 2.0
"""A head is drawn larger by this at least, and made smaller by area: that is what a lens does."""
_LEAST_DRAWN_PX = 96
_ABOVE, _ACROSS = 0.8, 2.2
"""Heads: of the middle of the face from the top, and of the whole cutout."""
_HALF_FACE = (0.37, 0.5)
"""Heads: half the width and half the height of a face, see `edge.people.draw`."""

_SKINS: tuple[Colour, ...] = (
    (60, 84, 128),
    (92, 122, 172),
    (118, 148, 196),
    (150, 178, 222),
    (46, 62, 92),
)
_HAIRS: tuple[Colour, ...] = (
    (15, 15, 18),
    (25, 28, 34),
    (40, 60, 90),
    (90, 120, 160),
    (130, 130, 130),
)
_COATS: tuple[Colour, ...] = (
    (120, 80, 60),
    (70, 90, 150),
    (90, 120, 90),
    (60, 60, 60),
    (170, 170, 175),
    (40, 40, 110),
)
_MASKS: tuple[Colour, ...] = ((235, 235, 235), (225, 205, 165), (40, 40, 42), (200, 180, 120))
_TROUSERS: Colour = (60, 60, 55)


@dataclass(frozen=True, slots=True)
class DrawnHead:
    """A head and shoulders."""

    colors: NDArray[np.float32]
    """(height, width, 3), BGR times `alpha`."""
    alpha: NDArray[np.float32]
    """(height, width), 0 to 1."""
    face: Box
    """In it."""

    @property
    def side(self) -> int:
        """Its width and height in pixels."""
        return self.alpha.shape[0]

    def turned(self, degrees: float) -> DrawnHead:
        """Return it turned counterclockwise around its face; what leaves the square is lost."""
        if not degrees:
            return self
        turn = cv2.getRotationMatrix2D(self.face.centre, degrees, 1)
        size = (self.side, self.side)
        return DrawnHead(
            np.asarray(cv2.warpAffine(self.colors, turn, size), np.float32),
            np.asarray(cv2.warpAffine(self.alpha, turn, size), np.float32),
            self.face,
        )


def cutout(look: int, wears: Verdict, size_px: float) -> DrawnHead:
    """Return a head with a face of this size (geometric mean of width and height).

    `look` is any number from 0 on; the same one is the same person. `wears` is `MASKED` or `BARE`.
    """
    width, height = _HALF_FACE
    head_px = size_px / (2 * np.sqrt(width * height))
    drawn_px = max(_LEAST_DRAWN_PX, _LARGER * head_px)
    colors, alpha = _drawn(look, drawn_px, is_masked=wears is Verdict.MASKED)
    side = max(4, round(_ACROSS * head_px))
    head_px = side / _ACROSS
    x, y = side / 2, _ABOVE * head_px
    return DrawnHead(
        np.asarray(cv2.resize(colors, (side, side), interpolation=cv2.INTER_AREA), np.float32),
        np.asarray(cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA), np.float32),
        Box(x - width * head_px, y - height * head_px, x + width * head_px, y + height * head_px),
    )


def _drawn(
    look: int, drawn_px: float, *, is_masked: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    who = Figure(
        x=_ACROSS * drawn_px / 2,
        y=_ABOVE * drawn_px,
        head_px=drawn_px,
        skin=_SKINS[look % len(_SKINS)],
        hair=_HAIRS[(3 * look + look // len(_SKINS)) % len(_HAIRS)],
        coat=_COATS[look % len(_COATS)],
        trousers=_TROUSERS,
        mask=_MASKS[look % len(_MASKS)] if is_masked else None,
    )
    side = round(_ACROSS * drawn_px)
    black = np.zeros((side, side, 3), np.uint8)
    white = np.full_like(black, 255)
    draw(black, who, who.x, who.y)
    draw(white, who, who.x, who.y)
    # What shows through is where the two differ.
    shows = (white.astype(np.float32) - black).mean(axis=2) / 255
    return black.astype(np.float32), np.asarray(1 - shows, np.float32)
