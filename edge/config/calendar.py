"""The section [calendar]: when the place is open, its shifts, and when the mask rule is on."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from edge.config.hours import DAY_MINUTES, Hours, HourTexts
from edge.config.section import Section

EVERY_YEAR = 2000
"""A leap year: stands for the year of a date that is written without one."""
_DAY = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)")
SHIFT_NAME = r"[\w.][\w.\-]*"
"""A pattern; the command line would take a name that begins with - for an option."""
MAX_SHIFT = 40
DayText = Annotated[str, msgspec.Meta(max_length=10)]
"""`2026-12-24`, or `12-24` for each year."""


class ShiftSettings(Section, frozen=True):
    """Hours of the week that the reports sum up; a shift belongs to the day on which it begins."""

    name: Annotated[
        str, msgspec.Meta(pattern=rf"^{SHIFT_NAME}\Z", min_length=1, max_length=MAX_SHIFT)
    ]
    hours: Annotated[HourTexts, msgspec.Meta(min_length=1)]


class SeasonSettings(Section, frozen=True):
    """Days on which the mask rule is on, the first and the last among them."""

    first: DayText
    last: DayText


class CalendarSettings(Section, frozen=True):
    """What the reports need to know of the place. Without it the rule is on, and each hour is open.

    Seasons say when the mask rule is on; the command `season` goes before them until the next
    season begins or ends.
    """

    time_zone: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """`Europe/Berlin`; empty: the system's."""
    opening_hours: HourTexts = ()
    """Empty: always. People and time outside of them are counted apart."""
    holidays: Annotated[tuple[DayText, ...], msgspec.Meta(max_length=200)] = ()
    """Closed all day."""
    shifts: Annotated[tuple[ShiftSettings, ...], msgspec.Meta(max_length=12)] = ()
    seasons: Annotated[tuple[SeasonSettings, ...], msgspec.Meta(max_length=20)] = ()
    """None: the rule is always on."""

    def __post_init__(self) -> None:
        if self.time_zone:
            zone_named(self.time_zone)
        Hours.parsed(self.opening_hours, "opening_hours")
        for text in self.holidays:
            day_in(text, "holidays")
        for number, season in enumerate(self.seasons, 1):
            self._refuse_season(season, f"seasons number {number}")
        self._refuse_shifts()

    def _refuse_season(self, season: SeasonSettings, key: str) -> None:
        first, last = day_in(season.first, key), day_in(season.last, key)
        if (first.year == EVERY_YEAR) != (last.year == EVERY_YEAR):
            raise ValueError(f"{key}: write both days with a year, or neither")
        if first > last and first.year != EVERY_YEAR:
            raise ValueError(f"{key}: it ends on {season.last}, before it begins")

    def _refuse_shifts(self) -> None:
        taken: dict[int, str] = {}
        names = set()
        for shift in self.shifts:
            if shift.name.lower() in names:
                raise ValueError(f"shifts: two are named {shift.name}")
            names.add(shift.name.lower())
            for span in Hours.parsed(shift.hours, f"shifts ({shift.name}) hours").spans:
                length = (span.end_min - span.begin_min) % DAY_MINUTES or DAY_MINUTES
                for day in span.days:
                    for minute in range(length):
                        at = (day * DAY_MINUTES + span.begin_min + minute) % (7 * DAY_MINUTES)
                        other = taken.setdefault(at, shift.name)
                        if other != shift.name:
                            raise ValueError(
                                f"shifts: {other} and {shift.name} overlap: their people would be "
                                "counted twice; let one end where the next begins"
                            )


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = [
            each
            for each in sorted(available_timezones())
            if each.lower().endswith(f"/{name.lower()}")
        ]
        hint = f"; did you mean {near[0]}? " if near else "; "
        raise ValueError(
            f"time_zone: {name!r} is not known{hint}`timedatectl list-timezones` lists them "
            "(sudo apt install tzdata)"
        ) from None


def day_in(text: str, key: str) -> date:
    """Return the day that is written; one without a year is of EVERY_YEAR. Raises ValueError."""
    match = _DAY.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        return date(int(match[1] or EVERY_YEAR), int(match[2]), int(match[3]))
    except ValueError:
        raise ValueError(
            f'{key}: {text!r} is no day; write "2026-12-24", or "12-24" for each year'
        ) from None
