"""What an error of SQLite or of the disk says: damage, a refusal, or another process."""

from __future__ import annotations

import sqlite3

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
_UNREADABLE = (
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
)
"""But these do: a card gives up a block for good."""


class DamagedError(Exception):
    """The file can't be trusted any more; the text says why."""


class LogDamagedError(DamagedError):
    """The log is damaged in the middle, which SQLite does not tell from its end."""

    def __init__(self) -> None:
        super().__init__("its log is damaged")


def is_damage(error: Exception) -> bool:
    """Return whether `error` speaks against the file; otherwise the disk refuses."""
    if isinstance(error, DamagedError):
        return True
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.ProgrammingError):
        return False
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF not in _DISK_REFUSES or code in _UNREADABLE


def is_open_elsewhere(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
