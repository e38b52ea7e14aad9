"""Whether anybody has written to a history, or put another in its place: seen by its file and its
log, without opening them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SETTLED_S = 1.0
"""A file system's times are no finer than some milliseconds."""
_WAL = "-wal"


class Stamp(NamedTuple):
    """Of one file."""

    number: int
    written_at: float
    size: int


def stamps_of(history: Path) -> tuple[Stamp, ...]:
    """Return what changes whenever anybody writes; empty: there is no file."""
    found = []
    for path in _files_of(history):
        with suppress(OSError):
            state = path.stat()
            found.append(Stamp(state.st_ino, state.st_mtime, state.st_size))
    return tuple(found)


class FileIdentity(NamedTuple):
    """Which file has a name. As long as a program has it open, no other one is the same."""

    device: int
    number: int


def identities_of(history: Path) -> tuple[FileIdentity | None, ...]:
    """Return which files a history and its log are; None: there is none of that name."""
    found: list[FileIdentity | None] = []
    for path in _files_of(history):
        try:
            state = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append(FileIdentity(state.st_dev, state.st_ino))
    return tuple(found)


def are_settled(stamps: Sequence[Stamp]) -> bool:
    """Return whether the next write changes them: one just after the last may have its time."""
    now = time.time()
    return all(now - each.written_at > SETTLED_S for each in stamps)


def _files_of(history: Path) -> tuple[Path, Path]:
    return history, history.with_name(history.name + _WAL)
