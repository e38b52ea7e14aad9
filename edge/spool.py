"""The durable outbox: what the broker has not acknowledged yet, on disk.

SQLite in WAL mode with synchronous=FULL: what `append` has returned for survives a power cut. A
document's bytes are written once and never changed; a row leaves by `acknowledge`, or, counted,
because it is the oldest of too many.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import OutboxError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

SCHEMA_VERSION = 1
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE documents (
    sequence INTEGER PRIMARY KEY,
    accepted_at TEXT NOT NULL,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    crc32 INTEGER NOT NULL
) STRICT;
CREATE TABLE ledger (last_sequence INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;
INSERT INTO ledger VALUES ({start}, 0);
PRAGMA user_version = {version};
COMMIT;
"""
_LOCK_TIMEOUT_S = 2.0
_WAL_PAGES = 256
"""The log is folded into the file when it reaches 256 pages of 4 KiB."""
_RESERVE = 1000
"""How far the reserve file runs ahead of the sequence: it is written once in so many documents."""
_KEPT_ASIDE = 5
"""So many damaged outboxes are kept; then the oldest of them goes."""
_ASIDE_TIME = "%Y%m%dT%H%M%S%fZ"
_DISK_REFUSES = (
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
"""SQLite's codes that say nothing against the file; any other does, since our SQL is right."""


@dataclass(frozen=True, slots=True)
class Document:
    """A row of the outbox."""

    sequence: int
    accepted_at: datetime
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class OutboxState:
    """For the health report."""

    rows: int
    oldest_age_s: float | None
    """By the wall clock, which is all that survives a restart; never negative. None: empty."""
    dropped: int
    """Rows that were dropped because there were too many, since the file was begun."""
    set_aside: int
    """Damaged files that lie beside this one, at most 5."""
    set_aside_at: datetime | None
    """When the newest of them was set aside."""


class _DamagedError(Exception):
    """The file can't be trusted any more; the text says why."""


class Outbox:
    """The queue of documents for the broker, oldest first. Any thread may call it.

    A damaged file is renamed to `<name>.damaged-<time>`, and what is legible in it is taken over
    into a new one. So that the sequence never goes back even then, a small file `<name>.sequence`
    holds a number that it has not passed yet, and a new outbox continues from there.

    Every method raises OutboxError where the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        max_rows: int = 100_000,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the file, or make it with its folder. `now` is the wall clock.

        Raises OutboxError too where another process has the outbox open.
        """
        self._path = path
        self._reserve_path = path.with_name(path.name + ".sequence")
        self._max_rows = max_rows
        self._now = now
        self._lock = threading.Lock()
        self._last_sequence: int | None = None
        with self._refusals():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = _connect(path)
        self._healing(self._prepare)

    def append(self, topic: str, encode: Callable[[int], bytes]) -> int:
        """Give a document its sequence, `encode` it with that, and return once it is on disk.

        When it raises, the document is not in the outbox and its sequence goes to the next one.
        """
        return self._healing(lambda: self._append(topic, encode))

    def pending(self, limit: int, after: int = 0) -> list[Document]:
        """Return at most `limit` documents with a sequence above `after`, oldest first."""
        return self._healing(lambda: self._select(limit, after))

    def acknowledge(self, sequences: Iterable[int]) -> None:
        """Delete documents that the broker has; those that are gone already don't matter."""
        keys = [(sequence,) for sequence in sequences]
        self._healing(lambda: self._delete(keys))

    def state(self) -> OutboxState:
        """Return the figures for the health report."""
        oldest = self.pending(1)
        aside = self._aside()
        return OutboxState(
            rows=self._rows,
            oldest_age_s=self._age_s(oldest[0]) if oldest else None,
            dropped=self._dropped,
            set_aside=len(aside),
            set_aside_at=_aside_at(aside[-1]) if aside else None,
        )

    def close(self) -> None:
        """Fold the log into the file and close it; the rows stay."""
        with self._lock:
            self._database.close()

    def _healing(self, work: Callable[[], _T]) -> _T:
        """Do `work`; where the file turns out damaged, begin anew and do it again."""
        with self._lock, self._refusals():
            try:
                return work()
            except (_DamagedError, sqlite3.DatabaseError) as error:
                if not _is_damage(error):
                    raise
                damage = " ".join(str(error).split())
            # Only here: while the error lives, so do its frames' cursors, and with them the lock.
            self._begin_anew(damage)
            return work()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutboxError(
                f"the outbox {self._path}: {error.strerror}; make room or mend the disk"
            ) from error
        except (_DamagedError, sqlite3.Error) as error:
            busy = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY
            reason = "another process has it open" if busy else str(error)
            hint = "stop that one" if busy else "make room or mend the disk"
            raise OutboxError(f"the outbox {self._path}: {reason}; {hint}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # SQLite rolls back by itself on some errors, and has no transaction left then.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        """Set the connection up, check the file, and make its tables where it is new."""
        try:
            _configure(self._database)
            self._reserved = self._read_reserve()
            if self._one("PRAGMA user_version") == (0,):
                script = _SCHEMA.format(start=self._start(), version=SCHEMA_VERSION)
                self._database.executescript(script)
            self._check()
            self._last_sequence, self._dropped = self._one("SELECT * FROM ledger")
            (self._rows,) = self._one("SELECT count(*) FROM documents")
        except BaseException:
            self._database.close()
            raise
        _sync_folder(self._path.parent)

    def _check(self) -> None:
        (version,) = self._one("PRAGMA user_version")
        if version != SCHEMA_VERSION:
            raise _DamagedError(f"its schema is {version}, not {SCHEMA_VERSION}")
        (verdict,) = self._one("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise _DamagedError(verdict)
        (last,) = self._one("SELECT last_sequence FROM ledger")
        (newest,) = self._one("SELECT ifnull(max(sequence), 0) FROM documents")
        if last < newest:
            raise _DamagedError(f"its last sequence is {last}, but it holds {newest}")
        if self._reserved and not self._reserved - _RESERVE <= last <= self._reserved:
            raise _DamagedError(f"its last sequence is {last}, far from {self._reserved}")

    def _one(self, sql: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._database.execute(sql).fetchone()
        if row is None:
            raise _DamagedError("its ledger is empty")
        return row

    def _start(self) -> int:
        """Return where the sequence of a new file starts, less one."""
        if self._last_sequence is not None:
            return self._last_sequence
        if self._reserved:
            return self._reserved
        if not self._reserve_path.exists() and not self._aside():
            return 0
        # Outbox and reserve are both lost: more milliseconds have passed than documents.
        return time.time_ns() // 1_000_000

    def _append(self, topic: str, encode: Callable[[int], bytes]) -> int:
        assert self._last_sequence is not None
        sequence = self._last_sequence + 1
        payload = encode(sequence)
        self._reserve(sequence)
        surplus = max(0, self._rows + 1 - self._max_rows)
        with self._transaction():
            self._insert(sequence, self._now().isoformat(), topic, payload)
            self._database.execute(
                "DELETE FROM documents WHERE sequence IN "
                "(SELECT sequence FROM documents ORDER BY sequence LIMIT ?)",
                (surplus,),
            )
            self._database.execute(
                "UPDATE ledger SET last_sequence = ?, dropped = dropped + ?", (sequence, surplus)
            )
        if surplus and not self._dropped:
            _log.warning("the outbox is full: %d documents; the oldest are dropped", self._rows)
        self._last_sequence = sequence
        self._rows += 1 - surplus
        self._dropped += surplus
        return sequence

    def _insert(self, sequence: int, accepted_at: str, topic: str, payload: bytes) -> None:
        crc32 = _crc32(sequence, accepted_at, topic, payload)
        self._database.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
            (sequence, accepted_at, topic, payload, crc32),
        )

    def _select(self, limit: int, after: int) -> list[Document]:
        rows = self._database.execute(
            "SELECT * FROM documents WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        ).fetchall()
        for *content, crc32 in rows:
            if _crc32(*content) != crc32:
                raise _DamagedError(f"document {content[0]} was altered on the disk")
        return [
            Document(sequence, datetime.fromisoformat(accepted_at), topic, payload)
            for sequence, accepted_at, topic, payload, _ in rows
        ]

    def _delete(self, keys: list[tuple[int]]) -> None:
        with self._transaction():
            deleted = self._database.executemany("DELETE FROM documents WHERE sequence = ?", keys)
        self._rows -= max(0, deleted.rowcount)

    def _begin_anew(self, damage: str) -> None:
        """Set the file aside and take what is legible over into a new one."""
        self._database.close()
        time_of_day = self._now().astimezone(UTC).strftime(_ASIDE_TIME)
        aside = self._path.with_name(f"{self._path.name}.damaged-{time_of_day}")
        for suffix in (
            "-wal",
            "",
        ):  # the log first: without its file it would be taken for another's
            with suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(
                    aside.with_name(aside.name + suffix)
                )
        self._database = _connect(self._path)
        self._prepare()
        self._take_over(aside)
        for old in self._aside()[:-_KEPT_ASIDE]:
            for suffix in ("", "-wal"):
                old.with_name(old.name + suffix).unlink(missing_ok=True)
        _log.error(
            "the outbox was damaged (%s): it is kept as %s, and %d of its documents were saved",
            damage,
            aside,
            self._rows,
        )

    def _take_over(self, aside: Path) -> None:
        with closing(_connect(aside)) as damaged, self._transaction():
            for *content, crc32 in _legible(damaged):
                if _crc32(*content) == crc32:
                    self._insert(*content)
        (self._rows,) = self._one("SELECT count(*) FROM documents")

    def _reserve(self, sequence: int) -> None:
        """Raise the number in the reserve file to `sequence` or more, before that is used."""
        if sequence <= self._reserved:
            return
        reserved = sequence + _RESERVE - 1
        draft = self._reserve_path.with_name(self._reserve_path.name + ".new")
        with draft.open("w", encoding="ascii") as file:
            file.write(f"{reserved}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._reserve_path)
        _sync_folder(self._path.parent)
        self._reserved = reserved

    def _read_reserve(self) -> int:
        """Return the number in the reserve file, 0 where there is none that is legible."""
        try:
            return max(0, int(self._reserve_path.read_bytes()))
        except (FileNotFoundError, ValueError):
            return 0

    def _aside(self) -> list[Path]:
        """Return the files that were set aside, oldest first."""
        return sorted(self._path.parent.glob(self._path.name + ".damaged-*Z"))

    def _age_s(self, document: Document) -> float:
        return max(0.0, (self._now() - document.accepted_at).total_seconds())


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(
        path, timeout=_LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    database.text_factory = lambda text: text.decode(errors="replace")
    return database


def _configure(database: sqlite3.Connection) -> None:
    # Exclusive: a second service is refused, and the index of the log needs no file.
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    database.execute(f"PRAGMA journal_size_limit = {_WAL_PAGES * 4096}")


def _legible(damaged: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Give the rows up to where the damage begins to matter."""
    with suppress(sqlite3.DatabaseError):
        yield from damaged.execute("SELECT * FROM documents ORDER BY sequence")


def _crc32(*content: object) -> int:
    """Return the checksum over a row, which SQLite itself does not keep."""
    return zlib.crc32(repr(content).encode())


def _is_damage(error: Exception) -> bool:
    if isinstance(error, sqlite3.ProgrammingError):  # the outbox was closed
        return False
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF not in _DISK_REFUSES


def _aside_at(aside: Path) -> datetime:
    stamp = aside.name.rpartition(".damaged-")[2]
    return datetime.strptime(stamp, _ASIDE_TIME).replace(tzinfo=UTC)


def _sync_folder(folder: Path) -> None:
    """Make the names of new and renamed files survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
