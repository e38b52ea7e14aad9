"""Hours of the week: which moments are in them, and which texts are refused."""

from __future__ import annotations

from datetime import datetime

import pytest

from edge.config.hours import Hours

MONDAY = 2  # of November 2026


def contain(texts: tuple[str, ...], day: int, hour: int, minute: int = 0) -> bool:
    local = datetime(2026, 11, day, hour, minute)  # noqa: DTZ001 - a clock on the wall
    return Hours.parsed(texts, "quiet").contain(local)


def test_no_moment_is_in_no_hours() -> None:
    assert not contain((), MONDAY, 12)


@pytest.mark.parametrize(
    ("hour", "minute", "is_in"), [(21, 59, False), (22, 0, True), (5, 59, True), (6, 0, False)]
)
def test_a_span_over_midnight_begins_at_its_first_minute_and_ends_before_its_last(
    hour: int, minute: int, is_in: bool
) -> None:
    assert contain(("22:00-06:00",), MONDAY, hour, minute) is is_in


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    night = ("Fri 18:00-08:00",)
    friday = MONDAY + 4
    assert contain(night, friday, 23)
    assert contain(night, friday + 1, 7)
    assert not contain(night, friday, 7)
    assert not contain(night, friday + 1, 23)


def test_days_are_listed_and_ranged_also_over_the_weekend() -> None:
    assert contain(("Sat Sun 00:00-24:00",), MONDAY + 6, 23, 59)
    assert not contain(("Sat Sun 00:00-24:00",), MONDAY, 0)
    assert contain(("fri-mon 09:00-17:00",), MONDAY, 12)
    assert not contain(("fri-mon 09:00-17:00",), MONDAY + 1, 12)


def test_several_spans_are_together() -> None:
    spans = ("12:00-13:00", "22:00-06:00")
    assert [hour for hour in range(24) if contain(spans, MONDAY, hour)] == [
        *range(6),
        12,
        22,
        23,
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no span of hours"),
        ("22-6", "is no span of hours"),
        ("25:00-06:00", "25:00 is no time of day"),
        ("22:60-06:00", "22:60 is no time of day"),
        ("22:00-24:01", "24:01 is no time of day"),
        ("08:00-08:00", "has no length"),
        ("24:00-06:00", "has no length"),
        ("Montag 08:00-09:00", "'Montag' is no day of the week"),
    ],
)
def test_what_is_no_span_is_refused_with_the_key(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        Hours.parsed((text,), "quiet")
    assert str(error.value).startswith("quiet: ")
