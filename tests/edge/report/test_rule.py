"""The mask rule: by seasons and by command."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from edge.config import CalendarSettings, SeasonSettings, ShiftSettings
from edge.history.records import Entry, EntryKind, minute_of
from edge.report.calendar import Season, calendar_of
from edge.report.rule import MaskRule
from edge.report.spans import MinuteSpan
from tests.edge.report.scene import BERLIN, berlin

WINTER = replace(BERLIN, seasons=(Season(date(2000, 11, 1), date(2000, 3, 31)),))


def said(at: str, text: str, by: str = "ops") -> Entry:
    return Entry(berlin(at), EntryKind.RULE, by, text)


def test_without_seasons_and_commands_the_rule_is_on() -> None:
    state = MaskRule(BERLIN).at(berlin("2026-11-29 12:00"))
    assert (state.is_on, state.since, state.by) == (True, None, "")


def test_a_season_of_each_year_goes_over_new_year_and_has_its_last_day() -> None:
    rule = MaskRule(WINTER)
    for at, is_on in (
        ("2026-10-31 23:59", False),
        ("2026-11-01 00:00", True),
        ("2027-01-01 00:00", True),
        ("2027-03-31 23:59", True),
        ("2027-04-01 00:00", False),
    ):
        assert rule.at(berlin(at)).is_on is is_on, at
    assert rule.at(berlin("2027-05-01 00:00")).since == berlin("2027-04-01 00:00")
    assert rule.at(berlin("2027-05-01 00:00")).by == "calendar"


def test_a_season_of_one_year_does_not_come_again() -> None:
    once = replace(BERLIN, seasons=(Season(date(2026, 11, 1), date(2027, 3, 31)),))
    assert not MaskRule(once).at(berlin("2026-10-01 12:00")).is_on
    assert MaskRule(once).at(berlin("2027-02-01 12:00")).is_on
    assert not MaskRule(once).at(berlin("2027-12-01 12:00")).is_on


def test_a_command_holds_until_the_next_season_begins_or_ends() -> None:
    rule = MaskRule(WINTER, [said("2026-12-24 08:00", "off"), said("2027-06-01 08:00", "on", "qa")])
    assert rule.at(berlin("2026-12-24 07:59")).is_on
    off = rule.at(berlin("2027-03-01 08:00"))
    assert (off.is_on, off.since, off.by) == (False, berlin("2026-12-24 08:00"), "ops")
    assert rule.at(berlin("2027-04-02 08:00")).since == berlin("2026-12-24 08:00")
    on = rule.at(berlin("2027-12-01 08:00"))
    assert (on.is_on, on.since, on.by) == (True, berlin("2027-06-01 08:00"), "qa")
    assert not rule.at(berlin("2028-04-01 00:00")).is_on


def test_a_command_that_says_the_same_again_does_not_move_its_beginning() -> None:
    rule = MaskRule(BERLIN, [said("2026-11-01 08:00", "off"), said("2026-11-02 08:00", "off", "b")])
    assert rule.at(berlin("2026-11-03 08:00")).since == berlin("2026-11-01 08:00")


def test_the_minutes_with_the_rule_on_are_those_between_its_changes() -> None:
    rule = MaskRule(BERLIN, [said("2026-11-29 08:00", "off"), said("2026-11-29 18:30", "on")])
    day = MinuteSpan(minute_of(berlin("2026-11-29 00:00")), minute_of(berlin("2026-11-30 00:00")))
    on = rule.on_in(day)
    assert on.minutes == 24 * 60 - 630
    assert [each.is_on for each in rule.changes(day)] == [True, False, True]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"time_zone": "Europe/Berlim"}, "time_zone: 'Europe/Berlim' is not known"),
        ({"holidays": ("24.12.",)}, "holidays: '24.12.' is no day"),
        ({"holidays": ("2026-02-29",)}, "holidays: '2026-02-29' is no day"),
        (
            {"seasons": (SeasonSettings(first="2026-11-01", last="03-31"),)},
            "seasons number 1: write both days with a year",
        ),
        (
            {"seasons": (SeasonSettings(first="2026-11-01", last="2026-03-31"),)},
            "it ends on 2026-03-31, before it begins",
        ),
        (
            {
                "shifts": (
                    ShiftSettings(name="early", hours=("06:00-14:00",)),
                    ShiftSettings(name="late", hours=("Fri 13:00-22:00",)),
                )
            },
            "shifts: early and late overlap",
        ),
        (
            {
                "shifts": (
                    ShiftSettings(name="early", hours=("Mon 06:00-14:00",)),
                    ShiftSettings(name="Early", hours=("Tue 06:00-14:00",)),
                )
            },
            "two are named Early",
        ),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_in_one_line(
    settings: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        CalendarSettings(**settings)  # type: ignore[arg-type]


def test_the_29th_of_february_is_a_day_of_each_year() -> None:
    settings = CalendarSettings(holidays=("02-29", "12-25"))
    assert calendar_of(settings).is_holiday(date(2028, 2, 29))
    assert calendar_of(settings).is_holiday(date(2026, 12, 25))
    assert not calendar_of(settings).is_holiday(date(2026, 12, 24))
