"""The file from release to release: what another one wrote is read, and what we write it reads."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.publish.outbox.disk import drop
from edge.publish.outbox.file import SCHEMA_VERSION, read_all
from edge.publish.outbox.outbox import Outbox
from edge.publish.outbox.rows import Refused, StoredDocument
from edge.publish.outbox.unended import Unended

FIRST_RELEASE = """
CREATE TABLE documents (
    sequence INTEGER PRIMARY KEY,
    accepted_at TEXT NOT NULL,
    clock_is_right INTEGER NOT NULL,
    run TEXT NOT NULL,
    run_s REAL NOT NULL,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    crc32 INTEGER NOT NULL
) STRICT;
CREATE TABLE ledger (
    last_sequence INTEGER NOT NULL,
    dropped_rows INTEGER NOT NULL,
    dropped_bytes INTEGER NOT NULL,
    dropped_age INTEGER NOT NULL,
    dropped_memory INTEGER NOT NULL
) STRICT;
INSERT INTO ledger VALUES (0, 2, 0, 0, 0);
PRAGMA user_version = 2;
"""
"""As 0.1.0 makes it."""
COLUMNS = "sequence, accepted_at, clock_is_right, run, run_s, topic, payload, crc32"


def row(sequence: int) -> tuple[Any, ...]:
    content = (sequence, "2026-11-23T12:00:00+00:00", 1, "ab12", 1.5, "t/v", b"%d" % sequence)
    return (*content, zlib.crc32(repr(content).encode()))


def read_by_the_first_release(path: Path) -> list[bytes]:
    """Do what 0.1.0 does at its start, and return the payloads that it would send."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        assert database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        _last, *dropped = database.execute("SELECT * FROM ledger").fetchone()
        assert len(dropped) == 4
        rows = database.execute(f"SELECT {COLUMNS} FROM documents ORDER BY sequence").fetchall()
    assert all(zlib.crc32(repr(tuple(content)).encode()) == crc for *content, crc in rows)
    return [content[6] for content in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def made(path: Path, schema: str, count: int = 3) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(schema)
        places = ", ".join("?" * 8)
        for sequence in range(1, count + 1):
            database.execute(f"INSERT INTO documents ({COLUMNS}) VALUES ({places})", row(sequence))
        database.commit()


def pending(outbox: Outbox) -> list[bytes]:
    return [document.payload for document in outbox.pending(100)]


@pytest.fixture
def aside(path: Path) -> Iterator[list[Path]]:
    found: list[Path] = []
    yield found
    found += path.parent.glob("*.damaged-*")


def test_a_file_of_the_first_release_is_taken_on_and_handed_back(path: Path) -> None:
    made(path, FIRST_RELEASE)
    outbox = Outbox(path)
    assert pending(outbox) == [b"1", b"2", b"3"]
    assert outbox.state().dropped.rows == 2
    assert outbox.append("t/v", lambda sequence: b"%d" % sequence) == 4
    outbox.acknowledge([1])
    outbox.refuse(2, "packet too large")
    outbox.close()
    assert read_by_the_first_release(path) == [b"3", b"4"]
    outbox = Outbox(path)
    assert pending(outbox) == [b"3", b"4"]
    assert outbox.state().refused == 1
    outbox.close()


def test_what_has_not_ended_is_known_after_a_way_there_and_back_and_after_damage(
    path: Path,
) -> None:
    begun = Unended("event", "t/v", b"its end")
    outbox = Outbox(path)
    for event in (begun, replace(begun, event_id="ended")):
        outbox.append("t/v", lambda sequence: b"%d" % sequence, begins=event)
    outbox.append("t/v", lambda sequence: b"%d" % sequence, ends="ended")
    assert outbox.left_open() == [], "they are this run's own"
    outbox.close()
    assert read_by_the_first_release(path) == [b"1", b"2", b"3"]
    outbox = Outbox(path)
    assert outbox.left_open() == [begun]
    outbox.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE documents SET payload = x'00' WHERE sequence = 2")
        database.commit()
    outbox = Outbox(path)
    assert pending(outbox) == [b"1", b"3"], "it was set aside"
    assert outbox.left_open() == [begun]
    outbox.append("t/v", lambda sequence: b"the end", ends="event")
    assert outbox.left_open() == []
    outbox.close()
    outbox = Outbox(path)
    assert outbox.left_open() == []
    outbox.close()


def test_what_a_later_release_adds_is_passed_over_and_kept(path: Path) -> None:
    later = FIRST_RELEASE.replace(
        "crc32 INTEGER NOT NULL", "crc32 INTEGER NOT NULL, kind TEXT NOT NULL DEFAULT 'bare'"
    )
    later = later.replace(
        "dropped_memory INTEGER NOT NULL", "dropped_memory INTEGER NOT NULL, more INTEGER"
    )
    later = later.replace("(0, 2, 0, 0, 0)", "(0, 2, 0, 0, 0, 7)")
    made(path, later.replace("user_version = 2", "user_version = 3") + "CREATE TABLE extra (n);")
    outbox = Outbox(path)
    assert pending(outbox) == [b"1", b"2", b"3"]
    outbox.append("t/v", lambda sequence: b"%d" % sequence)
    outbox.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
        assert database.execute("SELECT more FROM ledger").fetchone() == (7,)
        assert database.execute(
            "SELECT count(*) FROM documents WHERE kind = 'bare'"
        ).fetchone() == (4,)
    assert not list(path.parent.glob("*.damaged-*"))


@pytest.mark.parametrize("column", ["accepted_at", "clock_is_right", "run", "run_s", "crc32"])
def test_rows_that_a_later_release_writes_in_its_own_way_are_saved(
    path: Path, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    made(path, FIRST_RELEASE)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"ALTER TABLE documents RENAME COLUMN {column} TO renamed")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    outbox = Outbox(path)
    assert pending(outbox) == [b"1", b"2", b"3"]
    assert outbox.append("t/v", lambda sequence: b"%d" % sequence) > 3
    outbox.close()
    assert f"lacks {column}" in caplog.text
    assert "messages recovered: 3" in caplog.text
    assert len(list(path.parent.glob("*.damaged-*Z"))) == 1


def test_what_is_refused_waits_no_longer_and_is_kept_with_its_reason(path: Path) -> None:
    outbox = Outbox(path)
    for _ in range(3):
        outbox.append("t/v", lambda sequence: b"%d" % sequence)
    outbox.refuse(2, "packet too large")
    outbox.refuse(99, "never was")
    assert pending(outbox) == [b"1", b"3"]
    state = outbox.state()
    assert (state.rows, state.refused, state.bytes) == (2, 1, 2)
    outbox.close()
    documents = list(read_all(path))
    assert [each.payload for each in documents if isinstance(each, StoredDocument)] == [b"1", b"3"]
    (refused,) = [each for each in documents if isinstance(each, Refused)]
    assert (refused.document.payload, refused.reason) == (b"2", "packet too large")


def test_what_was_refused_is_bounded_and_the_oldest_of_it_goes(path: Path) -> None:
    outbox = Outbox(path)
    for _ in range(120):
        sequence = outbox.append("t/v", lambda sequence: b"%d" % sequence)
        outbox.refuse(sequence, "no")
    assert outbox.state().refused == 100
    sequence = outbox.append("t/v", lambda sequence: bytes(9_999_999))
    outbox.refuse(sequence, "too large")
    assert outbox.state().refused == 1
    assert outbox.state().dropped.total == 0
    outbox.close()


def test_documents_are_dropped_by_their_sequence_and_never_come_again(path: Path) -> None:
    outbox = Outbox(path)
    for _ in range(4):
        outbox.append("t/v", lambda sequence: b"%d" % sequence)
    outbox.refuse(1, "no")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        drop(path, [4])
    outbox.close()
    drop(path, [1, 3, 4, 77])
    outbox = Outbox(path)
    assert pending(outbox) == [b"2"]
    assert outbox.state().refused == 0
    assert outbox.append("t/v", lambda sequence: b"%d" % sequence) == 5
    outbox.close()


def test_starts_without_a_document_skip_no_number(path: Path) -> None:
    for _ in range(3):
        Outbox(path).close()
    outbox = Outbox(path)
    assert outbox.append("t/v", lambda sequence: b"%d" % sequence) == 1
    outbox.close()
