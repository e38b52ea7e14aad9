"""The database of the history: what is written is read, and added up."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge.history.alert_book import AlertBook
from edge.history.contents import TABLES, contents
from edge.history.records import (
    SIZES_PX,
    Alert,
    AlertAcknowledgement,
    ConditionSpan,
    Entry,
    EntryKind,
    HourTotals,
    People,
    Place,
    SightProof,
    WatchedTime,
    WatchState,
    at_minute,
    minute_of,
    size_class,
)
from edge.history.schema import VERSIONS
from edge.history.store import (
    FILE,
    HistoryBatch,
    HistoryError,
    HistoryReader,
    HistoryWriter,
    NewerHistoryError,
    create,
)
from edge.records import Verdict, ViolationKind
from tests.disk import SmallDisk

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


def watch(writer: HistoryWriter, at: datetime, *, is_right: bool, step_s: float = 0.0) -> None:
    """Write a minute; a clock that was set shortly before it."""
    row = WatchedTime(minute_of(at), "", WatchState.WATCHED, 60, is_right)
    step = Entry(at + SECOND, EntryKind.CLOCK_STEPPED, "service", f"{step_s:+.1f}")
    writer.write(HistoryBatch(watched=[row], journal=[step] if step_s else []))


def first(path: Path) -> datetime | None:
    with HistoryReader(path) as reader:
        return reader.first()


def test_a_year_without_a_minute_is_of_a_wrong_clock_as_soon_as_it_was_right(path: Path) -> None:
    writer, hour = HistoryWriter(path), timedelta(hours=1)
    year = NOON - timedelta(days=370)
    watch(writer, year, is_right=False)
    assert first(path) == year, "nothing else is known"
    watch(writer, NOON, is_right=False)
    assert first(path) == year, "it may be a box without a time server"
    watch(writer, NOON + hour, is_right=True)
    assert first(path) == NOON
    watch(writer, NOON - 20 * hour, is_right=False)
    assert first(path) == NOON - 20 * hour
    watch(writer, year - hour, is_right=True)
    assert first(path) == year - hour


def test_a_box_that_was_off_before_it_first_met_a_time_server_keeps_its_beginning(
    path: Path,
) -> None:
    writer, day = HistoryWriter(path), timedelta(days=1)
    watch(writer, NOON - 40 * day, is_right=False)
    watch(writer, NOON - 3 * day, is_right=False)
    watch(writer, NOON, is_right=True)
    assert first(path) == NOON - 40 * day


@pytest.mark.parametrize(
    ("step_s", "is_of_the_clock"),
    [
        (37 * 86_400, True),
        (30 * 86_400, True),
        (5.0, False),
        (-37 * 86_400, False),
        (86_400, False),
    ],
    ids=["all of the gap", "most of it", "seconds", "back", "little of it"],
)
def test_a_gap_over_which_the_clock_was_set_is_none_of_the_box(
    path: Path, step_s: float, is_of_the_clock: bool
) -> None:
    writer, before = HistoryWriter(path), NOON - timedelta(days=37)
    watch(writer, before, is_right=False)
    watch(writer, NOON, is_right=True, step_s=step_s)
    assert first(path) == (NOON if is_of_the_clock else before)


def test_a_file_that_is_none_is_said(path: Path) -> None:
    path.write_bytes(b"garbage" * 100)
    with pytest.raises(HistoryError, match="not a database"):
        HistoryReader(path)
    with pytest.raises(HistoryError, match="not a database"):
        HistoryWriter(path)


def made_newer(path: Path, change: str) -> bytes:
    """Have the file be of a later version, and return its content."""
    create(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(f"{change};PRAGMA user_version = 99")
    return path.read_bytes()


def test_a_newer_file_that_cannot_be_lived_with_is_left_alone(path: Path) -> None:
    content = made_newer(path, "UPDATE about SET least = 99")
    for kind in (HistoryReader, HistoryWriter):
        with pytest.raises(
            NewerHistoryError, match=rf"newer release \(schema 99, known here: {len(VERSIONS)}\)"
        ):
            kind(path)
    assert path.read_bytes() == content


def test_one_that_only_has_more_is_read_and_written(path: Path) -> None:
    made_newer(
        path,
        "CREATE TABLE later (x); ALTER TABLE people ADD COLUMN later TEXT NOT NULL DEFAULT ''",
    )
    writer = HistoryWriter(path)
    writer.write(batch())
    writer.close()
    assert read(path, NOON, NOON + timedelta(minutes=1)) == batch()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)


def test_a_batch_with_a_number_is_written_once(path: Path) -> None:
    writer = HistoryWriter(path)
    numbered = replace(batch(), run="a", number=1)
    for each in (numbered, numbered, replace(numbered, number=2), numbered):
        writer.write(each)
    both = read(path, NOON, NOON + timedelta(minutes=1))
    assert [each.visits for each in both.people] == [4]


def test_what_a_crash_left_open_ends_when_it_last_watched(path: Path) -> None:
    writer = HistoryWriter(path)
    writer.write(batch())
    writer.close_left_open(NOON + timedelta(days=1))
    left = read(path, NOON, NOON + timedelta(minutes=1))
    assert [each.ended_at for each in left.conditions] == [NOON + timedelta(minutes=1)]
    assert [each.ended_at for each in left.alerts] == [NOON + SECOND], "as the MQTT message says"


def test_what_a_crash_left_open_is_over_before_the_next_start(path: Path) -> None:
    writer = HistoryWriter(path)
    writer.write(batch())
    writer.close_left_open(NOON + 5 * SECOND)
    left = read(path, NOON, NOON + timedelta(minutes=1))
    assert [each.ended_at for each in left.conditions] == [NOON + 5 * SECOND]


def test_hours_are_added_up_over_all_places(path: Path) -> None:
    writer = HistoryWriter(path)
    writer.write(batch())
    writer.write(
        HistoryBatch(people=[People(minute_of(NOON) + 61, Place(), Verdict.MASKED, 0, True, 3)])
    )
    hour = minute_of(NOON) // 60
    with HistoryReader(path) as reader:
        assert reader.hours(NOON, NOON + timedelta(hours=2)) == [
            HourTotals(hour, 30.5, {Verdict.BARE: 2}),
            HourTotals(hour + 1, 0.0, {Verdict.MASKED: 3}),
        ]


def test_of_several_cameras_an_hour_has_the_mean_of_what_they_watched(path: Path) -> None:
    minute = minute_of(NOON)
    times = [
        WatchedTime(minute, "door", WatchState.WATCHED, 40, True),
        WatchedTime(minute, "door", WatchState.CROWDED, 20, True),
        WatchedTime(minute, "hall", WatchState.LOST, 60, True),
    ]
    HistoryWriter(path).write(HistoryBatch(watched=times))
    with HistoryReader(path) as reader:
        assert reader.hours(NOON, NOON + timedelta(hours=1)) == [HourTotals(minute // 60, 30, {})]


def test_it_is_read_from_a_disk_that_is_read_only(small_disk: SmallDisk) -> None:
    path = small_disk.folder / FILE
    writer = HistoryWriter(path)
    writer.write(batch())
    writer.close()
    small_disk.remount("ro")
    assert read(path, NOON, NOON + timedelta(minutes=1)) == batch()
    small_disk.remount("rw")


def test_where_there_is_no_file_that_is_said(path: Path) -> None:
    with pytest.raises(HistoryError, match="nothing was recorded yet"):
        HistoryReader(path)


def test_what_is_old_is_not_in_the_bytes_either(path: Path) -> None:
    writer = HistoryWriter(path)
    for day in range(30):
        at = NOON + timedelta(days=day)
        minute = minute_of(at)
        writer.write(
            HistoryBatch(
                people=[People(minute, Place(f"camera {day}"), Verdict.BARE, 32, True, 1)],
                alerts=[
                    Alert(f"event {day}", PLACE, ViolationKind.BARE, at, at, at, 1.0, 0.93),
                ],
                conditions=[ConditionSpan("paused", f"of {day}", "hint", at, at)],
                journal=[Entry(at, EntryKind.STARTED, "service", f"start {day}")],
                sight=[SightProof(at, f"sight {day}", Verdict.BARE, 32, 10, 9, 8)],
            )
        )
        said = AlertAcknowledgement(f"event {day}", at, "ops", "other", "other", f"note {day}")
        with AlertBook(path) as book:
            book.write(said)
    writer.forget(NOON + timedelta(days=29))
    files = b"".join(each.read_bytes() for each in path.parent.iterdir())
    for word in ("camera", "event", "note", "of", "start", "sight"):
        assert not any(b"%s %d" % (word.encode(), day) in files for day in range(10, 29)), word
        assert b"%s 29" % word.encode() in files
    assert writer.kept_from == NOON + timedelta(days=29)


def test_room_is_given_back(path: Path) -> None:
    writer = HistoryWriter(path)
    minute = minute_of(NOON)
    writer.write(
        HistoryBatch(
            people=[People(minute + n, PLACE, Verdict.BARE, 32, True, 1) for n in range(50_000)],
            watched=[WatchedTime(minute, "", WatchState.WATCHED, 1, True)],
        )
    )
    writer.forget(NOON)
    before, month = path.stat().st_size, timedelta(days=30)
    writer.forget(NOON + timedelta(days=29), month)
    assert path.stat().st_size == before
    writer.forget(NOON + timedelta(days=40), month)
    assert path.stat().st_size < before / 10


def test_the_rule_as_it_was_last_stays_and_no_earlier_one(path: Path) -> None:
    writer = HistoryWriter(path)
    kinds = (EntryKind.RULE, EntryKind.QUALIFIED, EntryKind.SIGNED_OFF, EntryKind.DELETED)
    for n, kind in enumerate(kinds * 2):
        writer.write(HistoryBatch(journal=[Entry(NOON + n * SECOND, kind, "ops", str(n))]))
    writer.forget(NOON + timedelta(days=1))
    left = read(path, NOON, NOON + timedelta(days=1)).journal
    assert [(each.kind, each.text) for each in left] == [
        (EntryKind.RULE, "4"),
        (EntryKind.QUALIFIED, "5"),
        (EntryKind.DELETED, "7"),
    ]


@pytest.mark.parametrize(
    ("size_px", "begins"), [(0.0, 0), (15.9, 0), (16.0, 16), (40.0, 32), (500.0, 128)]
)
def test_a_face_has_a_class_of_size(size_px: float, begins: int) -> None:
    assert size_class(size_px) == begins


def test_no_copy_of_a_row_is_left_where_pages_were_split_and_joined(path: Path) -> None:
    writer = HistoryWriter(path)
    draw = random.Random(2)
    for day in range(6):
        for number in range(24):
            at = NOON + timedelta(days=day, hours=number)
            minutes = [minute_of(at) + each for each in range(60)]
            begun = [
                Alert(f"{day}event{draw.random()}", PLACE, ViolationKind.BARE, at, when, None, 1, 1)
                for when in (at + draw.random() * timedelta(hours=1) for _ in range(40))
            ]
            place = Place(f"{day}place")
            writer.write(
                HistoryBatch(
                    [
                        People(draw.choice(minutes), place, Verdict.BARE, px, True, 1)
                        for px in SIZES_PX * 4
                    ],
                    [WatchedTime(n, f"{day}time", WatchState.WATCHED, 60, True) for n in minutes],
                    begun,
                )
            )
            writer.write(
                HistoryBatch(alerts=[msgspec.structs.replace(e, ended_at=at) for e in begun])
            )
        writer.forget(NOON + timedelta(days=day - 2), timedelta(days=99))
    writer.forget(NOON + timedelta(days=5), timedelta(days=4))
    files = b"".join(each.read_bytes() for each in path.parent.iterdir())
    found = {day: files.count(b"%dplace" % day) + files.count(b"%dtime" % day) for day in range(6)}
    assert found.pop(5) > 1440
    assert set(found.values()) == {0}
    assert re.findall(rb"[0-4]event", files) == []


def test_what_another_process_writes_takes_nothing_from_a_program_that_also_reads(
    path: Path,
) -> None:
    """Opening and closing a file loses all locks of the process on it: SQLite's, too."""
    foreign = (
        "import sys; from pathlib import Path; from contextlib import closing\n"
        "from edge.history.store import HistoryWriter\n"
        "from tests.edge.history.test_store import batch\n"
        "with closing(HistoryWriter(Path(sys.argv[1]))) as writer: writer.write(batch())"
    )
    writer = HistoryWriter(path)
    writer.write(batch())
    with HistoryReader(path):
        pass
    subprocess.run([sys.executable, "-c", foreign, str(path)], check=True)
    writer.write(batch())
    shutil.copytree(path.parent, path.parent.with_name("as-another-process-sees-it"))
    seen = path.parent.with_name("as-another-process-sees-it") / path.name
    assert [each.visits for each in read(seen, NOON, NOON + timedelta(minutes=1)).people] == [6]
    writer.close()
    assert [each.visits for each in read(path, NOON, NOON + timedelta(minutes=1)).people] == [6]


def test_every_table_of_the_schema_is_in_the_list_of_what_a_box_keeps(path: Path) -> None:
    with closing(HistoryWriter(path)):
        pass
    assert {each.name for each in contents(path)} <= TABLES.keys()
    assert not [each.name for each in contents(path) if "not known" in each.holds]
