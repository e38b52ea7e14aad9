"""The way of rows from memory to the file: each once, whatever is killed, full or gone."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from edge.history.gathering import MOST_COUNTS
from edge.history.recording import RETRY_S, WRITE_EVERY_S, HistoryRecording
from edge.history.records import (
    Alert,
    ConditionSpan,
    People,
    Place,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.schema import VERSIONS
from edge.history.standby import NAME, Standby
from edge.history.store import FILE, HistoryBatch, HistoryReader, create
from edge.keeping import HistoryFault
from edge.records import Verdict, ViolationKind
from tests.disk import SmallDisk
from tests.edge.history.test_store import made_newer
from tests.fakes import START, SetClock

ALWAYS = START - timedelta(days=1), START + timedelta(days=2)


def visit(visits: int = 1) -> HistoryBatch:
    return HistoryBatch([People(minute_of(START), Place(), Verdict.MASKED, 32, True, visits)])


class Box:
    """A state folder and a folder in memory, and programs that use them one after another."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state" / FILE
        self.memory = folder / "memory"
        self.memory.mkdir(parents=True, exist_ok=True)
        self.clock = SetClock()
        self.runs = 0

    def program(self) -> HistoryRecording:
        self.runs += 1
        opened: list[Path] = []
        standby = Standby(self.memory)
        recording = HistoryRecording(
            self.path, 400, standby, opened.append, self.clock, f"run {self.runs}"
        )
        recording.begin()
        recording.tend(clock_is_right=True)
        return recording

    def visits(self) -> int:
        with HistoryReader(self.path) as reader:
            return sum(each.visits for each in reader.people(*ALWAYS))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_rows_are_written_after_some_minutes_and_at_the_end(box: Box) -> None:
    program = box.program()
    for _ in range(int(WRITE_EVERY_S) - 1):
        box.clock.sleep(1)
        program.add(visit())
        program.tend(clock_is_right=True)
    assert box.visits() == 0
    box.clock.sleep(1)
    program.tend(clock_is_right=True)
    assert box.visits() == WRITE_EVERY_S - 1
    assert program.state.written_at == START + timedelta(seconds=WRITE_EVERY_S)
    program.add(visit())
    program.end(clock_is_right=True)
    assert box.visits() == WRITE_EVERY_S
    assert not (box.memory / NAME).exists()


def test_what_is_to_be_there_soon_is_written_at_once(box: Box) -> None:
    program = box.program()
    program.add(visit())
    program.tend(clock_is_right=True, is_soon=True)
    assert box.visits() == 1


def test_a_crash_loses_nothing_and_doubles_nothing_wherever_it_comes(
    box: Box, tmp_path: Path
) -> None:
    """The folders are copied after each step, as a kill would leave them, and each is gone on."""
    left: list[tuple[int, Path]] = []

    def kill(visits: int) -> None:
        copy = tmp_path / f"left {len(left)}"
        for folder in ("state", "memory"):
            shutil.copytree(tmp_path / folder, copy / folder)
        left.append((visits, copy))

    class KilledStandby(Standby):
        """Every way to the disk goes through here."""

        def write(self, batches: object) -> None:
            super().write(batches)  # type: ignore[arg-type]
            if box.path.exists():
                kill(done)

    done = 0
    program = HistoryRecording(
        box.path, 400, KilledStandby(box.memory), lambda path: None, box.clock, "run"
    )
    program.begin()
    program.tend(clock_is_right=True)
    for _ in range(3):
        done += 2
        program.add(visit(2))
        program.tend(clock_is_right=True)  # in memory
        box.clock.sleep(WRITE_EVERY_S)
        program.tend(clock_is_right=True)  # sealed, then in the file
    assert len(left) > 8
    for visits, folder in left:
        again = Box(folder)
        again.program().end(clock_is_right=True)
        again.program().end(clock_is_right=True)
        assert again.visits() == visits, folder


def test_after_a_power_cut_the_file_is_as_it_was_written_last(box: Box, tmp_path: Path) -> None:
    program = box.program()
    program.add(visit(3))
    program.tend(clock_is_right=True, is_soon=True)
    program.add(visit(4))
    program.tend(clock_is_right=True)
    shutil.copytree(box.path.parent, tmp_path / "cut" / "state")  # with its log, without the memory
    after = Box(tmp_path / "cut")
    after.program().end(clock_is_right=True)
    assert after.visits() == 3


def test_what_a_crash_left_open_is_over_at_the_next_start(box: Box) -> None:
    program = box.program()
    minute = minute_of(START)
    program.add(
        HistoryBatch(
            watched=[WatchedTime(minute, "", WatchState.DARK, 60, True)],
            conditions=[ConditionSpan("view-dark", "", "fault", START, None)],
        )
    )
    program.tend(clock_is_right=True)
    box.clock.sleep(86_400)
    box.program()
    with HistoryReader(box.path) as reader:
        (span,) = reader.conditions(*ALWAYS)
    assert span.ended_at is not None
    assert timedelta() < span.ended_at - START <= timedelta(minutes=1)


def test_a_full_disk_is_a_trouble_and_all_is_written_when_there_is_room(
    small_disk: SmallDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box = Box(tmp_path)
    box.path = small_disk.folder / FILE
    small_disk.fill()
    program = box.program()
    for _ in range(10):
        program.add(visit())
        box.clock.sleep(RETRY_S)
        program.tend(clock_is_right=True)
        assert "history.sqlite" in program.state.trouble
    assert caplog.messages == [], "the condition says it"
    small_disk.make_room()
    program.tend(clock_is_right=True)
    box.clock.sleep(RETRY_S)
    program.tend(clock_is_right=True)
    assert program.state.trouble == ""
    assert box.visits() == 10


def test_a_disk_that_takes_nothing_for_days_costs_bounded_memory(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    box.path.parent.parent.joinpath("state").touch()
    program = box.program()
    for minute in range(MOST_COUNTS + 500):
        program.add(HistoryBatch([People(minute, Place(), Verdict.BARE, 16, True, 1)]))
    for _ in range(3):
        box.clock.sleep(RETRY_S)
        program.tend(clock_is_right=True)
    assert caplog.text.count("the oldest is left out") == 1
    box.path.parent.unlink()
    program.end(clock_is_right=True)
    with HistoryReader(box.path) as reader:
        rows = reader.people(START - timedelta(days=36_500), START)
    assert len(rows) <= MOST_COUNTS + 1


def test_a_file_of_a_newer_release_is_left_alone_and_that_is_said(box: Box) -> None:
    box.path.parent.mkdir()
    create(box.path)
    content = made_newer(box.path, "UPDATE about SET least = 99")
    program = box.program()
    program.add(visit())
    program.tend(clock_is_right=True, is_soon=True)
    program.end(clock_is_right=True)
    assert program.state.fault is HistoryFault.NEWER
    assert f"newer release (schema 99, known here: {len(VERSIONS)})" in program.state.trouble
    assert box.path.read_bytes() == content
    box.path.unlink()  # somebody has put it elsewhere
    box.program()
    assert box.visits() == 1, "what waited was not lost"


def test_after_the_days_nothing_is_left_in_any_file(box: Box) -> None:
    """Each day has a place of its own; two days are kept, and a rebuild comes once a day."""
    program = HistoryRecording(
        box.path, 2, Standby(box.memory), lambda path: None, box.clock, "run"
    )
    program.begin()
    for hour in range(8 * 24):
        at = box.clock.utc()
        place = Place(f"place of day {hour // 24}")
        minute = minute_of(at)
        program.add(
            HistoryBatch(
                [People(minute, place, verdict, 32, True, 1) for verdict in Verdict],
                [WatchedTime(minute, place.camera, WatchState.WATCHED, 60, True)],
                [Alert(f"{at:%j} {hour}", place, ViolationKind.BARE, at, at, at, 1, 0.9)],
            )
        )
        program.tend(clock_is_right=True)
        box.clock.sleep(3600)
    program.end(clock_is_right=True)
    folders = box.path.parent, box.memory
    files = b"".join(file.read_bytes() for folder in folders for file in folder.iterdir())
    assert [day for day in range(8) if b"place of day %d" % day in files] == [6, 7]
