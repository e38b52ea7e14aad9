from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.history.hours import GRACE, HourBook
from edge.history.records import People, Place, WatchedTime, WatchState, minute_of
from edge.history.store import HistoryBatch, HistoryError, HistoryWriter
from edge.records import Verdict

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def write(
    path: Path, at: datetime, visits: int = 0, seconds: float = 60.0, *, is_right: bool = True
) -> None:
    """Write one minute, and who left in it with a mask."""
    writer = HistoryWriter(path)
    minute = minute_of(at)
    people = [People(minute, Place("", ""), Verdict.MASKED, 48, True, visits)] if visits else []
    watched = [WatchedTime(minute, "", WatchState.WATCHED, seconds, is_right)]
    writer.write(HistoryBatch(people=people, watched=watched))
    writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def test_an_hour_is_due_when_it_is_over_and_has_settled(path: Path) -> None:
    write(path, NOON, 3)
    with HourBook(path) as book:
        assert book.due(NOON + timedelta(minutes=59)) == []
        assert book.due(NOON + HOUR + GRACE - timedelta(seconds=1)) == []
        assert book.due(NOON + HOUR + GRACE) == [NOON]


def test_an_hour_that_was_sent_is_due_again_only_if_it_has_grown(path: Path) -> None:
    later = NOON + 2 * HOUR
    write(path, NOON, 3, 0.1)
    with HourBook(path) as book:
        hour = book.read(NOON)
        book.sent(hour)
        assert book.due(later) == []
        write(path, NOON, 1, 0.0)
        assert book.due(later) == [NOON]
        grown = book.read(NOON)
        assert (hour.revision, grown.revision) == (103, 104)
        write(path, NOON + timedelta(minutes=59), 0, 0.5)
        book.sent(grown)
        assert book.due(later) == [NOON], "it grew while it was sent"


def test_an_hour_of_a_clock_far_ahead_is_due_as_soon_as_the_clock_is_right(path: Path) -> None:
    write(path, datetime(2035, 1, 1, tzinfo=UTC), 1)
    with HourBook(path) as book:
        assert book.due(NOON) == [datetime(2035, 1, 1, tzinfo=UTC)]


def test_an_hour_names_the_one_before_it_however_long_the_program_did_not_run(path: Path) -> None:
    for at in (NOON, NOON + 30 * HOUR):
        write(path, at, 1)
    with HourBook(path) as book:
        assert book.read(NOON).follows is None
        assert book.read(NOON + 30 * HOUR).follows == NOON


def test_an_hour_does_not_follow_what_a_clearly_wrong_clock_has_dated(path: Path) -> None:
    write(path, NOON - 800 * 24 * HOUR, 1, is_right=False)
    write(path, NOON - 30 * 24 * HOUR, 1, is_right=False)
    write(path, NOON, 1)
    with HourBook(path) as book:
        assert book.read(NOON - 30 * 24 * HOUR).follows is None
        assert book.read(NOON).follows == NOON - 30 * 24 * HOUR, "the box was off"


def test_all_hours_come_in_their_order_in_parts_and_from_a_time_on(path: Path) -> None:
    hours = [NOON + number * HOUR for number in range(5)]
    for at in reversed(hours):
        write(path, at)
    with HourBook(path) as book:
        now = NOON + 9 * HOUR
        assert book.due(now, most=3) == hours[:3]
        assert book.due(now, since=hours[3]) == hours[3:]
        for at in hours[:3]:
            book.sent(book.read(at))
        assert book.due(now) == hours[3:]


def test_a_new_file_is_another_history_and_the_same_one_keeps_its_name(tmp_path: Path) -> None:
    names = []
    for name in ("one", "one", "two"):
        write(tmp_path / name, NOON)
        with HourBook(tmp_path / name) as book:
            names.append(book.read(NOON).history)
    assert names[0] == names[1] != names[2]


def test_an_hour_that_is_deleted_while_it_is_sent_is_taken_back_and_the_real_one_replaces_it(
    path: Path,
) -> None:
    ahead, later = NOON + 240 * HOUR, NOON + 250 * HOUR
    write(path, ahead, 7, 3600.0)
    with HourBook(path) as book:
        misdated = book.read(ahead)
        writer = HistoryWriter(path)
        writer.forget_dated_ahead(NOON)
        book.sent(misdated)
        assert book.due(NOON) == [ahead], "the broker has it now"
        withdrawn = book.read(ahead)
        assert withdrawn.watched == ()
        writer.forget_dated_ahead(NOON)
        assert book.read(ahead) == withdrawn, "nothing more to take back"
        write(path, ahead, 1, 60.0)
        again = book.read(ahead)
        writer.forget_dated_ahead(NOON)
        write(path, ahead, 30, 0.5)
        assert book.due(later) == [ahead]
        revisions = [each.revision for each in (misdated, withdrawn, again, book.read(ahead))]
        assert revisions == sorted(set(revisions))
        writer.close()


def test_the_marks_of_hours_that_are_gone_are_forgotten(path: Path) -> None:
    write(path, NOON)
    with HourBook(path) as book:
        book.sent(book.read(NOON))
        book.forget_sent(NOON)
        assert book.due(NOON + 2 * HOUR) == []
        book.forget_sent(NOON + HOUR)
        assert book.due(NOON + 2 * HOUR) == [NOON]


def test_a_file_that_is_no_history_is_named(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(HistoryError, match=r"history.sqlite: file is not a database"):
        HourBook(path)
