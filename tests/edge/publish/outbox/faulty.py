"""A disk that refuses, and a process that is killed between two of its calls, in this process.

What the outbox asks of the operating system goes through here: SQLite's statements, and the calls
that write the reserve.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest


class Disk(Enum):
    WORKS = "works"
    FULL = "full"
    """Nothing new, but what is written in place."""
    READ_ONLY = "read-only"
    GONE = "gone"
    """Not even read."""


class Killed(BaseException):
    """The process ends here."""


class Faults:
    """The disk's condition, and when the process is killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.disk = Disk.WORKS
        self.calls_left: int | None = None
        """After this many calls the process is killed; None: it is not."""
        self.ghost: list[tuple[str, Any]] = []
        """A transaction that failed, but that may be found in the log after a crash."""
        self._open: list[_Connection] = []
        self._real = {name: getattr(os, name) for name in ("open", "pwrite", "replace", "fsync")}
        monkeypatch.setattr(sqlite3, "connect", self._connect)
        monkeypatch.setattr(os, "open", self._opened)
        for name in ("pwrite", "replace", "fsync"):
            monkeypatch.setattr(os, name, self._guarded(self._real[name]))

    def step(self, *, writes: bool = False, makes: bool = False) -> None:
        """Raise Killed or OSError where the next call is to fail."""
        if self.calls_left is not None:
            if self.calls_left == 0:
                raise Killed
            self.calls_left -= 1
        if self.disk is Disk.GONE:
            raise OSError(errno.EIO, "gone")
        if self.disk is Disk.READ_ONLY and (writes or makes):
            raise OSError(errno.EROFS, "read-only")
        if self.disk is Disk.FULL and makes:
            raise OSError(errno.ENOSPC, "full")

    def crash(self, path: str, *, ghost_appears: bool) -> None:
        """End the process: nothing of it holds the file any more."""
        self.calls_left = None
        for connection in self._open:
            sqlite3.Connection.close(connection)
        self._open.clear()
        if self.ghost and ghost_appears:
            plain = sqlite3.Connection(path, isolation_level=None)
            for sql, values in self.ghost:
                plain.execute(sql, values)
            plain.close()
        self.ghost = []

    def _connect(self, path: object, **options: Any) -> sqlite3.Connection:
        connection = _Connection(str(path), **options)
        connection.faults = self
        self._open.append(connection)
        return connection

    def _opened(self, path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if "outbox.sqlite" in str(path):
            makes = bool(flags & os.O_CREAT) and not Path(path).exists()
            self.step(writes=bool(flags & (os.O_WRONLY | os.O_RDWR)), makes=makes)
        return int(self._real["open"](path, flags, *rest, **named))

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            self.step(writes=True, makes=call is self._real["replace"])
            return call(*arguments)

        return guarded


class _Connection(sqlite3.Connection):
    faults: Faults

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        faults, verb = self.faults, sql.split()[0]
        if verb == "ROLLBACK":
            return super().execute(sql)
        if verb == "BEGIN":
            self._transaction: list[tuple[str, Any]] = []
        changes = verb in ("INSERT", "UPDATE", "DELETE", "COMMIT")
        if changes or verb == "BEGIN":
            self._transaction.append((sql, values))
        try:
            faults.step(makes=changes)
        except OSError as error:
            if verb == "COMMIT":
                faults.ghost = self._transaction
            raise _refusal(error) from error
        cursor = super().execute(sql, values)
        if verb == "COMMIT":
            faults.ghost = []
        return cursor

    def executescript(self, sql: str) -> sqlite3.Cursor:
        try:
            self.faults.step(writes=True, makes="CREATE TABLE documents" in sql)
        except OSError as error:
            raise _refusal(error) from error
        return super().executescript(sql)


def _refusal(error: OSError) -> sqlite3.OperationalError:
    refusal = sqlite3.OperationalError(error.strerror)
    refusal.sqlite_errorcode = {
        errno.EIO: sqlite3.SQLITE_CANTOPEN,
        errno.EROFS: sqlite3.SQLITE_READONLY,
        errno.ENOSPC: sqlite3.SQLITE_FULL,
    }[error.errno or 0]
    return refusal
