"""Charts, each a picture in the page that scales (SVG), drawn by matplotlib."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convert.measure.plots import as_svg, new_figure
from convert.report.html import Html, details, table, tag

SIZE_INCHES = (4.8, 3.2)
LONGEST_NAME = 12
SHIFT = 0.06
"""How far apart lie the points of several series at one place of a named axis."""
LINES, MARKERS = ("-", "--", ":", "-."), "osD^"
"""Of each series."""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    x: float
    y: float
    low: float | None = None
    """Where the interval of `y` begins; None without one."""
    high: float | None = None
    radius: float = 2.5
    """Of its dot in points, where the series has dots."""


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
    figure, (plot,) = new_figure(*SIZE_INCHES, 1)
    for number, each in enumerate(series):
        _draw(plot, each, number, SHIFT * (number - (len(series) - 1) / 2) if x.names else 0.0)
    for at, name in marks:
        plot.axvline(at, color="grey", linestyle=":")
        shift, side = (4, "left") if at < (x.low + x.high) / 2 else (-4, "right")
        place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        plot.annotate(name, (at, 0.02), (shift, 0), ha=side, **place)
    if diagonal:
        plot.axline((0, 0), slope=1, color="grey", linestyle=":")
    plot.set(xlabel=x.name, ylabel=y.name, xlim=(x.low, x.high), ylim=(y.low, y.high))
    if x.names:
        plot.set_xticks(range(len(x.names)), [_short(name) for name in x.names])
    plot.grid(alpha=0.3)
    figure.legend(loc="outside lower left", ncols=len(series), frameon=False)
    drawing = tag(
        "img",
        src=f"data:image/svg+xml;base64,{base64.b64encode(as_svg(figure)).decode()}",
        alt=f"{title}: {', '.join(each.name for each in series)}, over {x.name}",
        class_="chart",
    )
    numbers = numbers or _numbers(title, x, y, series)
    return tag("figure", tag("figcaption", title), drawing, details("Numbers", numbers))


def _draw(plot: Any, series: Series, number: int, shift: float) -> None:
    """Draw the line, intervals and dots of a series, different from others not in color alone."""
    color, points = f"C{number}", series.points
    places, values = [point.x + shift for point in points], [point.y for point in points]
    if series.has_line:
        plot.plot(places, values, color=color, linestyle=LINES[number], label=series.name)
    if series.has_dots:
        sizes = [(2 * point.radius) ** 2 for point in points]
        plot.scatter(
            *(places, values, sizes, color),
            marker=MARKERS[number],
            label=None if series.has_line else series.name,
            clip_on=False,
            zorder=3,
        )
    for place, point in zip(places, points, strict=True):
        if point.low is not None:
            plot.vlines(place, point.low, point.high, color, clip_on=False)


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
