"""Where faces count: in regions, and not where posters and screens hang."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config import Polygon

GRID = 64
"""Points along each side in which an area is looked for: a part that they miss is no door."""


class Area:
    """The part of the picture that is watched; points are fractions of it."""

    def __init__(self, within: Sequence[Polygon] = (), without: Sequence[Polygon] = ()) -> None:
        """A point counts in any of `within`, or anywhere without one, but in none of `without`."""
        self._within = [np.array(each, np.float32) for each in within]
        self._without = [np.array(each, np.float32) for each in without]
        self.bounds = _around(self._within)
        """Left, top, right and bottom around all regions; None: the whole picture."""

    def holds(self, x: float, y: float) -> bool:
        """Return whether a face with its center there counts."""
        inside = not self._within or any(_is_in(each, x, y) for each in self._within)
        return inside and not any(_is_in(each, x, y) for each in self._without)

    @property
    def is_empty(self) -> bool:
        """Return whether no face counts anywhere, as far as a grid of points can show."""
        steps = [(each + 0.5) / GRID for each in range(GRID)]
        return not any(self.holds(x, y) for x in steps for y in steps)


def _around(regions: Sequence[NDArray[np.float32]]) -> tuple[float, float, float, float] | None:
    if not regions:
        return None
    points = np.concatenate(regions)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _is_in(polygon: NDArray[np.float32], x: float, y: float) -> bool:
    return cv2.pointPolygonTest(polygon, (x, y), False) >= 0
