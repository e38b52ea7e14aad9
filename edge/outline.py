"""Outlines in a picture: polygons whose corners are fractions of it, (0, 0) the top left one."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, float]


def area(polygon: Sequence[Point]) -> float:
    """Return which share of the picture an outline that does not cross itself encloses.

    The shoelace formula.
    """
    pairs = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Return whether a point is inside an outline, or on it.

    By how often a ray to the right crosses it. Without OpenCV, which the settings do not need.
    """
    x, y = point
    is_inside = False
    for a, b in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if _side(a, b, point) == 0 and _is_between(a, b, point):
            return True
        if (a[1] > y) != (b[1] > y) and x < a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]):
            is_inside = not is_inside
    return is_inside


def crosses_itself(polygon: Sequence[Point]) -> bool:
    """Return whether two sides meet that are not next to each other."""
    corners = [each for place, each in enumerate(polygon) if each != polygon[place - 1]]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    return any(
        _meet(*sides[first], *sides[second])
        for first in range(len(sides))
        for second in range(first + 2, len(sides))
        if (second + 1) % len(sides) != first
    )


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Return whether the lines from `a` to `b` and from `c` to `d` have a point in common."""
    sides = [_side(a, b, c), _side(a, b, d), _side(c, d, a), _side(c, d, b)]
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(side == 0 and _is_between(*each) for side, each in zip(sides, ends, strict=True))


def _side(a: Point, b: Point, point: Point) -> float:
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])


def _is_between(a: Point, b: Point, point: Point) -> bool:
    """Return whether `point`, on the line through `a` and `b`, lies between them."""
    return all(min(a[axis], b[axis]) <= point[axis] <= max(a[axis], b[axis]) for axis in (0, 1))
