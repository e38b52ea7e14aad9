"""The period of a report: a day, an ISO week, a month, or a shift of one day."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from edge.address import did_you_mean
from edge.errors import ConfigError
from edge.history.records import minute_of
from edge.report.calendar import Calendar, Shift
from edge.report.spans import MinuteSpan, MinuteSpans

_DAY = timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_WEEK = re.compile(r"(\d{4})-?W(\d\d)")
_MONTH = re.compile(r"(\d{4})-(\d\d)")
_YEARS = range(1971, 3000)
TODAY, YESTERDAY, LAST = "today", "yesterday", "last"


class PeriodKind(StrEnum):
    DAY = "day"
    SHIFT = "shift"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of UTC, with the name that people give to it."""

    kind: PeriodKind
    name: str
    """`2026-11-29`, `2026-W48`, `2026-11`, `2026-11-29 early`."""
    span: MinuteSpan
    """From the first minute to the one after the last. A shift may pause meanwhile."""
    spans: MinuteSpans

    @property
    def begin(self) -> datetime:
        return self.span.begin_at

    @property
    def end(self) -> datetime:
        return self.span.end_at


def day_period(calendar: Calendar, day: date) -> Period:
    return _between(calendar, PeriodKind.DAY, day.isoformat(), day, day + _DAY)


def week_period(calendar: Calendar, day: date) -> Period:
    """Return the ISO week in which a day is: from Monday to Sunday."""
    year, week, weekday = day.isocalendar()
    monday = day - (weekday - 1) * _DAY
    name = f"{year}-W{week:02d}"
    return _between(calendar, PeriodKind.WEEK, name, monday, monday + 7 * _DAY)


def month_period(calendar: Calendar, day: date) -> Period:
    """Return the month in which a day is."""
    first = day.replace(day=1)
    after = (first + 31 * _DAY).replace(day=1)
    return _between(calendar, PeriodKind.MONTH, f"{first:%Y-%m}", first, after)


def shift_period(calendar: Calendar, shift: Shift, day: date) -> Period | None:
    """Return a shift that begins on a day; None: it does not on that day of the week."""
    spans = calendar.hours_on(shift.hours, day)
    if not spans:
        return None
    whole = MinuteSpan(min(each.begin for each in spans), max(each.end for each in spans))
    name = f"{day.isoformat()} {shift.name}"
    return Period(PeriodKind.SHIFT, name, whole, MinuteSpans(spans))


def period_named(calendar: Calendar, kind: PeriodKind, text: str, now: datetime) -> Period:
    """Return the day, week or month that somebody names; empty: the present one.

    `text` is a day in it, `today`, `yesterday`, `last` (the one before the present one), or the
    name of such a period, `2026-W48` or `2026-11`. Raises ConfigError.
    """
    make = _MAKERS[kind]
    today = calendar.local(now).date()
    if text == LAST:
        present = make(calendar, today)
        return make(calendar, calendar.local(present.begin - timedelta(minutes=1)).date())
    return make(calendar, _day_named(text, kind, today))


def shift_named(calendar: Calendar, name: str, text: str, now: datetime) -> Period:
    """Return the shift of that name that begins on a day; empty: the last that has begun.

    Raises ConfigError.
    """
    names = [each.name for each in calendar.shifts]
    shift = next((each for each in calendar.shifts if each.name.lower() == name.lower()), None)
    if shift is None:
        known = f"known are {', '.join(names)}" if names else "[calendar] shifts is empty"
        raise ConfigError(f"no shift is named {name}{did_you_mean(name, names)}; {known}")
    today = calendar.local(now).date()
    if text and text != LAST:
        day = _day_named(text, PeriodKind.DAY, today)
        found = shift_period(calendar, shift, day)
        if found is None:
            raise ConfigError(f"shift {shift.name} does not begin on {day:%A}, {day}")
        return found
    begun = [
        each
        for back in range(9)
        if (each := shift_period(calendar, shift, today - back * _DAY)) is not None
        and each.span.begin <= minute_of(now)
    ]
    return begun[1 if text == LAST and len(begun) > 1 else 0]


def _day_named(text: str, kind: PeriodKind, today: date) -> date:
    if text in ("", TODAY):
        return today
    if text == YESTERDAY:
        return today - _DAY
    try:
        if kind is PeriodKind.WEEK and (match := _WEEK.fullmatch(text)):
            day = date.fromisocalendar(int(match[1]), int(match[2]), 1)
        elif kind is PeriodKind.MONTH and (match := _MONTH.fullmatch(text)):
            day = date(int(match[1]), int(match[2]), 1)
        elif _DATE.fullmatch(text):  # Python takes weeks for days, too
            day = date.fromisoformat(text)
        else:
            raise ValueError
        if day.year not in _YEARS:
            raise ValueError
        return day
    except ValueError:
        example = {PeriodKind.WEEK: "2026-W48, ", PeriodKind.MONTH: "2026-11, "}.get(kind, "")
        raise ConfigError(
            f"{text!r} is no {kind}; write {example}2026-11-29, {TODAY}, {YESTERDAY} or {LAST}"
        ) from None


def _between(calendar: Calendar, kind: PeriodKind, name: str, first: date, after: date) -> Period:
    span = MinuteSpan(calendar.minute(first), calendar.minute(after))
    return Period(kind, name, span, MinuteSpans((span,)))


_MAKERS: dict[PeriodKind, Callable[[Calendar, date], Period]] = {
    PeriodKind.DAY: day_period,
    PeriodKind.WEEK: week_period,
    PeriodKind.MONTH: month_period,
}
