"""The database of the history: what is written is read, and added up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    ConditionSpan,
    Entry,
    EntryKind,
    People,
    Place,
    SightProof,
    WatchedTime,
    WatchState,
    at_minute,
    minute_of,
    size_class,
)
from edge.history.store import FILE, HistoryBatch, HistoryError, HistoryReader, HistoryWriter
from edge.records import Verdict, ViolationKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PLACE = Place("door", "left")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


def batch() -> HistoryBatch:
    minute = minute_of(NOON)
    return HistoryBatch(
        people=[People(minute, PLACE, Verdict.BARE, 32, True, 2)],
        watched=[WatchedTime(minute, "door", WatchState.WATCHED, 30.5, True)],
        alerts=[
            Alert("e1", PLACE, ViolationKind.BARE, NOON, NOON + SECOND, None, 1.0, 0.93),
        ],
        acknowledgements=[
            AlertAcknowledgement("e1", NOON + SECOND, "ops", "forgotten", "talked-to")
        ],
        conditions=[ConditionSpan("view-dark", "", "fault", NOON, None)],
        journal=[Entry(NOON, EntryKind.RULE, "ops", "on")],
        sight=[SightProof(NOON, "door", Verdict.BARE, 32, 10, 9, 8)],
    )


def read(path: Path, begin: datetime, end: datetime) -> HistoryBatch:
    with HistoryReader(path) as reader:
        return HistoryBatch(
            reader.people(begin, end),
            reader.watched(begin, end),
            reader.alerts(begin, end),
            reader.acknowledgements(begin, end),
            reader.conditions(begin, end),
            reader.journal(begin, end),
            reader.sight(begin, end),
        )


def test_what_is_written_is_read(path: Path) -> None:
    writer = HistoryWriter(path)
    writer.write(batch())
    assert read(path, NOON, NOON + timedelta(minutes=1)) == batch()
    with HistoryReader(path) as reader:
        assert reader.first() == NOON == at_minute(minute_of(NOON))


def test_counts_and_seconds_are_added_up_and_the_rest_is_replaced(path: Path) -> None:
    writer = HistoryWriter(path)
    writer.write(batch())
    writer.write(batch())
    both = read(path, NOON, NOON + timedelta(minutes=1))
    once = batch()
    assert both.people == [msgspec.structs.replace(once.people[0], visits=4)]
    assert both.watched == [msgspec.structs.replace(once.watched[0], seconds=61.0)]
    assert both.alerts == once.alerts
    assert both.conditions == once.conditions


def test_a_period_is_half_open(path: Path) -> None:
    HistoryWriter(path).write(batch())
    hour = timedelta(hours=1)
    before, after = read(path, NOON - hour, NOON), read(path, NOON + hour, NOON + 2 * hour)
    assert before == HistoryBatch()
    assert after == HistoryBatch(conditions=batch().conditions), "it lasts"


def test_what_is_old_is_forgotten_but_not_what_the_rule_was(path: Path) -> None:
    writer = HistoryWriter(path)
    writer.write(batch())
    writer.forget(NOON + timedelta(minutes=1))
    assert read(path, NOON, NOON + timedelta(minutes=1)) == HistoryBatch(journal=batch().journal)


def test_a_file_that_is_none_is_said(path: Path) -> None:
    path.write_bytes(b"garbage" * 100)
    with pytest.raises(HistoryError, match="not a database"):
        HistoryReader(path)
    with pytest.raises(HistoryError, match="not a database"):
        HistoryWriter(path)


def test_one_of_a_newer_release_is_not_read(path: Path) -> None:
    writer = HistoryWriter(path)
    writer._database.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="newer release"):
        HistoryReader(path)


@pytest.mark.parametrize(
    ("size_px", "begins"), [(0.0, 0), (15.9, 0), (16.0, 16), (40.0, 32), (500.0, 128)]
)
def test_a_face_has_a_class_of_size(size_px: float, begins: int) -> None:
    assert size_class(size_px) == begins
