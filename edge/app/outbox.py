"""`tensormask outbox`: what waits for the broker, and what it has refused.

A service that runs has its outbox locked, so what is shown is a copy of the file, as a power cut
would leave it; only a service that is stopped lets anything be dropped.
"""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from edge.errors import NotAllowedError, OutboxError
from edge.files import DamagedFileError, decoded
from edge.publish.outbox.file import Refused, drop, read_all
from edge.publish.outbox.trouble import DamagedError

_LOG = "-wal"
_NAMED = 10
"""So many runs of numbers fit a message."""
_ATTEMPTS = 10
"""To copy file and log between two writes of the service."""


class Entry(msgspec.Struct, frozen=True):
    """One document, for eyes and programs."""

    sequence: int
    accepted_at: datetime
    topic: str
    bytes: int
    refused: str | None
    """Why the broker does not take it; None: it waits."""
    document: Any = None
    """Its payload where that is asked for: JSON as it is, anything else in base64."""


def entries(
    path: Path, delivered: Collection[int] = (), *, with_payload: bool = False
) -> Iterator[Entry]:
    """Give what waits, then what was refused; nothing where there is no outbox yet.

    What was `delivered`, as the running service says, is in the file for a while, and left out.
    Raises OutboxError where it cannot be read.
    """
    if not path.exists():
        return
    with _copy_of(path) as copy, _told(path):
        for each in read_all(copy):
            document, reason = (
                (each.document, each.reason) if isinstance(each, Refused) else (each, None)
            )
            if reason is None and document.sequence in delivered:
                continue
            yield Entry(
                document.sequence,
                document.accepted.at,
                document.topic,
                len(document.payload),
                reason,
                readable(document.payload) if with_payload else None,
            )


def line(entry: Entry, now: datetime) -> str:
    """Return the entry for eyes."""
    age_s = max(0.0, (now - entry.accepted_at).total_seconds())
    state = "waits" if entry.refused is None else f"refused: {entry.refused}"
    return f"{entry.sequence:>8}  {_age(age_s):>6}  {entry.bytes:>7} B  {entry.topic}  {state}"


def dropped(
    path: Path,
    wanted: Callable[[Entry], bool],
    agrees: Callable[[int], bool],
    sequences: Collection[int] = (),
) -> int:
    """Drop the documents that are `wanted` or have one of these `sequences`; return their number.

    None where nobody `agrees` to that number. Raises OutboxError where a service has the outbox
    open, it cannot be written, or there is no document of a sequence: then nothing is dropped.
    """
    there = list(entries(path))
    _refuse_absent(path, {*sequences} - {entry.sequence for entry in there}, there)
    chosen = [each.sequence for each in there if each.sequence in sequences or wanted(each)]
    if not chosen or not agrees(len(chosen)):
        return 0
    with _told(path):
        _drop(path, chosen)
    return len(chosen)


def _refuse_absent(path: Path, absent: Collection[int], there: Sequence[Entry]) -> None:
    if absent:
        raise OutboxError(
            f"{path}: there is no document {', '.join(map(str, sorted(absent)))}; "
            f"there {_numbers([each.sequence for each in there])}; see: sudo tensormask outbox list"
        )


def _numbers(sequences: list[int]) -> str:
    """Return what there is: `is 7`, `are 7 to 9, 12`; of many the first ones."""
    runs: list[list[int]] = []
    for sequence in sorted(sequences):
        if runs and sequence == runs[-1][-1] + 1:
            runs[-1][1:] = [sequence]
        else:
            runs.append([sequence])
    named = [" to ".join(map(str, run)) for run in runs[:_NAMED]]
    more = ", …" if len(runs) > _NAMED else ""
    return f"{'is' if len(sequences) == 1 else 'are'} {', '.join(named) or 'none'}{more}"


def _drop(path: Path, sequences: Collection[int]) -> None:
    owner = path.stat()
    drop(path, sequences)
    for file in _files(path):
        os.chown(file, owner.st_uid, owner.st_gid)


@contextmanager
def _copy_of(path: Path) -> Iterator[Path]:
    """Give a copy with its log, which whoever writes the original does not notice."""
    with tempfile.TemporaryDirectory(prefix="tensormask-outbox-") as folder, _told(path):
        copy = Path(folder, path.name)
        for _ in range(_ATTEMPTS):
            before = _stamps(path)
            for file in _files(path):
                shutil.copyfile(file, Path(folder, file.name))
            if _stamps(path) == before:
                break
        yield copy


def _files(path: Path) -> list[Path]:
    """Return the outbox's file and, where there is one, its log."""
    return [file for file in (path, path.with_name(path.name + _LOG)) if file.exists()]


def _stamps(path: Path) -> list[tuple[int, int]]:
    return [(file.stat().st_mtime_ns, file.stat().st_size) for file in _files(path)]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise NotAllowedError(f"{path}: {error.strerror}") from error
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise OutboxError(f"{path}: {error}") from error
        raise OutboxError(
            f"{path}: the service has it open; stop that first: sudo systemctl stop tensormask"
        ) from error
    except DamagedError as error:
        raise OutboxError(f"{path}: {error}; start the service, which sets it aside") from error
    except (OSError, sqlite3.Error) as error:
        raise OutboxError(f"{path}: {error}; once more, or stop the service first") from error


def readable(payload: bytes) -> Any:
    """Return a payload as a document holds it: JSON as it is, anything else in base64."""
    try:
        return decoded(payload, object)
    except DamagedFileError:
        return base64.b64encode(payload).decode()


def _age(age_s: float) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60)):
        if age_s >= seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{age_s:.0f} s"
