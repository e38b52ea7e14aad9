"""Days, weeks, months and shifts as spans of UTC."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from edge.config import CalendarSettings, Hours
from edge.errors import ConfigError
from edge.report.calendar import Calendar, Shift, calendar_of
from edge.report.period import (
    PeriodKind,
    day_period,
    month_period,
    period_named,
    shift_named,
    week_period,
)
from edge.report.spans import MinuteSpan, MinuteSpans
from tests.edge.report.scene import BERLIN, berlin

NOW = berlin("2026-11-29 02:00")
NIGHT = Shift("night", Hours.parsed(["Mon-Fri 22:00-06:00"], "hours"))
EARLY = Shift("early", Hours.parsed(["06:00-14:00"], "hours"))
WORKS = replace(BERLIN, shifts=(EARLY, NIGHT))


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
def test_the_hours_of_a_year_lie_end_to_end_in_every_zone(name: str) -> None:
    calendar = Calendar(ZoneInfo(name), name)
    year = MinuteSpan(calendar.minute(date(2026, 1, 1)), calendar.minute(date(2027, 1, 1)))
    hours = calendar.hours_in(year)
    assert hours[0].begin == year.begin
    assert hours[-1].end == year.end
    assert all(one.end == after.begin for one, after in pairwise(hours))
    assert all(0 < hour.minutes <= 60 for hour in hours)
    days = [span for _, span in calendar.days_in(year)]
    assert len(days) == 365
    assert sum(day.minutes for day in days) == year.minutes


def test_days_have_23_and_25_hours_where_summer_time_begins_and_ends() -> None:
    lengths = {day_period(BERLIN, date(2026, 3, 1) + timedelta(n)).span.minutes for n in range(300)}
    assert lengths == {23 * 60, 24 * 60, 25 * 60}
    assert day_period(BERLIN, date(2026, 10, 25)).begin == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert day_period(BERLIN, date(2026, 10, 25)).end == datetime(2026, 10, 25, 23, tzinfo=UTC)


def test_weeks_are_iso_weeks_also_around_new_year() -> None:
    assert week_period(BERLIN, date(2027, 1, 3)).name == "2026-W53"
    assert week_period(BERLIN, date(2027, 1, 4)).name == "2027-W01"
    assert week_period(BERLIN, date(2027, 1, 3)).begin == berlin("2026-12-28 00:00")


def test_a_month_ends_where_the_next_begins() -> None:
    december = month_period(BERLIN, date(2026, 12, 31))
    assert (december.begin, december.end) == (
        berlin("2026-12-01 00:00"),
        berlin("2027-01-01 00:00"),
    )
    assert month_period(BERLIN, date(2028, 2, 5)).span.minutes == 29 * 24 * 60


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("day", "", "2026-11-29"),
        ("day", "yesterday", "2026-11-28"),
        ("day", "last", "2026-11-28"),
        ("day", "2026-02-28", "2026-02-28"),
        ("week", "", "2026-W48"),
        ("week", "last", "2026-W47"),
        ("week", "2026-W01", "2026-W01"),
        ("month", "last", "2026-10"),
        ("month", "2026-02", "2026-02"),
        ("month", "2026-02-14", "2026-02"),
    ],
)
def test_periods_are_named_as_people_name_them(kind: PeriodKind, text: str, name: str) -> None:
    assert period_named(BERLIN, PeriodKind(kind), text, NOW).name == name


@pytest.mark.parametrize("text", ["2026-W61", "29.11.2026", "0001-01-01", "2026-13-01", "soon"])
def test_what_is_no_day_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no day; write 2026-11-29, today, yesterday or last"):
        period_named(BERLIN, PeriodKind.DAY, text, NOW)


def test_the_present_shift_is_the_last_that_has_begun() -> None:
    # On Sunday at two in the night the one of Friday was the last.
    assert shift_named(WORKS, "Night", "", NOW).name == "2026-11-27 night"
    assert shift_named(WORKS, "early", "", NOW).name == "2026-11-28 early"
    assert shift_named(WORKS, "early", "last", NOW).name == "2026-11-27 early"
    night = shift_named(WORKS, "night", "2026-11-26", NOW)
    assert (night.begin, night.end) == (berlin("2026-11-26 22:00"), berlin("2026-11-27 06:00"))


def test_a_shift_that_is_not_there_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"no shift is named nihgt.*known are early, night"):
        shift_named(WORKS, "nihgt", "", NOW)
    with pytest.raises(ConfigError, match=r"night does not begin on Sunday, 2026-11-29"):
        shift_named(WORKS, "night", "today", NOW)
    with pytest.raises(ConfigError, match=r"\[calendar\] shifts is empty"):
        shift_named(BERLIN, "early", "", NOW)


def test_shifts_that_meet_in_an_hour_that_comes_twice_share_no_minute() -> None:
    one = Hours.parsed(["22:00-02:30"], "hours")
    two = Hours.parsed(["02:30-06:00"], "hours")
    for day in (date(2026, 10, 25), date(2027, 3, 28)):
        whole = BERLIN.day(day)
        first, second = (BERLIN.in_hours(each, whole) for each in (one, two))
        assert not (first & second).minutes
        assert first.minutes + second.minutes == whole.minutes - 16 * 60


def test_the_systems_time_zone_is_taken_where_none_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert calendar_of(CalendarSettings()).zone_name == "America/New_York"
    named = calendar_of(CalendarSettings(time_zone="Europe/Berlin"))
    assert named.zone == ZoneInfo("Europe/Berlin")


def test_spans_are_joined_cut_and_taken_from_each_other() -> None:
    spans = MinuteSpans([MinuteSpan(5, 10), MinuteSpan(0, 5), MinuteSpan(20, 30), MinuteSpan(3, 3)])
    assert list(spans) == [MinuteSpan(0, 10), MinuteSpan(20, 30)]
    others = MinuteSpans([MinuteSpan(8, 22), MinuteSpan(25, 26)])
    assert list(spans & others) == [MinuteSpan(8, 10), MinuteSpan(20, 22), MinuteSpan(25, 26)]
    assert list(spans - others) == [MinuteSpan(0, 8), MinuteSpan(22, 25), MinuteSpan(26, 30)]
    assert [minute for minute in range(-1, 32) if minute in spans] == [*range(10), *range(20, 30)]
    assert spans.minutes_in(MinuteSpan(9, 21)) == 2
