"""Where a scene has gone: by how much the camera was pushed and turned since the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.sight.scene import MIDDLE, Map, SceneFigures

STEP_DEG: Final = 4
MOST_DEG: Final = 60
MOST_SHIFT: Final = 0.45
"""Of the picture's width or height."""
LEAST_OVERLAP: Final = 0.3
"""Of the cells: less shows nothing."""
BETTER_BY: Final = 0.12
"""A correlation that is better by this than that of the unmoved scene is a movement,"""
LEAST_CORRELATION: Final = 0.35
"""if it is a likeness at all."""


@dataclass(frozen=True, slots=True)
class Movement:
    """From the reference to what is seen now."""

    right: float = 0.0
    """Of the picture's width."""
    down: float = 0.0
    """Of its height."""
    turned_deg: float = 0.0
    """Counterclockwise, around its center."""
    likeness: float = 1.0
    """The correlation with the reference, -1 to 1."""

    @property
    def is_any(self) -> bool:
        return bool(self.right or self.down or self.turned_deg)

    def moved(self, x: float, y: float, aspect: float) -> tuple[float, float]:
        """Return where a point of the reference is now; both in shares of the picture, which is
        `aspect` times as wide as high."""
        angle = math.radians(self.turned_deg)
        across, along = (x - 0.5) * aspect, y - 0.5
        turned_x = across * math.cos(angle) + along * math.sin(angle)
        turned_y = -across * math.sin(angle) + along * math.cos(angle)
        return 0.5 + turned_x / aspect + self.right, 0.5 + turned_y + self.down


def movement(reference: SceneFigures, now: SceneFigures) -> Movement:
    """Return how the scene has moved; not at all where nothing else is clearly more alike."""
    before, after = _drawing(reference), _drawing(now)
    everywhere = np.ones_like(before)
    rows, columns = before.shape
    unmoved = float(_correlation(before, everywhere, after, everywhere, (0, 0)).max())
    best = Movement(likeness=unmoved)
    reach = (round(MOST_SHIFT * rows), round(MOST_SHIFT * columns))
    for degrees in range(-MOST_DEG, MOST_DEG + 1, STEP_DEG):
        turn = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), degrees, 1)
        turned = cv2.warpAffine(before, turn, (columns, rows))
        known = cv2.warpAffine(everywhere, turn, (columns, rows))
        alike = _correlation(
            np.asarray(turned, np.float32),
            np.asarray(known > 0.99, np.float32),
            after,
            everywhere,
            reach,
        )
        row, column = np.unravel_index(int(alike.argmax()), alike.shape)
        if alike[row, column] > best.likeness:
            best = Movement(
                (int(column) - reach[1]) / columns,
                (int(row) - reach[0]) / rows,
                degrees,
                float(alike[row, column]),
            )
    if best.likeness < LEAST_CORRELATION or best.likeness < unmoved + BETTER_BY:
        return Movement(likeness=unmoved)
    return best


def aligned(reference: SceneFigures, by: Movement) -> SceneFigures:
    """Return the reference as it would look after the movement; at its rim the nearest cell."""
    if not by.is_any:
        return reference
    rows, columns = reference.level.shape[:2]
    turn = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), by.turned_deg, 1)
    turn = turn + np.array([[0, 0, by.right * columns], [0, 0, by.down * rows]])

    def warped(values: Map) -> Map:
        size = (columns, rows)
        moved = cv2.warpAffine(values, turn, size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.float32)

    return SceneFigures(
        np.asarray([warped(each) for each in reference.power], np.float32),
        warped(reference.level),
        reference.order,
        reference.noise,
    )


def _drawing(figures: SceneFigures) -> Map:
    """Return where edges are, whatever the light: each cell beside its surroundings."""
    shades = np.log1p(np.sqrt(np.maximum(figures.power[MIDDLE].sum(axis=0), 0)))
    return np.asarray(shades - cv2.GaussianBlur(shades, (0, 0), 6), np.float32)


def _correlation(
    one: Map, known: Map, other: Map, seen: Map, reach: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the normalized correlation of what both maps know, for each shift of `one`.

    Masked normalized cross-correlation (Padfield, 2012). Shifts of `-reach` to `reach`, rows first.
    """
    rows, columns = one.shape
    size = (rows + other.shape[0], columns + other.shape[1])

    def spectrum(values: Map) -> NDArray[np.complex128]:
        return np.fft.rfft2(values.astype(np.float64), size)

    def together(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> NDArray[np.float64]:
        shifts = np.fft.irfft2(np.conj(a) * b, size)
        picked = np.roll(shifts, reach, axis=(0, 1))
        return picked[: 2 * reach[0] + 1, : 2 * reach[1] + 1]

    masked_one, masked_other = one * known, other * seen
    k, s = spectrum(known), spectrum(seen)
    f, g = spectrum(masked_one), spectrum(masked_other)
    overlap = np.maximum(together(k, s), 1e-6)
    sum_one, sum_other = together(f, s), together(k, g)
    squares_one = together(spectrum(masked_one**2), s) - sum_one**2 / overlap
    squares_other = together(k, spectrum(masked_other**2)) - sum_other**2 / overlap
    shared = together(f, g) - sum_one * sum_other / overlap
    scale = np.sqrt(np.maximum(squares_one, 0) * np.maximum(squares_other, 0))
    alike = np.where(scale > 1e-9, shared / np.maximum(scale, 1e-9), 0.0)
    return np.where(overlap >= LEAST_OVERLAP * one.size, alike, -1.0)
