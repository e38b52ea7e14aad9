"""The chart of a report, as shapes: people, the share with a mask, and what was not watched.

Drawn by `html.py` as SVG and by `pdf.py`. It is meant for paper without color: inks differ in
brightness and hatching.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from edge.report.phrases import day_name, hour_name
from edge.report.records import Mark, RateEstimate, Report, ReportBin
from edge.report.verdict import percent_exact

WIDTH = 720.0
LEFT, RIGHT = 58.0, 712.0
PEOPLE_TOP, PEOPLE_HEIGHT = 22.0, 120.0
RATE_TOP, RATE_HEIGHT = 178.0, 84.0
WATCH_TOP, WATCH_HEIGHT = 298.0, 34.0
HEIGHT = 360.0
_NAMES_Y = HEIGHT - 10
_MOST_NAMES = 16
_MOST_LISTED = 8


class Ink(StrEnum):
    """What a shape stands for."""

    MASKED = "masked"
    WITHOUT = "without"
    WORN_WRONGLY = "worn"
    NOT_JUDGED = "unjudged"
    UNWATCHED = "unwatched"
    APART = "apart"
    GRID = "grid"
    TEXT = "text"


LEGEND = (
    (Ink.WITHOUT, "without a mask"),
    (Ink.WORN_WRONGLY, "worn wrongly"),
    (Ink.MASKED, "with a mask"),
    (Ink.NOT_JUDGED, "not judged"),
    (Ink.UNWATCHED, "not watched"),
    (Ink.APART, "closed, or rule off"),
)


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A filled rectangle; y goes down."""

    x: float
    y: float
    width: float
    height: float
    ink: Ink


@dataclass(frozen=True, slots=True)
class ChartLine:
    x1: float
    y1: float
    x2: float
    y2: float
    ink: Ink = Ink.TEXT


@dataclass(frozen=True, slots=True)
class ChartDot:
    x: float
    y: float
    radius: float = 2.6


@dataclass(frozen=True, slots=True)
class ChartText:
    """`y` is the base line."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"


ChartShape = ChartBar | ChartLine | ChartDot | ChartText


@dataclass(frozen=True, slots=True)
class Chart:
    """Shapes in a plane of WIDTH x HEIGHT, and what they say in words."""

    title: str
    description: str
    shapes: tuple[ChartShape, ...]


def chart_of(report: Report) -> Chart:
    """Return the chart by hour, or by day for a week and a month."""
    bins = report.days or report.hours
    name = "day" if report.days else "hour"
    shapes = [*_people(bins), *_rates(bins), *_watched(bins), *_names(bins, report)]
    title = f"People, masks and what was watched, by {name}"
    return Chart(title, _description(report, bins), tuple(shapes))


def _slots(bins: Sequence[ReportBin]) -> Iterator[tuple[ReportBin, float, float]]:
    """Yield each bin with the left edge and the width of its place."""
    width = (RIGHT - LEFT) / max(1, len(bins))
    for number, each in enumerate(bins):
        yield each, LEFT + number * width, width


def _people(bins: Sequence[ReportBin]) -> Iterator[ChartShape]:
    top = _round_up(max((each.counts.people for each in bins), default=0))
    yield ChartText(LEFT, PEOPLE_TOP - 8, "People")
    base = PEOPLE_TOP + PEOPLE_HEIGHT
    for part in range(5):
        y = base - part / 4 * PEOPLE_HEIGHT
        yield ChartLine(LEFT, y, RIGHT, y, Ink.TEXT if not part else Ink.GRID)
        if part in (0, 2, 4):
            yield ChartText(LEFT - 6, y + 3.5, f"{top * part / 4:g}", "end")
    for each, x, width in _slots(bins):
        if not each.watch.expected_s:
            yield ChartBar(x, PEOPLE_TOP, width, PEOPLE_HEIGHT, Ink.APART)
        counts, y = each.counts, base
        for ink, number in (
            (Ink.WITHOUT, counts.without),
            (Ink.WORN_WRONGLY, counts.worn_wrongly),
            (Ink.MASKED, counts.masked),
            (Ink.NOT_JUDGED, counts.not_judged),
        ):
            if number:
                height = number / top * PEOPLE_HEIGHT
                y -= height
                yield ChartBar(x + 0.14 * width, y, 0.72 * width, height, ink)


def _rates(bins: Sequence[ReportBin]) -> Iterator[ChartShape]:
    """Yield the shares with their intervals; a cross where the time is not in the rate."""
    floor = _floor(bins)
    yield ChartText(LEFT, RATE_TOP - 8, "With a mask, and where that lies with 95 % certainty")
    base = RATE_TOP + RATE_HEIGHT
    for level in (floor, (1 + floor) / 2, 1.0):
        y = base - (level - floor) / (1 - floor) * RATE_HEIGHT
        yield ChartLine(LEFT, y, RIGHT, y, Ink.GRID if level > floor else Ink.TEXT)
        yield ChartText(LEFT - 6, y + 3.5, f"{100 * level:.0f} %", "end")
    for each, x, width in _slots(bins):
        middle, rate = x + width / 2, each.rate
        if any(mark in each.marks for mark in (Mark.UNWATCHED, Mark.NOT_JUDGED)):
            yield from _cross(middle, base - 8)
            continue
        if rate is None or rate.naive is None:
            continue
        middle_y, low_y, high_y = (
            base - (share - floor) / (1 - floor) * RATE_HEIGHT for share in _shares(rate)
        )
        yield ChartLine(middle, low_y, middle, high_y)
        for y in (low_y, high_y):
            yield ChartLine(middle - 3, y, middle + 3, y)
        yield ChartDot(middle, middle_y)


def _shares(rate: RateEstimate) -> tuple[float, float, float]:
    """Return the best rate that is known, and its interval."""
    found = (rate.corrected, rate.low, rate.high)
    if rate.corrected is None:
        found = (rate.naive, rate.naive_low, rate.naive_high)
    share, low, high = found
    return share or 0.0, low or 0.0, 1.0 if high is None else high


def _floor(bins: Sequence[ReportBin]) -> float:
    """Return where the axis of the shares begins: not at 0 where all of them are large."""
    lows = [_shares(each.rate)[1] for each in bins if each.rate and each.rate.naive is not None]
    return max(floor for floor in (0.0, 0.5, 0.8) if floor <= min(lows, default=0.0))


def _cross(x: float, y: float) -> Iterator[ChartShape]:
    yield ChartLine(x - 3, y - 3, x + 3, y + 3)
    yield ChartLine(x - 3, y + 3, x + 3, y - 3)


def _watched(bins: Sequence[ReportBin]) -> Iterator[ChartShape]:
    """Yield what was not watched: a full column is all of the time."""
    yield ChartText(LEFT, WATCH_TOP - 8, "Not watched")
    for level, name in ((0.0, "0 %"), (1.0, "100 %")):
        y = WATCH_TOP + (1 - level) * WATCH_HEIGHT
        yield ChartLine(LEFT, y, RIGHT, y, Ink.GRID if level else Ink.TEXT)
        yield ChartText(LEFT - 6, y + 3.5, name, "end")
    for each, x, width in _slots(bins):
        share = each.watch.unwatched_share
        if share is None:
            yield ChartBar(x, WATCH_TOP, width, WATCH_HEIGHT, Ink.APART)
        elif share:
            height = max(1.0, share * WATCH_HEIGHT)
            y = WATCH_TOP + WATCH_HEIGHT - height
            yield ChartBar(x + 0.04 * width, y, 0.92 * width, height, Ink.UNWATCHED)


def _names(bins: Sequence[ReportBin], report: Report) -> Iterator[ChartShape]:
    step = 1 + len(bins) // _MOST_NAMES
    for number, (each, x, width) in enumerate(_slots(bins)):
        if number % step == 0:
            name = _day(each) if report.days else hour_name(each, report)[-14:][:5]
            yield ChartText(x + width / 2, _NAMES_Y, name, "middle")


def _day(each: ReportBin) -> str:
    """Return `Sun 29`."""
    name = day_name(each.begin)
    return f"{name[:3]} {name[-2:]}"


def _round_up(most: int) -> int:
    """Return where an axis ends that has room for so many, and two round parts."""
    step = 1
    while True:
        # Its middle is a whole number, too.
        for quarters in (4, 6, 8, 10, 12, 16, 20, 24, 32):
            if step * quarters >= most:
                return step * quarters
        step *= 10


def _listed(names: Sequence[str], of: int) -> str:
    """Return them; many as their number."""
    if len(names) > _MOST_LISTED:
        return f"{len(names)} of {of}"
    return ", ".join(names) or "none"


def _description(report: Report, bins: Sequence[ReportBin]) -> str:
    """Return what somebody learns who cannot see the chart; the table below has all figures."""
    named = {
        each.begin: day_name(each.begin) if report.days else hour_name(each, report)
        for each in bins
    }
    busiest = max(bins, key=lambda each: each.counts.people, default=None)
    if busiest is None or not busiest.counts.people:
        words = ["Nobody was counted."]
    else:
        words = [f"Most people: {busiest.counts.people}, {named[busiest.begin]}."]
    shares = [
        (rate.naive if rate.corrected is None else rate.corrected, named[each.begin])
        for each in bins
        if (rate := each.rate) is not None and rate.naive is not None
    ]
    known = [(share, name) for share, name in shares if share is not None]
    if known:
        (low, at_low), (high, at_high) = min(known), max(known)
        words.append(
            f"Share with a mask: lowest {percent_exact(low)}, {at_low}; "
            f"highest {percent_exact(high)}, {at_high}."
        )
    gaps = [named[each.begin] for each in bins if (each.watch.unwatched_share or 0) > 0.005]
    words.append(f"Not watched all of the time: {_listed(gaps, len(bins))}.")
    return " ".join(words)
