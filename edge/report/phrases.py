"""How a report writes its figures, and what a table of it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from edge.report.records import AlertFigures, Mark, RateEstimate, Report, ReportBin, WatchFigures
from edge.report.verdict import MARKS, hours, percent_exact
from edge.words import percent

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table; all cells are text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: frozenset[int] = field(default_factory=frozenset)
    """Columns that hold words; the others hold figures, and are aligned to the right."""
    note: str = ""


def clock(text: str) -> str:
    """Return a time of a report as people read it: `2026-11-29 08:00`."""
    return text[:16].replace("T", " ")


def share_in_words(rate: RateEstimate | None) -> str:
    """Return the best rate that is known with its interval: `92 % (87 to 96)`."""
    if rate is None or rate.naive is None:
        return NOTHING
    return naive_in_words(rate) if rate.corrected is None else corrected_in_words(rate)


def marks_in_words(marks: Iterable[Mark]) -> str:
    return ", ".join(MARKS[each] for each in marks)


def naive_in_words(rate: RateEstimate) -> str:
    return _interval(rate.naive, rate.naive_low, rate.naive_high)


def corrected_in_words(rate: RateEstimate) -> str:
    return _interval(rate.corrected, rate.low, rate.high)


def _interval(share: float | None, low: float | None, high: float | None) -> str:
    if share is None:
        return NOTHING
    between = "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f})"
    return f"{percent(share)}{between}"


def part_in_words(number: float, share: float | None) -> str:
    return f"{number:g}" if share is None else f"{number:g} ({percent_exact(share)})"


def unwatched_in_words(watch: WatchFigures) -> str:
    if watch.unwatched_share is None:
        return NOTHING
    return f"{hours(watch.unwatched_s)} ({percent_exact(watch.unwatched_share)})"


def share_or_nothing(share: float | None) -> str:
    return NOTHING if share is None else percent_exact(share)


def remedy_in_words(alerts: AlertFigures) -> str:
    return NOTHING if alerts.median_remedy_s is None else hours(alerts.median_remedy_s)


def place_name(camera: str, zone: str) -> str:
    """Return `camera hall, zone Gate`, or a part of it: both may have the same name."""
    in_camera = f"camera {camera}, " if camera else ""
    return f"{in_camera}zone {zone}" if zone else f"{in_camera}no zone"


def day_name(text: str) -> str:
    """Return `Sun 11-29`: the report says which year."""
    return f"{datetime.fromisoformat(text):%a %m-%d}"


def hour_name(each: ReportBin, report: Report) -> str:
    """Return `08:00`; with the offset where another hour of the report has the same name, and with
    the day where the report has more than one."""
    day = "" if report.begin[:10] == report.hours[-1].begin[:10] else f"{each.begin[5:10]} "
    offset = each.begin[19:] if Mark.SUMMER_TIME in each.marks else ""
    return f"{day}{each.begin[11:16]}{offset}"
