"""The outbox's file: rows of documents in SQLite, each with a checksum. For one thread at a time.

WAL with synchronous=FULL: what a transaction has changed survives a power cut. A row is written
once and never changed. A document costs one page of the log, and another where it begins or ends
an event: its row alone tells how far the sequence has come, so the ledger is written only where the
newest row has left, or something was dropped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.durable import sync_folder
from edge.publish.outbox.pages import Log
from edge.publish.outbox.rows import (
    COLUMNS,
    Refused,
    StoredDocument,
    Stub,
    checksum,
    document_of,
    moment_of,
    row_of,
)
from edge.publish.outbox.sequence import UNRECORDED, is_counted
from edge.publish.outbox.trouble import DamagedError, LogDamagedError
from edge.publish.outbox.unended import SCHEMA as _UNENDED
from edge.publish.outbox.unended import UnendedTable
from edge.telemetry import Dropped

SCHEMA_VERSION = 2
"""What a program must know to read the rows. Additions, in tables and columns of their own, do not
raise it: an older program passes over them, so that a way back loses nothing."""
_SCHEMA = f"""
BEGIN IMMEDIATE;
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
INSERT INTO ledger VALUES (0, 0, 0, 0, 0);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_ADDITIONS = """
CREATE TABLE IF NOT EXISTS refused (
    sequence INTEGER PRIMARY KEY,
    accepted_at TEXT NOT NULL,
    clock_is_right INTEGER NOT NULL,
    run TEXT NOT NULL,
    run_s REAL NOT NULL,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    crc32 INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT;
"""
"""Since 0.2.0: what the broker refuses for itself."""
_LOCK_TIMEOUT_S = 2.0
PAGE_BYTES = 2048
"""Two or three documents of the usual size in a page: what writes the least, by `make wear`."""
_WAL_PAGES = 128
"""The log is folded into the file when it reaches this many pages, and then written over: while it
grows, the file system has more to write than the page."""
_REFUSED_ROWS = 100
_REFUSED_BYTES = 10_000_000
"""So much that was refused is kept; then the oldest of it goes."""
LOG = "-wal"
"""What SQLite calls the log of a file, behind the file's own name."""


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """What the rows do not tell."""

    last_sequence: int
    dropped: Dropped


class SpoolFile:
    """The rows in sequence, with their number and size counted along.

    Every method raises sqlite3.Error, and DamagedError where a row is not what was written.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Reads it once from end to end."""
        log_file = path.with_name(path.name + LOG)
        kept = log_file.with_name(log_file.name + ".kept")
        if kept.exists():  # a power cut came between
            kept.replace(log_file)
        self._database = connect(path)
        try:
            _configure(self._database)
            is_new = self._one("PRAGMA user_version") == (0,)
            # Now that nobody else has it open, and before anything is written.
            log = Log(log_file, PAGE_BYTES)
            if log.is_cut_short:
                raise LogDamagedError
            self.cut_off = [] if is_new else log.passed_over
            """What the log has of a transaction that was not written to its end."""
            self._has_remains = bool(log.passed_over)
            """Whether the log may have some of a transaction that failed."""
            if is_new:
                self._database.executescript(_SCHEMA)
            self._check()
            self._database.executescript(_ADDITIONS + _UNENDED)
            self.unended = UnendedTable(self._database)
            last, *dropped = self._one(
                "SELECT last_sequence, dropped_rows, dropped_bytes, dropped_age, dropped_memory "
                "FROM ledger"
            )
            self.ledger = OutboxCounts(last, Dropped(*dropped))
            self.rows, self.payload_bytes = self._count()
            self.refused = self._refused()
            self.last_sequence: int = max(last, self._newest_counted())
            sync_folder(path.parent)
        except LogDamagedError:
            # SQLite takes such a log for a shorter one, and deletes it. Another name needs no room.
            log_file.replace(kept)
            self._database.close()
            kept.replace(log_file)
            raise
        except BaseException:
            self._database.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all of the changes made within, on disk, or none where any of them fails."""
        before = self.rows, self.payload_bytes, self.last_sequence, self.ledger, self.refused
        self._clear_remains()
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self.rows, self.payload_bytes, self.last_sequence, self.ledger, self.refused = before
            # SQLite rolls back by itself on some errors, and has no transaction left then.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            self._has_remains = True
            with suppress(sqlite3.Error):
                self._clear_remains()
            raise

    def _clear_remains(self) -> None:
        """Empty the log of what failed: behind a shorter transaction its end would look like what
        is left of a damaged log. Raises sqlite3.Error."""
        if self._has_remains:
            (is_busy, *_) = self._one("PRAGMA wal_checkpoint(TRUNCATE)")
            self._has_remains = bool(is_busy)

    def insert(self, documents: Iterable[StoredDocument]) -> None:
        for document in documents:
            row = row_of(document)
            self._database.execute(
                f"INSERT OR REPLACE INTO documents ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, checksum(*row)),
            )
            self.rows += 1
            self.payload_bytes += len(document.payload)
            if is_counted(document.sequence):
                self.last_sequence = max(self.last_sequence, document.sequence)

    def delete(self, sequences: Collection[int]) -> None:
        """Delete rows; those that are gone already don't matter."""
        for sequence in sequences:
            for (size,) in self._database.execute(
                "DELETE FROM documents WHERE sequence = ? RETURNING length(payload)", (sequence,)
            ).fetchall():
                self.rows -= 1
                self.payload_bytes -= size

    def refuse(self, refusals: Iterable[Refused]) -> None:
        """Put documents aside that the broker does not take; the oldest of too many go."""
        for refused in refusals:
            row = row_of(refused.document)
            self.delete([refused.document.sequence])
            self._database.execute(
                f"INSERT OR REPLACE INTO refused ({COLUMNS}, reason) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, checksum(*row), refused.reason),
            )
            self._database.execute(
                "DELETE FROM refused WHERE sequence IN (SELECT sequence FROM (SELECT sequence, "
                "row_number() OVER newest AS place, sum(length(payload)) OVER newest AS size "
                "FROM refused WINDOW newest AS (ORDER BY sequence DESC)) "
                "WHERE place > ? OR size > ?)",
                (_REFUSED_ROWS, _REFUSED_BYTES),
            )
            self.refused = self._refused()

    def forget_refused(self, sequences: Collection[int]) -> None:
        """Delete what was refused; those that are gone already don't matter."""
        for sequence in sequences:
            self._database.execute("DELETE FROM refused WHERE sequence = ?", (sequence,))
        self.refused = self._refused()

    def settle(self, last_sequence: int, dropped: Dropped) -> None:
        """Write down what the rows do not tell, where that has changed."""
        self.last_sequence = max(self.last_sequence, last_sequence)
        known = max(self.ledger.last_sequence, self._newest_counted())
        if known < self.last_sequence or dropped != self.ledger.dropped:
            self.ledger = OutboxCounts(self.last_sequence, dropped)
            self._database.execute(
                "UPDATE ledger SET last_sequence = ?, dropped_rows = ?, dropped_bytes = ?, "
                "dropped_age = ?, dropped_memory = ?",
                (self.last_sequence, dropped.rows, dropped.bytes, dropped.age, dropped.memory),
            )

    def select(self, after: int, limit: int) -> list[StoredDocument]:
        """Return at most `limit` documents with a sequence above `after`, oldest first."""
        rows = self._database.execute(
            f"SELECT {COLUMNS} FROM documents WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (after, limit),
        ).fetchall()
        for *content, crc32 in rows:
            if checksum(*content) != crc32:
                raise DamagedError(f"document {content[0]} was altered on the disk")
        return [document_of(*content) for *content, _ in rows]

    def stubs(self, limit: int, after: int = 0) -> list[Stub]:
        """Return the same without their content, which is not read nor checked."""
        rows = self._database.execute(
            "SELECT sequence, accepted_at, clock_is_right, run, run_s, length(payload) "
            "FROM documents WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (after, limit),
        ).fetchall()
        return [Stub(sequence, moment_of(*when), size) for sequence, *when, size in rows]

    def among(self, sequences: Iterable[int]) -> set[int]:
        """Return those of `sequences` that there are rows of."""
        sql = "SELECT sequence FROM documents WHERE sequence = ?"
        return {
            found
            for sequence in sequences
            for (found,) in self._database.execute(sql, (sequence,)).fetchall()
        }

    def close(self) -> None:
        """Fold the log into the file and close it; the rows stay."""
        self._database.close()

    def _check(self) -> None:
        (version,) = self._one("PRAGMA user_version")
        missing = sorted(set(COLUMNS.split(", ")) - columns_in(self._database, "documents"))
        if version < SCHEMA_VERSION or missing:
            lacks = f" and it lacks {', '.join(missing)}" if missing else ""
            raise DamagedError(f"its schema is {version}, not {SCHEMA_VERSION}{lacks}")
        (verdict,) = self._one("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise DamagedError(verdict)

    def _count(self) -> tuple[int, int]:
        rows, payload_bytes = self._one(
            "SELECT count(*), ifnull(sum(length(payload)), 0) FROM documents"
        )
        return rows, payload_bytes

    def _refused(self) -> int:
        return int(self._one("SELECT count(*) FROM refused")[0])

    def newest(self) -> int:
        """Return the newest row's sequence, counted or not; 0: there is no row."""
        return int(self._one("SELECT ifnull(max(sequence), 0) FROM documents")[0])

    def _newest_counted(self) -> int:
        sql = f"SELECT ifnull(max(sequence), 0) FROM documents WHERE sequence < {UNRECORDED}"
        return int(self._one(sql)[0])

    def _one(self, sql: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._database.execute(sql).fetchone()
        if row is None:
            raise DamagedError("its ledger is empty")
        return row


def read_all(path: Path) -> Iterator[StoredDocument | Refused]:
    """Give what waits in a file, then what was refused; altered rows are left out.

    The file is a copy: one that a service has open is locked. Raises sqlite3.Error.
    """
    with closing(connect(path)) as database:
        for *content, crc32 in database.execute(f"SELECT {COLUMNS} FROM documents"):
            if checksum(*content) == crc32:
                yield document_of(*content)
        if columns_in(database, "refused"):
            for *content, crc32, reason in database.execute(
                f"SELECT {COLUMNS}, reason FROM refused"
            ):
                if checksum(*content) == crc32:
                    yield Refused(document_of(*content), reason)


def columns_in(database: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")}


def connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(
        path, timeout=_LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    database.text_factory = lambda text: text.decode(errors="replace")
    return database


def _configure(database: sqlite3.Connection) -> None:
    # Exclusive: a second service is refused, and the index of the log needs no file.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    database.execute(f"PRAGMA journal_size_limit = {_WAL_PAGES * (PAGE_BYTES + 24) + 32}")
