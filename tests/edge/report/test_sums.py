"""Whatever happened, the parts of a report add up to the whole, and nothing is lost or doubled."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from edge.config import Hours
from edge.history.records import (
    Alert,
    Entry,
    EntryKind,
    People,
    Place,
    WatchedTime,
    WatchState,
    at_minute,
)
from edge.records import Verdict, ViolationKind
from edge.report.calendar import Calendar, Season, Shift
from edge.report.period import Period, week_period
from edge.report.records import Apart, Unseen
from tests.edge.report.scene import BERLIN, Scene

AUTUMN, SPRING = date(2026, 10, 22), date(2027, 3, 25)
"""Days in the weeks that end with a change of the clocks."""
DAY_MIN = 24 * 60
PLACES = (Place("north", "desk"), Place("north", ""), Place("south", "gate"))


def some_calendar(chance: random.Random) -> Calendar:
    begin = chance.randrange(24 * 4) * 15
    hours = [f"{at // 60 % 24:02d}:{at % 60:02d}" for at in (begin, begin + 480, begin + 900)]
    shifts = (
        Shift("one", Hours.parsed([f"{hours[0]}-{hours[1]}"], "hours")),
        Shift("two", Hours.parsed([f"Mon-Sat {hours[1]}-{hours[2]}"], "hours")),
    )
    opening = Hours.parsed(["Mon-Fri 06:30-20:15", "Sat Sun 22:00-03:30"], "opening_hours")
    return replace(
        BERLIN,
        opening=opening if chance.random() < 0.7 else None,
        holidays=frozenset((date(2000, 10, 21),)),
        shifts=shifts if chance.random() < 0.8 else (),
        seasons=(Season(date(2000, 10, 23), date(2000, 3, 27)),) if chance.random() < 0.5 else (),
    )


def fill(scene: Scene, period: Period, chance: random.Random) -> None:
    begin, end = period.span.begin, period.span.end
    for camera in ("north", "south"):
        # Each of them was there all the while.
        ends = [WatchedTime(each, camera, WatchState.LOST, 60.0, True) for each in (begin, end - 1)]
        scene.batch.watched += ends
        minute = begin + 1
        while minute < end - 1:
            length = chance.randrange(20, 900)
            state = chance.choice([WatchState.WATCHED, *WatchState, None])
            for each in range(minute, min(end - 1, minute + length)) if state else ():
                scene.batch.watched.append(
                    WatchedTime(each, camera, state, chance.choice([60.0, 60.0, 31.5]), True)
                )
            minute += length
    rows: dict[tuple[int, Place, Verdict, int, bool], People] = {}
    for _ in range(400):
        minute, place = chance.randrange(begin - 60, end + 60), chance.choice(PLACES)
        verdict, size, is_on = chance.choice([*Verdict]), chance.choice([0, 24, 48]), True
        is_on = chance.random() < 0.8
        row = People(minute, place, verdict, size, is_on, chance.randrange(1, 5))
        rows[minute, place, verdict, size, is_on] = row
    scene.batch.people += rows.values()
    for number in range(60):
        at = at_minute(chance.randrange(begin, end))
        kind = chance.choice([*ViolationKind])
        alert = Alert(str(number), chance.choice(PLACES), kind, at, at, at, 1.0, 0.9)
        scene.batch.alerts.append(alert)
    for _ in range(3):
        at = at_minute(chance.randrange(begin, end))
        scene.batch.journal.append(Entry(at, EntryKind.RULE, "ops", chance.choice(["on", "off"])))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("day", [AUTUMN, SPRING])
def test_the_parts_add_up_to_the_whole(tmp_path: Path, day: date, seed: int) -> None:
    chance = random.Random(seed)
    calendar = some_calendar(chance)
    period = week_period(calendar, day)
    scene = Scene(tmp_path)
    fill(scene, period, chance)
    came = sum(row.visits for row in scene.batch.people if row.minute in period.spans)
    report = scene.report(period, calendar)
    apart = sum(each.counts.people for each in report.apart)
    assert report.counts.people + apart == came
    assert report.alerts.alerts == 60
    span_s = 60 * period.span.minutes
    assert len(report.hours) * 3600 == span_s
    for parts in (report.hours, report.days, report.shifts):
        if not parts:
            continue
        for name in ("people", "masked", "without", "worn_wrongly", "not_judged"):
            whole = getattr(report.counts, name)
            assert sum(getattr(each.counts, name) for each in parts) == whole
        for name in ("expected_s", "watched_s", "unwatched_s"):
            total = sum(getattr(each.watch, name) for each in parts)
            assert total == pytest.approx(getattr(report.watch, name), abs=1)
        assert sum(each.alerts.alerts for each in parts) == 60
    watch = report.watch
    assert watch.watched_s + watch.unwatched_s == pytest.approx(watch.expected_s, abs=1)
    assert watch.expected_s + 2 * sum(each.seconds or 0 for each in report.apart) == 2 * span_s
    counting = sum(each.counts.people for each in report.apart if each.why is Apart.COUNT_ONLY)
    for is_required, people in ((True, report.counts.people), (False, counting)):
        found = [each for each in report.places if each.is_required is is_required]
        assert sum(each.counts.people for each in found) == people
    by_camera = sum(each.watch.expected_s for each in report.cameras)
    assert by_camera == pytest.approx(watch.expected_s)
    assert report.hours_left_out == sum(each.left_out for each in report.days)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_stepped", [True, False])
def test_a_time_server_that_is_first_met_makes_no_more_time_than_there_was(
    tmp_path: Path, seed: int, *, is_stepped: bool
) -> None:
    """What is watched is never also called unknown, wherever the history is said to begin."""
    chance = random.Random(seed)
    calendar = some_calendar(chance)
    period = week_period(calendar, AUTUMN)
    scene = Scene(tmp_path)
    fill(scene, period, chance)
    met = chance.randrange(period.span.begin + 4 * DAY_MIN, period.span.end)
    gap = range(met - 2 * DAY_MIN, met)
    scene.batch.watched = [
        replace_struct(row, clock_is_right=row.minute >= met)
        for row in scene.batch.watched
        if row.minute not in gap
    ] + [WatchedTime(met, "north", WatchState.LOST, 0.0, True)]
    if is_stepped:
        step = Entry(at_minute(met), EntryKind.CLOCK_STEPPED, "service", f"{120 * DAY_MIN:+d}")
        scene.batch.journal.append(step)
    report = scene.report(period, calendar)
    reasons = [each.reason for each in report.watch.unwatched]
    assert (Unseen.NO_HISTORY in reasons) is is_stepped
    hours = [each.watch for each in report.hours]
    days = [each.watch for each in report.days]
    for watch in (report.watch, *hours, *days, *(each.watch for each in report.cameras)):
        assert watch.watched_s + watch.unwatched_s == pytest.approx(watch.expected_s, abs=1)
