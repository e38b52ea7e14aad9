"""How far the outbox's sequence may have come: a number on disk that it has not passed yet.

The outbox's own file can be lost or damaged, and on a full disk it learns nothing new. The reserve
is one small file beside it, and it is written in place, into a block that it has already: most file
systems take that even when they are full.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from edge.durable import sync_folder

RESERVE = 1000
"""How far the reserve runs ahead: it is written once in so many documents."""
_KEPT = "kept"
_LIVE = "live"


class SequenceReserve:
    """The number, and whether the outbox's file may lag behind what has been published."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.limit = 0
        """The sequence has not passed it; 0: not known."""
        self.is_live = False
        """Whether numbers up to `limit` may be out in the world that no row of the outbox had."""

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def load(self) -> None:
        """Read what the last run has left; an illegible file leaves 0. Raises OSError."""
        try:
            number, state, crc32 = self._path.read_text(encoding="ascii").split()
            if int(crc32, 16) == _crc32(int(number), state):
                self.limit, self.is_live = int(number), state == _LIVE
        except (FileNotFoundError, ValueError):
            pass

    def cover(self, sequence: int, *, live: bool) -> None:
        """Make sure that the disk knows of `sequence`, before that is used. Raises OSError."""
        if sequence <= self.limit and live == self.is_live:
            return
        limit = self.limit if sequence <= self.limit else sequence + RESERVE - 1
        state = _LIVE if live else _KEPT
        self._write(f"{limit:019d} {state} {_crc32(limit, state):08x}\n".encode())
        self.limit, self.is_live = limit, live

    def _write(self, record: bytes) -> None:
        is_new = not self.exists
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(descriptor, record, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self._path.parent)


def _crc32(number: int, state: str) -> int:
    return zlib.crc32(f"{number} {state}".encode())
