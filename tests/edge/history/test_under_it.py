"""The file is removed, replaced, locked, filled up or damaged under the recorder that has it open:
that is said, judging goes on, and what waited is written when there is a file again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge.history.alert_book import AlertBook
from edge.history.keeper import quarantined_files
from edge.history.recording import AGAIN_S, RETRY_S, HistoryRecording
from edge.history.records import ConditionSpan
from edge.history.store import HistoryBatch, HistoryReader
from edge.keeping import HistoryFault
from tests.disk import SmallDisk
from tests.edge.history.test_recording import ALWAYS, Box, visit
from tests.fakes import START
from tests.needs import lacking


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def recording(box: Box, visits: int) -> HistoryRecording:
    """Return a program that has the file open, and has written so many people."""
    program = box.program()
    program.add(visit(visits))
    program.tend(clock_is_right=True, is_soon=True)
    assert (program.state.trouble, box.visits()) == ("", visits)
    return program


def turn(box: Box, program: HistoryRecording, after_s: float = 1.0) -> str:
    """Let a turn of its thread pass, in which one person left; return what is wrong."""
    box.clock.sleep(after_s)
    program.add(visit())
    program.tend(clock_is_right=True)
    return program.state.trouble


def remove(box: Box) -> None:
    box.path.unlink()


def remove_all(box: Box) -> None:
    shutil.rmtree(box.path.parent)


def begin_another(box: Box) -> None:
    """As the clerk does, which opens whatever is there, where somebody has removed all of it."""
    shutil.rmtree(box.path.parent)
    box.path.parent.mkdir()
    AlertBook(box.path).__exit__()


@pytest.mark.parametrize(
    ("take_away", "what"),
    [(remove, "it was removed"), (remove_all, "it was removed"), (begin_another, "replaced")],
)
def test_a_file_that_is_removed_is_said_in_a_second_and_a_new_one_has_what_waited(
    box: Box, take_away: Callable[[Box], None], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    program = recording(box, 5)
    take_away(box)
    assert what in turn(box, program)
    assert program.state.fault is HistoryFault.LOST
    assert what in turn(box, program), "it lasts, so that somebody sees it"
    assert turn(box, program, AGAIN_S) == ""
    program.end(clock_is_right=True)
    assert box.visits() == 3, "what was removed does not come back"
    assert caplog.messages == [], "the condition says it"


def test_a_copy_of_an_earlier_day_is_gone_on_with(box: Box, tmp_path: Path) -> None:
    program = recording(box, 5)
    program.add(HistoryBatch(conditions=[ConditionSpan("paused", "", "hint", START, None)]))
    program.tend(clock_is_right=True, is_soon=True)
    copy = tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(box.path)) as one, closing(sqlite3.connect(copy)) as other:
        one.backup(other)
    program.add(visit(100))
    program.tend(clock_is_right=True, is_soon=True)
    copy.replace(box.path)  # its log stays: it is of the other file
    box.path.with_name(f"{box.path.name}-wal").unlink()
    assert "it was replaced while it was written" in turn(box, program)
    assert turn(box, program, AGAIN_S) == ""
    program.end(clock_is_right=True)
    assert box.visits() == 7
    with HistoryReader(box.path) as reader:
        (span,) = reader.conditions(*ALWAYS)
    assert span.ended_at is not None, "of what lasted then, nobody knows the end"


def test_a_log_that_is_removed_loses_nothing(box: Box) -> None:
    program = recording(box, 5)
    with HistoryReader(box.path) as reader:  # so that closing it does not take the log in
        reader.first()
        box.path.with_name(f"{box.path.name}-wal").unlink()
        assert "its log was removed" in turn(box, program)
    assert turn(box, program, AGAIN_S) == ""
    program.end(clock_is_right=True)
    assert box.visits() == 7
    assert quarantined_files(box.path) == []


def test_with_a_log_of_somebody_else_no_good_file_is_quarantined(box: Box) -> None:
    program = recording(box, 5)
    log = box.path.with_name(f"{box.path.name}-wal")
    log.unlink()
    log.write_bytes(b"")
    assert "its log was replaced" in turn(box, program)
    assert turn(box, program, AGAIN_S) == ""
    assert quarantined_files(box.path) == []


@contextmanager
def as_nobody() -> Iterator[Path]:
    """As an ordinary user, in a folder of his: root may write whatever its mode is."""
    if os.geteuid() != 0:
        lacking("only root may become somebody else", "make test as root")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 65534, -1)
        os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


def test_a_file_that_is_made_read_only_is_said_with_what_to_do_until_it_is_writable() -> None:
    with as_nobody() as folder:
        box = Box(folder)
        program = recording(box, 5)
        box.path.chmod(0o400)
        for after_s in (1.0, RETRY_S, RETRY_S):
            assert turn(box, program, after_s) == f"{box.path}: read-only"
            assert program.state.fault is HistoryFault.READ_ONLY
        box.path.chmod(0o600)
        assert turn(box, program, RETRY_S) == ""
        program.end(clock_is_right=True)
        assert box.visits() == 9


def test_a_disk_that_fills_up_under_it_takes_all_when_there_is_room(
    small_disk: SmallDisk, box: Box
) -> None:
    box.path = small_disk.folder / "history.sqlite"
    program = recording(box, 5)
    small_disk.fill()
    waiting = 0
    while not program.state.trouble:  # the log had some room left
        program.add(visit())
        waiting += 1
        program.tend(clock_is_right=True, is_soon=True)
        assert waiting < 1000
    assert program.state.fault is HistoryFault.DISK
    small_disk.make_room()
    assert turn(box, program, RETRY_S) == ""
    program.end(clock_is_right=True)
    assert box.visits() == 5 + waiting + 1


def test_what_is_malformed_is_quarantined_and_said_and_a_new_one_has_what_waited(box: Box) -> None:
    program = recording(box, 5)
    with closing(sqlite3.connect(box.path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with box.path.open("r+b") as file:
        file.seek(2048)
        file.write(b"\xa5" * 2048 * 50)
    program._keeper._writer._database.executescript(  # type: ignore[union-attr]
        "PRAGMA cache_size = 0; PRAGMA shrink_memory"
    )
    box.clock.sleep(1)
    program.add(visit())
    program.tend(clock_is_right=True, is_soon=True)
    (aside,) = quarantined_files(box.path)
    assert program.state.trouble.endswith(f"quarantined as {aside.name}")
    assert program.state.fault is HistoryFault.LOST
    assert turn(box, program, AGAIN_S) == ""
    program.end(clock_is_right=True)
    assert box.visits() == 2
