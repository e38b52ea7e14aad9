"""Fills the cells of a report from the history."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from edge.history.records import (
    Entry,
    EntryKind,
    People,
    Place,
    WatchedTime,
    WatchState,
    at_minute,
    minute_of,
)
from edge.history.store import HistoryReader
from edge.report.calendar import Calendar
from edge.report.cells import Cell, WatchTally
from edge.report.period import Period
from edge.report.records import Apart, Unseen
from edge.report.rule import MaskRule
from edge.report.spans import MinuteSpan, MinuteSpans

FLUSHED_MIN = 15
"""What the daemon has not written yet is at most so old: the newest minutes of a running one are
left out, or each report of a day that goes on would end with a box that does not run."""


@dataclass(frozen=True, slots=True)
class PlaceFilter:
    """Whose figures a report has."""

    camera: str = ""
    zone: str = ""
    """Empty: all."""

    def takes(self, place: Place) -> bool:
        return self.camera in ("", place.camera) and self.zone in ("", place.zone)

    def takes_camera(self, camera: str) -> bool:
        return self.camera in ("", camera)


@dataclass(frozen=True, slots=True)
class PeriodCells:
    """All of a period, in cells."""

    until: int
    """The minute after the last that is in it."""
    hours: tuple[MinuteSpan, ...]
    cells: tuple[Cell, ...]
    cameras: tuple[str, ...]
    rule: MaskRule
    entries: tuple[Entry, ...]
    """The journal up to `until`."""


def gather(
    reader: HistoryReader,
    period: Period,
    calendar: Calendar,
    entries: Sequence[Entry],
    where: PlaceFilter,
    now: datetime,
) -> PeriodCells:
    """Return the cells of a period up to `now`. Raises HistoryError."""
    people = [row for row in reader.people(period.begin, period.end) if where.takes(row.place)]
    # A zone is in one camera's picture: what another one watched is not its time.
    cameras = {row.place.camera for row in people} if where.zone else set()
    everywhere = reader.watched(period.begin, period.end)
    used = {
        name: there
        for name, there in _in_use(everywhere, period.span, where.camera).items()
        if where.takes_camera(name) and (not cameras or name in cameras)
    }
    rows = [row for row in everywhere if row.camera in used]
    until = _until(period, rows, now)
    spans = period.spans & MinuteSpans((MinuteSpan(period.span.begin, until),))
    rule = MaskRule(calendar, entries)
    hours = tuple(hour for span in spans for hour in calendar.hours_in(span))
    cells = _cut(hours, calendar, period.span)
    book = _Book(cells)
    known = _known(everywhere, period.span, reader.first())
    _count_time(book, spans, calendar, rule, used, known)
    _add_rows(book, rows)
    if until < period.span.end and rows and rows[-1].minute == until - 1:
        _shorten_last(book.at(until - 1), [row for row in rows if row.minute == until - 1])
    _count_rest(cells)
    open_, ruled = calendar.open_in(period.span), rule.on_in(period.span)
    for row in people:
        if (cell := book.at(row.minute)) is None:
            continue
        if row.minute in open_ and row.is_required:
            cell.people[row.place].add(row)
        else:
            cell.apart[_why_apart(row, open_, ruled), row.place].add(row)
    for alert in reader.alerts(period.begin, at_minute(until)):
        if (cell := book.at(minute_of(alert.confirmed_at))) and where.takes(alert.place):
            cell.alerts.append(alert)
    for proof in reader.sight(period.begin, at_minute(until)):
        if (cell := book.at(minute_of(proof.at))) and where.takes_camera(proof.camera):
            cell.sight.append(proof)
    for entry in entries:
        if entry.kind is EntryKind.CLOCK_STEPPED and (cell := book.at(minute_of(entry.at))):
            cell.has_wrong_clock = True
    named = tuple(sorted({row.camera for row in rows})) or (where.camera,)
    return PeriodCells(until, hours, cells, named, rule, tuple(entries))


def _why_apart(row: People, open_: MinuteSpans, ruled: MinuteSpans) -> Apart:
    """Return why somebody is counted apart. Whether a mask was required is kept with the count;
    only of which of two reasons it was not is asked of the calendar and the journal."""
    if row.minute not in open_:
        return Apart.CLOSED
    # In a minute in which the rule changes, it may have been off.
    is_count_only = row.place.zone and row.minute in ruled and row.minute - 1 in ruled
    return Apart.COUNT_ONLY if is_count_only else Apart.RULE_OFF


class _Book:
    """Finds the cell of a minute."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self._begins = [cell.span.begin for cell in cells]

    def at(self, minute: int) -> Cell | None:
        place = bisect_right(self._begins, minute) - 1
        if place < 0 or minute >= self.cells[place].span.end:
            return None
        return self.cells[place]


def _until(period: Period, rows: Sequence[WatchedTime], now: datetime) -> int:
    """Return where the report ends: now, or shortly before, where that is not written yet."""
    now_minute = minute_of(now)
    if now_minute >= period.span.end + FLUSHED_MIN:
        return period.span.end
    if rows and now_minute - rows[-1].minute <= FLUSHED_MIN:
        return min(period.span.end, rows[-1].minute + 1)
    return max(period.span.begin, min(period.span.end, now_minute))


def _cut(hours: Sequence[MinuteSpan], calendar: Calendar, whole: MinuteSpan) -> tuple[Cell, ...]:
    """Return the hours, cut where a shift begins or ends."""
    shifts = [(each.name, calendar.in_hours(each.hours, whole)) for each in calendar.shifts]
    edges = sorted({at for _, spans in shifts for span in spans for at in (span.begin, span.end)})
    cells = []
    for number, hour in enumerate(hours):
        inner = edges[bisect_right(edges, hour.begin) : bisect_right(edges, hour.end - 1)]
        for begin, end in zip((hour.begin, *inner), (*inner, hour.end), strict=True):
            shift = next((name for name, spans in shifts if begin in spans), "")
            cells.append(Cell(MinuteSpan(begin, end), number, shift))
    return tuple(cells)


def _known(rows: Sequence[WatchedTime], whole: MinuteSpan, first: datetime | None) -> MinuteSpans:
    """Return when something is known: since the history's beginning, and in each minute of a row,
    even with a date that is clearly wrong: its hour is marked, and its seconds are counted once."""
    begun = whole.end if first is None else minute_of(first)
    before = {row.minute for row in rows if row.minute < begun}
    return MinuteSpans(
        (
            MinuteSpan(max(whole.begin, begun), whole.end),
            *(MinuteSpan(minute, minute + 1) for minute in before),
        )
    )


def _count_time(
    book: _Book,
    spans: MinuteSpans,
    calendar: Calendar,
    rule: MaskRule,
    used: dict[str, MinuteSpans],
    known: MinuteSpans,
) -> None:
    """Fill in what was to be watched, and of what nothing is known."""
    if not book.cells:
        return
    whole = MinuteSpan(book.cells[0].span.begin, book.cells[-1].span.end)
    opened = spans & calendar.open_in(whole)
    counted = opened & rule.on_in(whole)
    for cell in book.cells:
        in_cell = MinuteSpans((cell.span,))
        closed_s = 60.0 * (cell.span.minutes - opened.minutes_in(cell.span))
        off_s = 60.0 * ((opened & in_cell) - counted).minutes
        cell.apart_s = {Apart.CLOSED: closed_s, Apart.RULE_OFF: off_s}
        for camera, there in used.items():
            mine = there & counted & in_cell
            minutes = mine.minutes
            if not minutes:
                continue
            tally = cell.watch[camera]
            tally.minutes, tally.expected_s = mine, 60.0 * minutes
            unknown_s = 60.0 * (minutes - (mine & known).minutes)
            if unknown_s:
                tally.unwatched_s[Unseen.NO_HISTORY] = unknown_s


def _add_rows(book: _Book, rows: Sequence[WatchedTime]) -> None:
    """Fill in what was watched, and why the rest was not."""
    for (minute, camera), of_minute in groupby(
        sorted(rows, key=lambda row: (row.minute, row.camera)),
        key=lambda row: (row.minute, row.camera),
    ):
        cell = book.at(minute)
        if cell is None:
            continue
        found = list(of_minute)
        cell.has_wrong_clock |= any(not row.clock_is_right for row in found)
        if camera in cell.watch and minute in cell.watch[camera].minutes:
            _add_minute(cell.watch[camera], found)


def _shorten_last(cell: Cell | None, rows: Sequence[WatchedTime]) -> None:
    """Expect of the last minute only what is known of it: it goes on."""
    if cell is None:
        return
    for camera, tally in cell.watch.items():
        known_s = sum(row.seconds for row in rows if row.camera == camera)
        tally.expected_s -= max(0.0, 60.0 - known_s) if known_s else 0.0


def _count_rest(cells: Iterable[Cell]) -> None:
    """What no row names, the program did not run."""
    for cell in cells:
        for tally in cell.watch.values():
            rest_s = tally.expected_s - tally.watched_s - sum(tally.unwatched_s.values())
            if rest_s > 0:
                tally.unwatched_s[Unseen.NOT_RUNNING] += rest_s


def _add_minute(tally: WatchTally, rows: Iterable[WatchedTime]) -> None:
    """Add one minute of one camera: a clock that was set back has written it twice, but it has no
    more than 60 seconds."""
    left_s = 60.0
    for row in sorted(rows, key=lambda row: row.watch is not WatchState.WATCHED):
        seconds = min(left_s, row.seconds)
        left_s -= seconds
        if row.watch is WatchState.WATCHED:
            tally.watched_s += seconds
        else:
            tally.unwatched_s[Unseen(row.watch)] += seconds


def _in_use(rows: Sequence[WatchedTime], whole: MinuteSpan, camera: str) -> dict[str, MinuteSpans]:
    """Return when each camera was there to watch; `rows` are those of all, whatever a report has.

    From its first minute to its last. Those with the first minute of all are taken to have been
    there before, and those with the last one still to be there: a camera that has got another name
    meanwhile is not missed under the former one, and a box that stopped is.
    """
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    for row in rows:
        begins.setdefault(row.camera, row.minute)
        ends[row.camera] = row.minute + 1
    if not rows:
        return {camera: MinuteSpans((whole,))}
    first, last = min(begins.values()), max(ends.values())
    return {
        name: MinuteSpans(
            (
                MinuteSpan(
                    whole.begin if begins[name] - first <= FLUSHED_MIN else begins[name],
                    whole.end if last - ends[name] <= FLUSHED_MIN else ends[name],
                ),
            )
        )
        for name in begins
    }
