"""Charts as inline SVG. Colours come from the page's style, so they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from convert.report.html import Child, Html, details, table, tag

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 50, 18, 10, 40
"""Space around the plot, in units of the view box."""
LONGEST_NAME = 12
SHIFT = 5
"""How far apart lie the points of several series at one place of a named axis."""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    x: float
    y: float
    low: float | None = None
    """Where the interval of `y` begins; None without one."""
    high: float | None = None
    radius: float = 3.5
    """Of its dot, where the series has dots."""


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    points: Sequence[ChartPoint]
    has_dots: bool = False
    has_line: bool = True


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    low: float
    high: float
    names: Sequence[str] = ()
    """Of the places 0, 1, 2, …, where they are no numbers."""

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Return where the lines of the grid are: steps of 1, 2 or 5."""
        if self.names:
            return [(float(place), _short(name)) for place, name in enumerate(self.names)]
        rough = (self.high - self.low) / 5
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(number * step, f"{number * step:.6g}") for number in range(first, last + 1)]


SHARES = Axis("share", 0, 1)


def named(name: str, places: Sequence[str]) -> Axis:
    """Return an axis of places with names."""
    return Axis(name, -0.5, len(places) - 0.5, places)


def shares(name: str, series: Sequence[Series]) -> Axis:
    """Return an axis up to 1 that begins a little below the lowest point, to show differences."""
    lowest = min(
        (p.y if p.low is None else p.low for each in series for p in each.points), default=0
    )
    return Axis(name, max(0.0, min(0.9, math.floor(lowest * 20) / 20)), 1)


def chart(
    title: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    marks: Sequence[tuple[float, str]] = (),
    *,
    diagonal: bool = False,
    numbers: Html | None = None,
) -> Html:
    """Return a figure: the drawing, and its numbers as a table that opens.

    `marks` are named upright lines; `numbers` is the table, where the points do not say it all.
    """

    def across(value: float) -> float:
        return round(LEFT + (value - x.low) / (x.high - x.low) * (WIDTH - LEFT - RIGHT), 1)

    def down(value: float) -> float:
        share = (value - y.low) / (y.high - y.low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    top, bottom, left, right = down(y.high), down(y.low), across(x.low), across(x.high)
    drawn: list[Child] = []
    for at, name in y.ticks:
        drawn.append(tag("line", x1=left, x2=right, y1=down(at), y2=down(at), class_="grid"))
        drawn.append(tag("text", name, x=left - 5, y=down(at) + 4, class_="end"))
    for at, name in x.ticks:
        drawn.append(tag("line", x1=across(at), x2=across(at), y1=top, y2=bottom, class_="grid"))
        drawn.append(tag("text", name, x=across(at), y=bottom + 14, class_="middle"))
    drawn.append(tag("text", x.name, x=(left + right) / 2, y=bottom + 32, class_="middle axis"))
    drawn.append(
        tag(
            "text",
            y.name,
            transform=f"translate(11 {(top + bottom) / 2}) rotate(-90)",
            class_="middle axis",
        )
    )
    if diagonal:
        drawn.append(tag("line", x1=left, y1=bottom, x2=right, y2=top, class_="mark"))
    for at, name in marks:
        drawn.append(tag("line", x1=across(at), x2=across(at), y1=top, y2=bottom, class_="mark"))
        side = ("start", 4) if across(at) < (left + right) / 2 else ("end", -4)
        drawn.append(tag("text", name, x=across(at) + side[1], y=bottom - 6, class_=side[0]))
    for number, each in enumerate(series):
        shift = SHIFT * (number - (len(series) - 1) / 2) if x.names else 0
        places = [(across(p.x) + shift, down(p.y)) for p in each.points]
        intervals = [
            (down(p.y if p.low is None else p.low), down(p.y if p.high is None else p.high))
            for p in each.points
        ]
        drawn += _drawn(number, each, places, intervals)
    svg = tag(
        "svg",
        drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title}: {', '.join(each.name for each in series)}, over {x.name}",
    )
    keys = [tag("li", _key(number, each), each.name) for number, each in enumerate(series)]
    numbers = numbers or _numbers(title, x, y, series)
    return tag(
        "figure",
        tag("figcaption", title),
        svg,
        tag("ul", keys, class_="legend"),
        details("Numbers", numbers),
    )


def _drawn(
    number: int,
    series: Series,
    places: Sequence[tuple[float, float]],
    intervals: Sequence[tuple[float, float]],
) -> list[Html]:
    """Return the line, intervals and dots of a series, given where they are in the drawing."""
    drawn = []
    if series.has_line and places:
        path = "M" + "L".join(dict.fromkeys(f"{x:g} {y:g}" for x, y in places))
        drawn.append(tag("path", d=path, class_=f"line s{number}"))
    for (x, y), (low, high), point in zip(places, intervals, series.points, strict=True):
        if low != high:
            drawn.append(tag("line", x1=x, x2=x, y1=low, y2=high, class_=f"line solid s{number}"))
        if series.has_dots:
            drawn.append(_dot(number, x, y, point.radius))
    return drawn


def _dot(number: int, x: float, y: float, radius: float = 3.5) -> Html:
    """Return a circle, or for every other series a square."""
    if number % 2:
        side = round(1.8 * radius, 1)
        left, top = round(x - side / 2, 1), round(y - side / 2, 1)
        return tag("rect", x=left, y=top, width=side, height=side, class_=f"dot s{number}")
    return tag("circle", cx=x, cy=y, r=round(radius, 1), class_=f"dot s{number}")


def _key(number: int, series: Series) -> Html:
    line = tag("line", x1=0, x2=24, y1=5, y2=5, class_=f"line s{number}")
    return tag(
        "svg",
        line if series.has_line else None,
        _dot(number, 12, 5) if series.has_dots else None,
        viewBox="0 0 24 10",
        aria_hidden="true",
    )


def _numbers(title: str, x: Axis, y: Axis, series: Sequence[Series]) -> Html:
    """Return the points as a table: a row for each place, a column for each series."""
    by_place = [{point.x: point for point in each.points} for each in series]
    places = sorted({place for each in by_place for place in each})
    return table(
        f"{title}, {y.name}",
        [x.name, *(each.name for each in series)],
        (
            [
                x.names[int(place)] if x.names else f"{place:g}",
                *(_number(each.get(place)) for each in by_place),
            ]
            for place in places
        ),
    )


def _number(point: ChartPoint | None) -> str:
    if point is None:
        return "-"
    interval = "" if point.low is None else f" ({point.low:.3f}-{point.high:.3f})"
    return f"{point.y:.4g}{interval}"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
