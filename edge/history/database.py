"""The file: an SQLite database in WAL mode, its schema, its errors, and how little is written."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import NotAllowedError, TensorMaskError
from edge.history.schema import VERSIONS

FILE = "history.sqlite"
LOG = "-wal"
"""What SQLite calls the log of a file, behind the file's own name."""
INDEX = "-shm"
"""The same of the log's index."""
LOCK_TIMEOUT_S = 5.0
PAGE_BYTES = 2048
"""A batch changes a few pages: larger ones write more, by `make wear`."""
_WAL_PAGES = 256
"""The log is folded into the file when it reaches this many pages, and then written over."""
_NOTHING_YET = "nothing was recorded yet; the service does it, see [history]"
_UNREADABLE = (
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
)
"""These speak against the file: a card gives up a block for good."""


class HistoryError(TensorMaskError):
    """Make room, or repair or remove the file: the history cannot be read or written."""


class ReadOnlyHistoryError(HistoryError):
    """Let the service write to the file, or see why its disk is read-only."""


class DamagedHistoryError(HistoryError):
    """Nothing: the service sets the file aside, and begins a new one."""


class LostHistoryError(HistoryError):
    """Nothing: what had the file open goes on with the one that is there, or begins a new one."""


class NewerHistoryError(HistoryError):
    """Install the newer release again, which has written the file; it is left as it is."""


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open the file, make it, or bring it up to date. Raises HistoryError."""
    refuse_read_only(path)
    with said_plainly(path):
        database = _connect(str(path), uri=False)
        try:
            _refuse_newer(database, path)
            database.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA secure_delete = ON")
            database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
            database.execute(f"PRAGMA journal_size_limit = {_WAL_PAGES * (PAGE_BYTES + 24) + 32}")
            _bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return database


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that is there. Raises HistoryError, and NotAllowedError."""
    # Never by opening it: to close it would take the locks of this process from it, those of SQLite
    # too (POSIX). Another program would then take the log for nobody's, and delete it.
    try:
        path.stat()
    except PermissionError as error:
        raise NotAllowedError(f"{path}: {error.strerror}") from error
    except FileNotFoundError as error:
        raise HistoryError(f"{path}: {_NOTHING_YET}") from error
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror}") from error
    if not os.access(path, os.R_OK, effective_ids=True):
        raise NotAllowedError(f"{path}: {os.strerror(errno.EACCES)}")
    with said_plainly(path):
        database = _connected_to_read(path)
        try:
            _refuse_newer(database, path)
            if not _version(database):
                raise HistoryError(f"{path}: {_NOTHING_YET}")
        except BaseException:
            database.close()
            raise
        return database


def refuse_read_only(path: Path) -> None:
    """Raise ReadOnlyHistoryError where a file of the database is there and may not be written.

    SQLite would open it for reading, and give its log the same mode: writing the file alone again
    would then not be enough.
    """
    for suffix in ("", LOG, INDEX):
        file = path.with_name(path.name + suffix)
        is_there = os.access(file, os.F_OK, effective_ids=True)
        if is_there and not os.access(file, os.W_OK, effective_ids=True):
            raise ReadOnlyHistoryError(f"{file}: read-only")


def files_of(path: Path) -> Iterator[Path]:
    """Give a database's files that are there."""
    for suffix in ("", LOG, INDEX):
        if (file := path.with_name(path.name + suffix)).exists():
            yield file


def check(database: sqlite3.Connection, path: Path) -> None:
    """Read the whole file. Raises DamagedHistoryError."""
    with said_plainly(path):
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise DamagedHistoryError(f"{path}: {verdict}")


@contextmanager
def said_plainly(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into HistoryError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _kind_of(error)(f"{path}: {error}") from error


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Keep all changes made within, or none where any of them fails."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # SQLite rolls back by itself on some errors, and has no transaction left then.
        if database.in_transaction:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
        raise


def _connect(name: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(
        name, uri=uri, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _connected_to_read(path: Path) -> sqlite3.Connection:
    name = f"{path.absolute().as_uri()}?mode=ro"
    database = _connect(name, uri=True)
    try:
        _version(database)
    except sqlite3.OperationalError:
        database.close()
        # Readers share an index of the log. Where it can't be made, on a disk that is read-only or
        # in the folder of somebody else, nobody writes either, unless there is a log.
        if path.with_name(path.name + LOG).exists():
            raise
        return _connect(f"{name}&immutable=1", uri=True)
    return database


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _refuse_newer(database: sqlite3.Connection, path: Path) -> None:
    """A newer file may say that this program can live with it: then nothing is lost by a way back,
    and what it knows more is left alone."""
    if (version := _version(database)) <= len(VERSIONS):
        return
    with suppress(sqlite3.OperationalError, TypeError):
        (least,) = database.execute("SELECT least FROM about").fetchone()
        if least <= len(VERSIONS):
            return
    raise NewerHistoryError(
        f"{path}: written by a newer release (schema {version}, known here: {len(VERSIONS)})"
    )


def _bring_up_to_date(database: sqlite3.Connection) -> None:
    while (version := _version(database)) < len(VERSIONS):
        number = version + 1
        try:
            database.executescript(
                f"BEGIN IMMEDIATE;{VERSIONS[version]};PRAGMA user_version = {number};COMMIT;"
            )
        except sqlite3.Error:
            if database.in_transaction:
                database.execute("ROLLBACK")
            if _version(database) == version:  # else another process has just done it
                raise


def _kind_of(error: sqlite3.Error) -> type[HistoryError]:
    """Return what an error speaks against: the file, the right to write it, or the disk."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or code in _UNREADABLE:
        return DamagedHistoryError
    return ReadOnlyHistoryError if code & 0xFF == sqlite3.SQLITE_READONLY else HistoryError


def leave_to_the_service(history: Path) -> None:
    """Have the files of a history that root has made belong to the owner of their folder."""
    if os.geteuid() == 0:
        owner = history.parent.stat()
        for path in history.parent.glob(f"{history.name}*"):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
