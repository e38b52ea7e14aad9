"""Rows in memory: what is alike is added up, and never too much is kept."""

from __future__ import annotations

from datetime import timedelta

from edge.history.gathering import MOST_COUNTS, MOST_EVENTS, Gathering
from edge.history.records import (
    Alert,
    Entry,
    EntryKind,
    People,
    Place,
    WatchedTime,
    WatchState,
)
from edge.history.store import HistoryBatch
from edge.records import Verdict, ViolationKind
from tests.fakes import START

DOOR = Place("door")


def people(minute: int, visits: int = 1) -> People:
    return People(minute, DOOR, Verdict.BARE, 32, True, visits)


def time(minute: int, seconds: float) -> WatchedTime:
    return WatchedTime(minute, "door", WatchState.WATCHED, seconds, True)


def alert(number: int, duration_s: float = 1.0) -> Alert:
    at = START + timedelta(seconds=number)
    kind = ViolationKind.BARE
    return Alert(f"event {number}", DOOR, kind, at, at, None, duration_s, 0.9)


def test_what_is_alike_is_added_up_and_an_alert_is_as_it_was_last() -> None:
    gathering = Gathering("run", 7)
    gathering.add(HistoryBatch([people(1), people(2)], [time(1, 0.5)], [alert(1)]))
    gathering.add(HistoryBatch([people(1)], [time(1, 0.25)], [alert(1, 9.0), alert(2)]))
    assert gathering.batch() == HistoryBatch(
        [people(1, 2), people(2)],
        [time(1, 0.75)],
        [alert(1, 9.0), alert(2)],
        run="run",
        number=7,
    )
    assert gathering.rows == 5


def test_of_too_much_the_oldest_goes_and_is_counted() -> None:
    gathering = Gathering("run", 1)
    entries = [
        Entry(START, EntryKind.RULE, "ops", str(number)) for number in range(MOST_EVENTS + 3)
    ]
    for minute in range(MOST_COUNTS + 2):
        gathering.add(HistoryBatch([people(minute)], [time(minute, 1)]))
    gathering.add(HistoryBatch(alerts=[alert(n) for n in range(MOST_EVENTS + 1)], journal=entries))
    kept = gathering.batch()
    assert [len(kept.people), len(kept.watched)] == [MOST_COUNTS] * 2
    assert (kept.people[0], kept.watched[-1]) == (people(2), time(MOST_COUNTS + 1, 1))
    assert kept.alerts == [alert(n) for n in range(1, MOST_EVENTS + 1)]
    assert kept.journal == entries[3:]
    assert gathering.left_out == 2 + 2 + 1 + 3
