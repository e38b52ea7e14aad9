"""What is legible in a damaged outbox, and of a write that was cut off, is kept.

A damaged file is quarantined, and what is legible in it is taken over into a new one.

While that is under way the file is called `<name>.damaged-<time>.salvaging`, so that a kill in
between is made up for by the next run; then `<name>.damaged-<time>`, and there it stays.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from edge.publish.outbox.file import LOG, PAGE_BYTES, SpoolFile, columns_in, connect
from edge.publish.outbox.pages import Log, LogFrame, Pages
from edge.publish.outbox.rows import COLUMNS, Refused, StoredDocument, checksum, document_of
from edge.publish.outbox.sequence import is_counted
from edge.publish.outbox.trouble import DamagedError
from edge.publish.outbox.unended import Unended, UnendedTable, event_of

_log = logging.getLogger(__name__)

_KEPT_ASIDE = 5
"""How many damaged outboxes are kept; then the oldest of them goes."""
_UNKNOWN_AT = "1970-01-01T00:00:00+00:00"
_ASIDE_TIME = "%Y%m%dT%H%M%S%fZ"
_UNDER_WAY = ".salvaging"
Legible = StoredDocument | Refused | Unended


def quarantine(path: Path, at: datetime) -> Path:
    """Rename a damaged file, which is to be salvaged. Raises OSError."""
    aside = _named(path, at)
    while aside.exists() or aside.with_name(aside.name.removesuffix(_UNDER_WAY)).exists():
        at += timedelta(microseconds=1)  # a clock that begins at the same time with each boot
        aside = _named(path, at)
    _rename(path, aside)
    return aside


def keep(path: Path, aside: Path) -> None:
    """Call what was salvaged by its last name, and delete the oldest of them. Raises OSError."""
    kept = aside.with_name(aside.name.removesuffix(_UNDER_WAY))
    _rename(aside, kept)
    others = [each for each in files_aside(path) if each != kept]
    for old in others[: 1 - _KEPT_ASIDE]:
        for suffix in ("", LOG):
            old.with_name(old.name + suffix).unlink(missing_ok=True)


def files_aside(path: Path) -> list[Path]:
    """Return the files that were quarantined, oldest first."""
    return sorted(path.parent.glob(path.name + ".damaged-*Z"))


def files_under_way(path: Path) -> list[Path]:
    """Return the files that were quarantined, and not salvaged yet."""
    return sorted(path.parent.glob(path.name + ".damaged-*Z" + _UNDER_WAY))


def aside_at(aside: Path) -> datetime:
    """Return when a file was quarantined."""
    stamp = aside.name.rpartition(".damaged-")[2]
    return datetime.strptime(stamp, _ASIDE_TIME).replace(tzinfo=UTC)


def legible(aside: Path) -> Iterator[Legible]:
    """Give what is unaltered in a damaged file, each once; nothing is raised for its damage.

    First what the pages have, since SQLite writes to the file, and then what SQLite finds. Of a
    file whose rows another release has written in its own way, what still has its name is taken:
    without `topic` and `payload` nothing.
    """
    return _each_once(each for source in (_on_pages, _by_sqlite) for each in source(aside))


def complete(file: SpoolFile) -> int:
    """Bring what is legible of a transaction that was cut off into the file.

    The power or the disk failed while it was being written; or it is damaged, which looks the
    same. Return the last sequence that may have been used, so that no other document gets it.
    """
    known = file.last_sequence
    if not any(frame.commits for frame in file.cut_off):
        return known
    found = list(_legible_in(file.cut_off))
    documents = [
        each
        for each in found
        if isinstance(each, StoredDocument) and is_counted(each.sequence) and each.sequence > known
    ]
    last = max((each.sequence for each in documents), default=known + 1)
    kept = 0
    if documents:
        with suppress(sqlite3.Error):
            with file.transaction():
                file.insert(documents)
                _take_on_events(
                    file, [each for each in found if isinstance(each, Unended)], documents
                )
            kept = len(documents)
    _log.warning(
        "the outbox: its last write was cut off; messages recovered: %d; numbers go on after %d",
        kept,
        last,
    )
    return last


def _take_on_events(
    file: SpoolFile, begun: Sequence[Unended], documents: Sequence[StoredDocument]
) -> None:
    """Note which events have begun with these documents; the others that they name have ended."""
    file.unended.write(begun)
    file.unended.delete(
        each.event_id
        for each in list(file.unended.read())
        if each not in begun
        and any(each.event_id.encode() in document.payload for document in documents)
    )


def _each_once(legibles: Iterable[Legible]) -> Iterator[Legible]:
    found: set[tuple[type, int | str]] = set()
    for each in legibles:
        key = type(each), _key_of(each)
        if key not in found:
            found.add(key)
            yield each


def _key_of(each: Legible) -> int | str:
    if isinstance(each, Unended):
        return each.event_id
    return (each.document if isinstance(each, Refused) else each).sequence


def _on_pages(aside: Path) -> Iterator[Legible]:
    with suppress(OSError), aside.open("rb") as file:
        page_bytes = _page_bytes(file.read(18))
        log = Log(aside.with_name(aside.name + LOG), page_bytes)
        are_sound = log.sound == len(log.frames)
        yield from _legible_on(Pages(file, log.frames, page_bytes, are_sound=are_sound))


def _legible_in(frames: Sequence[LogFrame]) -> Iterator[Legible]:
    """Give what is unaltered in a part of a log, each once."""
    return _each_once(_legible_on(Pages(BytesIO(), frames, PAGE_BYTES, are_sound=False)))


def _legible_on(pages: Pages) -> Iterator[Legible]:
    for row in pages.rows():
        with suppress(TypeError, ValueError):
            if (each := _unaltered(*row)) is not None:
                yield each


def _page_bytes(header: bytes) -> int:
    """Return the size of a page; that of ours where the file does not say it."""
    size = int.from_bytes(header[16:18], "big")
    return size if 512 <= size <= 32_768 and size & (size - 1) == 0 else PAGE_BYTES


def _unaltered(rowid: int, columns: list[Any]) -> Legible | None:
    """Return what a row says if its checksum is right; no other row's can be."""
    if len(columns) == 4:
        return event_of(columns)
    if len(columns) not in (8, 9):
        return None
    at, is_right, run, run_s, topic, payload, crc32 = columns[1:8]
    # SQLite keeps a whole number as one, and makes it a float again on reading.
    content = (rowid, at, is_right, run, float(run_s), topic, payload)
    if checksum(*content) != crc32:
        return None
    document = document_of(*content)
    return document if len(columns) == 8 else Refused(document, str(columns[8]))


def _by_sqlite(aside: Path) -> Iterator[Legible]:
    with suppress(sqlite3.DatabaseError), closing(connect(aside)) as damaged:
        yield from _rows(damaged)
    with suppress(sqlite3.DatabaseError), closing(connect(aside)) as damaged:
        yield from UnendedTable(damaged).read()


def _rows(damaged: sqlite3.Connection) -> Iterator[StoredDocument]:
    there = columns_in(damaged, "documents")
    names = [name if name in there else "NULL" for name in COLUMNS.split(", ")]
    for sequence, *content, crc32 in damaged.execute(
        f"SELECT {', '.join(names)} FROM documents ORDER BY rowid"
    ):
        if "NULL" not in names and checksum(sequence, *content) != crc32:
            continue
        if document := _completed(sequence, *content):
            yield document


def _completed(
    sequence: int | None, at: Any, is_right: Any, run: Any, run_s: Any, topic: Any, payload: Any
) -> StoredDocument | None:
    """Return the document of a row of which some columns are None; None: it is none any more."""
    if sequence is None or topic is None or payload is None:
        return None
    with suppress(DamagedError):
        return document_of(sequence, at, is_right or 0, run or "", run_s or 0.0, topic, payload)
    return document_of(sequence, _UNKNOWN_AT, 0, "", 0.0, topic, payload)


def _named(path: Path, at: datetime) -> Path:
    stamp = at.astimezone(UTC).strftime(_ASIDE_TIME)
    return path.with_name(f"{path.name}.damaged-{stamp}{_UNDER_WAY}")


def _rename(old: Path, new: Path) -> None:
    # The log first: without its file it would be taken for another's.
    for suffix in (LOG, ""):
        with suppress(FileNotFoundError):
            old.with_name(old.name + suffix).rename(new.with_name(new.name + suffix))
