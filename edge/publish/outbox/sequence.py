"""The numbers of the documents: a count that is on the disk, and numbers for what never gets there.

The count goes up by one, and it never goes back. The outbox's own file can be lost or damaged, and
on a full disk it learns nothing new; so the reserve, two small files beside it, holds a number that
the count has not passed yet. They are written in place, one after the other, into blocks that they
have already: most file systems take that even when they are full, and one of them is always whole.
While the outbox learns nothing, that number is the last one given: then a kill skips none.

Where not even that can be written (a read-only card), nothing tells the next run which numbers
this one gave, and a clock that begins at the same time with each boot is no help. Such numbers are
drawn: each run begins somewhere beyond `UNRECORDED` and counts from there. They leave the count
alone.
"""

from __future__ import annotations

import errno
import os
import random
import zlib
from contextlib import suppress
from pathlib import Path

from edge.durable import replace_file

RESERVE = 1000
"""How far the reserve runs ahead of a working outbox: once in this many messages it is written."""
UNRECORDED = 10**15
"""From here on are the numbers that no disk knows of."""
MOST = 2**53
"""All numbers are below: beyond it JavaScript's have gaps."""
_DRAWN_FROM = 4 * 10**15
"""How many places to begin at: two of a thousand runs of a thousand documents meet in one of four
million devices."""
_LOST = 10**12
"""Where a count goes on that is lost altogether; such places are few, for it is a rare accident."""
_LEAST_SKIP, _MOST_SKIP = 10**9, 10**12
"""More than a run gives, so that what lies between may be numbers that were given and forgotten."""
_KEPT = "kept"
_LIVE = "live"
_RECORD_BYTES = 19 + 1 + 4 + 1 + 8 + 1
_chance = random.SystemRandom()


def is_counted(sequence: int) -> bool:
    """Return whether a number belongs to the count."""
    return sequence < UNRECORDED


def drawn_beyond(waiting: int) -> int:
    """Return where a run's unrecorded numbers begin: beyond `waiting`, the newest that waits."""
    if is_counted(waiting):
        return UNRECORDED + _chance.randrange(_DRAWN_FROM)
    return waiting + _skip()


def drawn_for_lost(known: int) -> int:
    """Return where a count goes on of which only `known` is left, if anything is."""
    return max(known, _LOST) + _skip()


def _skip() -> int:
    return _chance.randrange(_LEAST_SKIP, _MOST_SKIP)


class SequenceReserve:
    """How far the count may have come, and whether the outbox's file may lag behind that."""

    def __init__(self, path: Path) -> None:
        self._paths = (path, path.with_name(path.name + "-copy"))
        self.limit = 0
        """The count has not passed it; 0: not known."""
        self.is_live = False
        """Whether numbers up to `limit` may be out in the world that no row of the outbox had."""
        self._is_written = False
        """Whether both files say so."""

    @property
    def exists(self) -> bool:
        return any(path.exists() for path in self._paths)

    def load(self) -> None:
        """Read what the last run has left; illegible files leave 0. Raises OSError."""
        records: list[tuple[int, bool]] = []
        problem: OSError | None = None
        for path in self._paths:
            try:
                records.append(_record_in(path))
            except (FileNotFoundError, ValueError):
                continue
            except OSError as error:
                problem = error
        if records:
            # Of two the first, since it was written first.
            self.limit, self.is_live = records[0]
        elif problem is not None:
            raise problem
        self._is_written = len(records) == len(self._paths) and len(set(records)) == 1

    def cover(self, sequence: int, *, live: bool) -> None:
        """Make sure that the disk knows of `sequence`, before that is used. Raises OSError."""
        is_covered = sequence <= self.limit and live == self.is_live
        if is_covered and self._is_written:
            return
        limit = self.limit if is_covered else sequence + (0 if live else RESERVE - 1)
        state = _LIVE if live else _KEPT
        self._is_written = False
        for path in self._paths:
            _write(path, f"{limit:019d} {state} {_crc32(limit, state):08x}\n".encode())
        self.limit, self.is_live, self._is_written = limit, live, True


class DocumentNumbers:
    """Gives the documents their numbers: each is chosen by `next`, and used up by `give`."""

    def __init__(self, reserve: SequenceReserve) -> None:
        self._reserve = reserve
        self._last: int | None = None
        """The last number of the count that was given; None: not known yet."""
        self._unrecorded: int | None = None
        """The last number that this run has given while nothing could be written."""

    @property
    def last(self) -> int:
        """The last number of the count that was given; 0: none, or it is not known."""
        return self._last or 0

    def next(self, newest: int, *, is_refused: bool) -> int:
        """Return the next number. `newest` is that of the documents that wait; 0: none does.

        It is one of the count where the disk can know of it, which takes no row while it
        `is_refused`. But behind a number that is not, no counted one is given: they are delivered
        in their order.
        """
        if not is_counted(newest):
            return self._next_unrecorded(newest)
        if not is_refused:
            return self.last + 1
        # Where the file could not be opened yet, the reserve alone tells how far the count is.
        last = self._reserve.limit if self._last is None else self._last
        if last or self._last is not None:
            with suppress(OSError):
                self._reserve.cover(last + 1, live=True)
                return last + 1
        return self._next_unrecorded(newest)

    def give(self, sequence: int) -> None:
        """Note that a number was given."""
        if is_counted(sequence):
            self._last = sequence
        else:
            self._unrecorded = sequence

    def pass_over(self, sequence: int) -> None:
        """Go on behind a number of the count that may have been given."""
        self._last = max(self.last, sequence)

    def resume(self, known: int, *, replaces: bool) -> None:
        """Go on behind what a file knows, and behind what may have been given without it.

        It `replaces` a damaged one, where there is such a one.
        """
        self._last = max(known, self._last_without(known, replaces=replaces))

    def _last_without(self, known: int, *, replaces: bool) -> int:
        """Return the last number that may have been given, where the file does not know it."""
        if self._last is not None:
            return self._last
        if self._reserve.limit:
            return self._reserve.limit - (0 if self._reserve.is_live else RESERVE)
        # An illegible reserve: numbers may have been given that the file does not know.
        is_lost = self._reserve.exists or (replaces and not known)
        return drawn_for_lost(known) if is_lost else 0

    def _next_unrecorded(self, newest: int) -> int:
        return drawn_beyond(newest) if self._unrecorded is None else self._unrecorded + 1


def _record_in(path: Path) -> tuple[int, bool]:
    """Return limit and whether it is live. Raises OSError, and ValueError where it is illegible."""
    with path.open("rb") as file:
        # What lies behind it was there before: records are written in place.
        number, state, crc32 = file.read(_RECORD_BYTES).decode("ascii").split()
    if int(crc32, 16) != _crc32(int(number), state):
        raise ValueError(f"{path}: its checksum is wrong")
    return int(number), state == _LIVE


def _write(path: Path, record: bytes) -> None:
    if not path.exists():
        replace_file(path, record)
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        if os.pwrite(descriptor, record, 0) != len(record):
            raise OSError(errno.EIO, "written in part", str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _crc32(number: int, state: str) -> int:
    return zlib.crc32(f"{number} {state}".encode())
