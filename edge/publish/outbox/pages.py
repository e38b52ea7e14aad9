"""The rows in a damaged SQLite file, page by page: what SQLite itself no longer finds its way to.

SQLite reaches a page of rows by the pages above it, and stops at the first that is damaged. Here
each page is read for itself, as https://www.sqlite.org/fileformat2.html has it, so that a damaged
one costs no other. Whether a row is what was written is for its checksum to say, which SQLite does
not have: what is read here may be anything.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edge.files import read_file

Values = tuple[int, list[Any]]
"""A row: its rowid, 0 in a table without, and its columns."""

_FILE_HEADER = 100
_TABLE_LEAF, _TABLE_INNER, _INDEX_LEAF, _INDEX_INNER = 0x0D, 0x05, 0x0A, 0x02
_WITH_ROWS = (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER)
_NO_ROW = (IndexError, ValueError, struct.error, OSError)
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of an integer by its serial type."""
_LOG_HEADER, _FRAME_HEADER = 32, 24
_MOST_LOG_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class LogFrame:
    """A page in the log."""

    page: int
    commits: bool
    content: bytes


class Log:
    """The log beside a file: pages that are newer than its own."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        """Read the log; one that is not there has no frames. Raises OSError."""
        self.frames: list[LogFrame] = []
        """As they lie in it, those behind a damaged one too, but none of an earlier use."""
        self.sound = 0
        """How many of them are as they were written; SQLite takes the completed transactions."""
        self.content = content = b""
        with suppress(FileNotFoundError):
            self.content = content = read_file(path, _MOST_LOG_BYTES)
        size = _FRAME_HEADER + page_bytes
        raw = [content[at : at + size] for at in range(_LOG_HEADER, len(content) - size + 1, size)]
        salts = content[16:24]
        sums = _log_sums(content[:24], (0, 0))
        is_sound = len(content) >= _LOG_HEADER and content[24:32] == struct.pack(">2I", *sums)
        self._has_head = is_sound
        if not is_sound and raw:
            salts = Counter(frame[8:16] for frame in raw).most_common(1)[0][0]
        for frame in raw:
            if frame[8:16] != salts:
                is_sound = False  # of an earlier use, or its header is damaged
                continue
            page, committed = struct.unpack(">2I", frame[:8])
            sums = _log_sums(frame[:8] + frame[_FRAME_HEADER:], sums)
            is_sound = is_sound and frame[16:24] == struct.pack(">2I", *sums)
            self.frames.append(LogFrame(page, committed > 0, frame[_FRAME_HEADER:]))
            self.sound += is_sound

    @property
    def passed_over(self) -> list[LogFrame]:
        """The frames that SQLite does not take."""
        taken = max((n for n in range(1, self.sound + 1) if self.frames[n - 1].commits), default=0)
        return self.frames[taken:]

    @property
    def is_cut_short(self) -> bool:
        """Whether SQLite would pass over transactions that were completed.

        The last one in the log may have been cut off while it was written: nothing is written
        behind such a one. The head was written before all of them.
        """
        behind = self.frames[self.sound :]
        return any(frame.commits for frame in (behind[:-1] if self._has_head else behind))


def _log_sums(content: bytes, before: tuple[int, int]) -> tuple[int, int]:
    """Return the log's running checksum; a log that we write is summed in the machine's order."""
    one, other = before
    words = struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return one, other


class Pages:
    """A file's pages, with those of its log in their places."""

    def __init__(
        self, file: BinaryIO, frames: Sequence[LogFrame], page_bytes: int, *, are_sound: bool
    ) -> None:
        """`frames` are those of the log, and `are_sound` says whether SQLite takes them all."""
        self._file = file
        self._page_bytes = page_bytes
        self._log_is_sound = are_sound
        self._newer: dict[int, list[bytes]] = {}
        for frame in frames:
            self._newer.setdefault(frame.page, []).insert(0, frame.content)
        self._file.seek(0, 2)
        in_file = range(1, self._file.tell() // page_bytes + 1)
        self._there = {*in_file, *self._newer} - {0}
        """The pages' numbers; that of a damaged frame may be any."""

    def rows(self) -> Iterator[Values]:
        """Give what looks like a row, wherever it is but on pages that are free."""
        free = self._free()
        for number in sorted(self._there - free):
            for page in self._versions(number):
                is_whole = yield from self._rows_on(page, _FILE_HEADER if number == 1 else 0)
                if is_whole or self._log_is_sound:
                    break  # else what it was before may still be legible

    def _versions(self, number: int) -> Iterator[bytes]:
        """Give a page as it is, then as it was before."""
        yield from self._newer.get(number, ())
        self._file.seek((number - 1) * self._page_bytes)
        yield self._file.read(self._page_bytes)

    def _page(self, number: int) -> bytes:
        return next(self._versions(number))

    def _free(self) -> set[int]:
        """Return the pages whose rows are deleted, as far as the list of them is whole."""
        free: set[int] = set()
        with suppress(struct.error, OSError):
            (trunk,) = struct.unpack_from(">I", self._page(1), 32)
            while trunk in self._there and trunk not in free:
                free.add(trunk)
                page = self._page(trunk)
                trunk, leaves = struct.unpack_from(">2I", page)
                free |= set(struct.unpack_from(f">{min(leaves, len(page) // 4 - 2)}I", page, 8))
        return free

    def _rows_on(self, page: bytes, start: int) -> Generator[Values, None, bool]:
        """Give the rows on a page; return whether all of it could be read."""
        if len(page) < self._page_bytes or self._has_no_rows(page, start):
            return False
        is_whole = page[start] in _WITH_ROWS
        if is_whole:
            (cells,) = struct.unpack_from(">H", page, start + 3)
            places = start + (12 if page[start] == _INDEX_INNER else 8)
            for index in range(min(cells, self._page_bytes // 4)):
                try:
                    (at,) = struct.unpack_from(">H", page, places + 2 * index)
                    yield self._row_at(page, at, page[start])
                except _NO_ROW:
                    is_whole = False
        if not is_whole:
            # The head of the page is damaged, and its rows may be whole: they are somewhere on it.
            for at in range(self._page_bytes):
                with suppress(*_NO_ROW):
                    yield self._row_at(page, at, _TABLE_LEAF)
        return is_whole

    def _has_no_rows(self, page: bytes, start: int) -> bool:
        """Whether it leads to other pages, or has the rest of a row that is larger than one."""
        (following,) = struct.unpack_from(">I", page)
        return page[start] == _TABLE_INNER or not following or following in self._there

    def _row_at(self, page: bytes, at: int, kind: int) -> Values:
        if kind == _INDEX_INNER:
            at += 4
        size, at = _varint(page, at)
        rowid = 0
        if kind == _TABLE_LEAF:
            rowid, at = _varint(page, at)
        return rowid, _columns(self._record(page, at, size, kind))

    def _record(self, page: bytes, at: int, size: int, kind: int) -> bytes:
        """Return a record of that size which begins there, with what of it is on other pages."""
        room = self._page_bytes
        most = room - 35 if kind == _TABLE_LEAF else (room - 12) * 64 // 255 - 23
        if size <= most:
            return page[at : at + size]
        if size > room * len(self._there):
            raise ValueError("larger than the file")
        least = (room - 12) * 32 // 255 - 23
        here = least + (size - least) % (room - 4)
        here = here if here <= most else least
        record = bytearray(page[at : at + here])
        (following,) = struct.unpack_from(">I", page, at + here)
        while len(record) < size:
            if following not in self._there:
                raise ValueError("its next page is not there")
            overflow = self._page(following)
            if len(overflow) < room:
                raise ValueError("its next page is cut off")
            (following,) = struct.unpack_from(">I", overflow)
            record += overflow[4 : 4 + size - len(record)]
        return bytes(record)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, and where it ends."""
    number = 0
    for index in range(8):
        byte = content[at + index]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + index + 1
    number = number << 8 | content[at + 8]
    return number - (1 << 64 if number >> 63 else 0), at + 9


def _columns(record: bytes) -> list[Any]:
    """Return the values in a record. Raises IndexError, ValueError, struct.error."""
    end, at = _varint(record, 0)
    place = end
    values: list[Any] = []
    while at < end:
        kind, at = _varint(record, at)
        value, place = _value(record, place, kind)
        values.append(value)
    return values


def _value(record: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, at
    if kind == 7:
        return struct.unpack_from(">d", record, at)[0], at + 8
    if kind in (8, 9):
        return kind - 8, at
    if kind in _INTEGERS:
        size = _INTEGERS[kind]
        return int.from_bytes(record[at : at + size], "big", signed=True), at + size
    size = (kind - 12) // 2
    content = record[at : at + size]
    if kind < 12 or len(content) < size:
        raise ValueError("no such value")
    return content.decode() if kind % 2 else content, at + size
