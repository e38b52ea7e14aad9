"""Patterns for self-tests: drawn from a number, the same on every machine, so none is kept."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.records import Pixels

_CELLS: Final = (2, 3, 4, 6, 8)


def draw(number: int, side_px: int) -> Pixels:
    """Return pattern `number` as a crop (side_px, side_px, 3) uint8 BGR: blotches of color.

    A grid of random colors, with everything between them interpolated.
    """
    cells = _CELLS[number % len(_CELLS)]
    corners = _noise(number, 3 * (cells + 1) ** 2).reshape(cells + 1, cells + 1, 3)
    # In 256ths of a cell.
    places = np.arange(side_px) * cells * 256 // side_px
    before, weight = places >> 8, (places & 255)[:, None]
    rows = corners[before] * (256 - weight[..., None]) + corners[before + 1] * weight[..., None]
    pixels = rows[:, before] * (256 - weight) + rows[:, before + 1] * weight
    return np.asarray(pixels >> 16, np.uint8)


def _noise(seed: int, count: int) -> NDArray[np.int64]:
    """Return `count` values of 0 to 255, by SplitMix64 (Steele, Lea and Flood, 2014)."""
    # numpy's own generators may change from version to version.
    state = np.uint64(seed << 32) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(56)).astype(np.int64)
