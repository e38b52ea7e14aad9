"""Where people pass: how many faces were seen in each part of the picture, and how large; bounded,
and nothing of any one person."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from edge.records import Box

ACROSS: Final = 16
DOWN: Final = 9
SOON: Final = 20
"""Faces in a part before it counts as a place where people pass."""
MOST_SEEN: Final = 100_000
"""Then all counts are halved: what was long ago weighs less."""
APART: Final = 0.09
"""Places lie at least so far apart, in shares of the width."""
Point = tuple[float, float]
"""In shares of the picture, (0, 0) its top left corner."""


class _Cell(msgspec.Struct):
    seen: int = 0
    x: float = 0.0
    """Sums, of shares of the picture."""
    y: float = 0.0


class Passages(msgspec.Struct):
    """Counts of faces by part of the picture."""

    cells: dict[int, _Cell] = msgspec.field(default_factory=dict)
    """By number, row by row; at most ACROSS x DOWN."""

    def add(self, faces: Iterable[Box], width: int, height: int) -> None:
        """Count faces in a frame of this size."""
        for face in faces:
            x, y = face.centre[0] / width, face.centre[1] / height
            column = min(ACROSS - 1, max(0, int(x * ACROSS)))
            row = min(DOWN - 1, max(0, int(y * DOWN)))
            cell = self.cells.setdefault(row * ACROSS + column, _Cell())
            cell.seen += 1
            cell.x += x
            cell.y += y
            if cell.seen >= MOST_SEEN:
                self._halve()

    def _halve(self) -> None:
        for number, cell in list(self.cells.items()):
            cell.seen, cell.x, cell.y = cell.seen // 2, cell.x / 2, cell.y / 2
            if not cell.seen:
                del self.cells[number]

    def places(
        self, most: int, is_watched: Callable[[float, float], bool] = lambda x, y: True
    ) -> tuple[Point, ...]:
        """Return where most people pass, the busiest first; then places spread over the picture,
        as far as they are watched."""
        busy = sorted(
            (cell for cell in self.cells.values() if cell.seen >= SOON), key=lambda each: -each.seen
        )
        chosen: list[Point] = []
        for cell in busy:
            _take(chosen, (cell.x / cell.seen, cell.y / cell.seen), most)
        for point in _SPREAD:
            if is_watched(*point):
                _take(chosen, point, most)
        return tuple(chosen)


_SPREAD: Final = tuple(
    (x, y) for y in (0.4, 0.6, 0.25) for x in (0.5, 0.3, 0.7, 0.15, 0.85, 0.4, 0.6)
)
"""Where heads are where nobody knows better."""


def _take(chosen: list[Point], point: Point, most: int) -> None:
    if len(chosen) < most and all(math.dist(point, each) >= APART for each in chosen):
        chosen.append(point)
