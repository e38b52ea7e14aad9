"""What is read is up to this second, and nothing twice."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge.history.alert_book import AlertBook
from edge.history.fresh import FreshReader
from edge.history.records import (
    AlertAcknowledgement,
    ConditionSpan,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.store import FILE, HistoryBatch
from tests.edge.history.test_gathering import alert
from tests.edge.history.test_recording import ALWAYS, Box, visit
from tests.fakes import START


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def fresh(box: Box) -> FreshReader:
    return FreshReader(box.path, box.memory)


def test_visits_of_this_second_are_read_and_counted_once_wherever_they_are(box: Box) -> None:
    program = box.program()
    for number in range(1, 40):
        program.add(visit())
        program.tend(clock_is_right=True, is_soon=number % 7 == 0)
        with fresh(box) as reader:
            assert sum(each.visits for each in reader.people(*ALWAYS)) == number


def test_a_reader_that_was_open_before_a_write_counts_nothing_twice(box: Box) -> None:
    program = box.program()
    program.add(visit(3))
    program.tend(clock_is_right=True)
    with fresh(box) as reader:
        program.tend(clock_is_right=True, is_soon=True)
        assert sum(each.visits for each in reader.people(*ALWAYS)) == 3
    assert box.visits() == 3


def test_an_alert_that_is_over_since_is_there_once_with_its_end(box: Box) -> None:
    program = box.program()
    span = ConditionSpan("paused", "", "hint", START, None)
    program.add(HistoryBatch(alerts=[alert(1)], conditions=[span]))
    program.tend(clock_is_right=True, is_soon=True)
    over = ConditionSpan("paused", "", "hint", START, START + timedelta(seconds=5))
    watched = [WatchedTime(1, "", WatchState.WATCHED, 1, True)]
    program.add(HistoryBatch([], watched, [alert(1, 9.0)], [over]))
    program.tend(clock_is_right=True)
    with fresh(box) as reader:
        assert reader.alerts(*ALWAYS) == [alert(1, 9.0)]
        assert reader.conditions(*ALWAYS) == [over]
        assert reader.watched(*ALWAYS) == [], "long ago"


def test_a_condition_that_ended_since_the_last_write_is_one_wherever_it_is_read(box: Box) -> None:
    program = box.program()
    begun = START + timedelta(microseconds=345_678)  # the file has whole milliseconds
    span = ConditionSpan("camera-lost", "", "fault", begun, None)
    program.add(HistoryBatch(conditions=[span]))
    program.tend(clock_is_right=True, is_soon=True)
    over = ConditionSpan("camera-lost", "", "fault", begun, begun + timedelta(seconds=21))
    program.add(HistoryBatch(conditions=[over]))
    program.tend(clock_is_right=True)
    with fresh(box) as reader:
        assert reader.conditions(*ALWAYS) == [over]
        assert reader.conditions(START + timedelta(minutes=1), ALWAYS[1]) == [], "it was over"


def test_a_minute_that_is_half_written_is_one_row(box: Box) -> None:
    program = box.program()
    minute = minute_of(START)
    for number, is_soon in enumerate((True, False)):
        later = [WatchedTime(minute + number, "", WatchState.WATCHED, 1, True)]
        program.add(HistoryBatch([], [WatchedTime(minute, "", WatchState.WATCHED, 2.5, True)]))
        program.add(HistoryBatch(visit(2).people, later))
        program.tend(clock_is_right=True, is_soon=is_soon)
    with fresh(box) as reader:
        assert [each.visits for each in reader.people(*ALWAYS)] == [4]
        assert [(each.minute, each.seconds) for each in reader.watched(*ALWAYS)] == [
            (minute, 6.0),
            (minute + 1, 1.0),
        ]


def test_what_is_written_of_an_alert_that_waits_is_read(box: Box) -> None:
    program = box.program()
    program.tend(clock_is_right=True, is_soon=True)
    program.add(HistoryBatch(alerts=[alert(1)]))
    program.tend(clock_is_right=True)
    said = AlertAcknowledgement("event 1", START, "ops", "other", "none")
    with AlertBook(box.path) as book:
        book.write(said)
    with fresh(box) as reader:
        assert reader.acknowledgements(*ALWAYS) == [said]
    program.tend(clock_is_right=True, is_soon=True)
    with fresh(box) as reader:
        assert reader.acknowledgements(*ALWAYS) == [said]


def test_without_a_service_it_reads_the_file(box: Box) -> None:
    program = box.program()
    program.add(visit(2))
    program.end(clock_is_right=True)
    for folder in (box.memory, None):
        with closing(FreshReader(box.path, folder)) as reader:
            assert sum(each.visits for each in reader.people(*ALWAYS)) == 2
    assert box.path.name == FILE
