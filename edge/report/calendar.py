"""The calendar of a place: local time, opening hours, holidays, shifts, and seasons of the rule.

A day, an hour and a shift begin and end at a moment of the clock on the wall, which is found once,
with `zoneinfo`, as a minute of UTC. So the day on which summer time ends has 25 hours, the one on
which it begins has 23, and whatever is counted in a minute is counted in one hour only. A clock
reading that comes twice means the first of the two, and one that is skipped the moment of the
change or shortly after it (PEP 495, fold = 0).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.config import CalendarSettings, Hours
from edge.config.calendar import EVERY_YEAR, SeasonSettings, day_in, zone_named
from edge.history.records import at_minute, minute_of
from edge.report.spans import MinuteSpan, MinuteSpans

_LOCAL_TIME = Path("/etc/localtime")
_ZONES = "zoneinfo/"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shift:
    """Hours of the week with a name."""

    name: str
    hours: Hours


@dataclass(frozen=True, slots=True)
class Season:
    """Days on which the mask rule is on: each year, or of one year."""

    first: date
    last: date

    def begins_and_ends(self, year: int) -> tuple[date, date]:
        """Return its first day in `year`, and the day after its last."""
        if self.first.year != EVERY_YEAR:
            return self.first, self.last + _DAY
        over_new_year = self.last < self.first
        return _in_year(self.first, year), _in_year(self.last, year + over_new_year) + _DAY


@dataclass(frozen=True)
class Calendar:
    """What the reports, and the rule, need to know of a place."""

    zone: tzinfo = UTC
    zone_name: str = "UTC"
    opening: Hours | None = None
    """None: always open."""
    holidays: frozenset[date] = frozenset()
    """Those of each year are of EVERY_YEAR."""
    shifts: tuple[Shift, ...] = ()
    seasons: tuple[Season, ...] = ()

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def minute(self, day: date, minute_of_day: int = 0) -> int:
        """Return the minute since 1970 at which a clock on the wall shows that."""
        days, minute = divmod(minute_of_day, 24 * 60)
        clock = time(minute // 60, minute % 60, tzinfo=self.zone)
        return minute_of(datetime.combine(day + days * _DAY, clock))

    def day(self, day: date) -> MinuteSpan:
        return MinuteSpan(self.minute(day), self.minute(day + _DAY))

    def hours_in(self, span: MinuteSpan) -> list[MinuteSpan]:
        """Return the hours of the clock on the wall, cut at the ends of `span`."""
        hours, begin = [], span.begin
        while begin < span.end:
            end = min(span.end, begin + 60 - self.local(at_minute(begin)).minute)
            hours.append(MinuteSpan(begin, end))
            begin = end
        return hours

    def days_in(self, span: MinuteSpan) -> list[tuple[date, MinuteSpan]]:
        """Return the days, each with what `span` has of it."""
        found = []
        for day in self._dates(span):
            whole = self.day(day)
            cut = MinuteSpan(max(whole.begin, span.begin), min(whole.end, span.end))
            if cut.minutes > 0:
                found.append((day, cut))
        return found

    def open_in(self, span: MinuteSpan) -> MinuteSpans:
        """Return when the place is open."""
        if self.opening is None and not self.holidays:
            return MinuteSpans((span,))
        closed = [self.day(day) for day in self._dates(span) if self.is_holiday(day)]
        always = MinuteSpans((span,)) - MinuteSpans(closed)
        return always if self.opening is None else always & self.in_hours(self.opening, span)

    def is_holiday(self, day: date) -> bool:
        return day in self.holidays or _in_year(day, EVERY_YEAR) in self.holidays

    def in_hours(self, hours: Hours, span: MinuteSpan) -> MinuteSpans:
        """Return when a clock on the wall is in `hours`."""
        spans = MinuteSpans(each for day in self._dates(span) for each in self.hours_on(hours, day))
        return spans & MinuteSpans((span,))

    def hours_on(self, hours: Hours, day: date) -> list[MinuteSpan]:
        """Return the spans of `hours` that begin on that day; they may end on the next."""
        return [
            MinuteSpan(
                self.minute(day, each.begin_min),
                self.minute(day, each.end_min + 24 * 60 * (each.end_min <= each.begin_min)),
            )
            for each in hours.spans
            if day.weekday() in each.days
        ]

    @cached_property
    def has_seasons(self) -> bool:
        return bool(self.seasons)

    def season_changes(self, span: MinuteSpan) -> list[tuple[int, bool]]:
        """Return at which minutes the seasons switch the rule on (True) or off, in order.

        The last change before `span` is among them, where there is one.
        """
        first, last = (self.local(at).year for at in (span.begin_at, span.end_at))
        on = MinuteSpans(
            MinuteSpan(self.minute(begin), self.minute(end))
            for season in self.seasons
            for year in range(first - 2, last + 2)
            for begin, end in (season.begins_and_ends(year),)
        )
        return [change for each in on for change in ((each.begin, True), (each.end, False))]

    def _dates(self, span: MinuteSpan) -> Iterator[date]:
        """Yield the days of `span`, with the one before: what began on that may go on."""
        day = self.local(span.begin_at).date() - _DAY
        while day <= self.local(span.end_at).date():
            yield day
            day += _DAY


def calendar_of(settings: CalendarSettings) -> Calendar:
    """Return what the settings say; the system's time zone where they name none."""
    zone, name = _system_zone()
    if settings.time_zone:
        zone, name = zone_named(settings.time_zone), settings.time_zone
    opening = Hours.parsed(settings.opening_hours, "opening_hours")
    return Calendar(
        zone,
        name,
        opening if opening.spans else None,
        frozenset(day_in(each, "holidays") for each in settings.holidays),
        tuple(Shift(each.name, Hours.parsed(each.hours, "hours")) for each in settings.shifts),
        tuple(map(_season, settings.seasons)),
    )


def _season(settings: SeasonSettings) -> Season:
    return Season(day_in(settings.first, "first"), day_in(settings.last, "last"))


def _in_year(day: date, year: int) -> date:
    """Return the same day of another year; 29 February is the 28th where there is none."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _system_zone() -> tuple[tzinfo, str]:
    """Return the time zone of the machine, and its name."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        _, found, named = os.path.realpath(_LOCAL_TIME).partition(_ZONES)
        named = named if found else ""
    if named:
        try:
            return zone_named(named), named
        except ValueError:
            pass  # of a form that only the C library knows, as `CET-1CEST`
    try:
        with _LOCAL_TIME.open("rb") as file:
            return ZoneInfo.from_file(file, key="local"), "local"
    except (OSError, ValueError):
        return UTC, "UTC"
