"""All that a box keeps in its state folder: what is in each file, and how long it stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from edge.commands.outbox import entries
from edge.config import Settings
from edge.errors import NotAllowedError, OutboxError
from edge.history.contents import contents
from edge.history.standby import NAME, Standby
from edge.history.store import FILE, HistoryError

UNKNOWN = "not known to this release"


class KeptItem(msgspec.Struct, frozen=True):
    """A file, or a table in one."""

    file: str
    table: str | None
    holds: str
    stays: str
    bytes: int | None
    """With its log; of a table: None, it is in its file's."""
    rows: int | None = None
    """None: it has no rows, or they cannot be counted."""
    oldest: datetime | None = None
    problem: str = ""
    """Why it cannot be looked into."""


@dataclass(frozen=True, slots=True)
class _Kind:
    pattern: str
    """Of a file's name."""
    holds: str
    stays: str


def _kinds(settings: Settings) -> tuple[_Kind, ...]:
    outbox, history = settings.outbox.file.name, settings.history
    days = f"{history.days} days ([history] days)"
    events = f"until they are delivered, {settings.outbox.max_age_s / 86_400:.0f} days at most"
    removed = "until somebody removes it"
    return (
        _Kind(FILE, "the history: see its tables", days),
        _Kind(f"{FILE}.damaged-*", "a history that was damaged", f"{days}, two at most"),
        _Kind("history.json", "counts by hour and alerts of an earlier release", "taken over"),
        _Kind(
            outbox,
            "messages for the broker: alerts with time, place, duration and probability, and "
            "a covered picture where [snapshots] allows it",
            events,
        ),
        _Kind(f"{outbox}.damaged-*", "an outbox that was damaged, five at most", removed),
        _Kind(f"{outbox}.sequence*", "the number of the next message", "always"),
        _Kind(
            "notify-*.sqlite",
            "alerts and conditions for one target of [[notify]], with a covered picture where it "
            "gets one",
            "until they are delivered, or the target's limits",
        ),
        _Kind("notify-*.sqlite.damaged-*", "the same, of a file that was damaged", removed),
        _Kind("notify-*.sqlite.sequence*", "the number of the next event", "always"),
        _Kind("area.json", "the area that was drawn on the page", "until another is drawn"),
        _Kind("area.before.json", "the area before, for Undo", "as the area"),
        _Kind("area.names.json", "the names of their parts", "as the area"),
        _Kind("zones.json", "the zones that were drawn, and their names", "until others are drawn"),
        _Kind("identity.json", "the name under which the broker knows the box", "always"),
        _Kind("home-assistant.json", "what was announced to Home Assistant", "while announced"),
        _Kind("qualify.json", "walks of a qualification that was not ended", "until the next one"),
        _Kind(
            "sight",
            "the proof of sight: averages of the scene in 48 columns, and where faces were, as "
            "counts",
            "until `tensormask sight learn`",
        ),
        _Kind("page.key", "the key that signs the cookies of the page", "always"),
        _Kind("models", "neural networks that were fetched", removed),
        _Kind("*.sock", "a connection between the box's own processes", "while the service runs"),
        _Kind("*.new", "a file that was being written", "until it is written again"),
    )


def kept(settings: Settings, memory: Path | None = None) -> Iterator[KeptItem]:
    """Give each file in the state folder, and each table of the history; and what waits in the
    folder in memory of the service that writes it.

    Raises NotAllowedError where that is not for this user.
    """
    folder, kinds = settings.outbox.file.parent, _kinds(settings)
    try:
        files = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise NotAllowedError(f"{folder}: {error.strerror}") from error
    names = {file.name for file in files}
    for file in files:
        if _is_log(file.name) and file.name[:-4] in names:
            continue  # counted with its file
        kind = next((each for each in kinds if fnmatch(file.name, each.pattern)), None)
        if kind is None:
            yield KeptItem(file.name, None, UNKNOWN, "unknown", _size(file))
        elif file.name == FILE:
            yield from _history(file, kind)
            yield from _waiting(memory)
        elif file.name == settings.outbox.file.name or (
            file.match("notify-*.sqlite") and not file.match("*.damaged-*")
        ):
            yield _queue(file, kind)
        else:
            yield KeptItem(file.name, None, kind.holds, kind.stays, _size(file))


def _is_log(name: str) -> bool:
    return name.endswith(("-wal", "-shm"))


def _size(file: Path) -> int:
    """Return the bytes of a file with its log, or of all in a folder."""
    if file.is_dir():
        return sum(each.stat().st_size for each in file.rglob("*") if each.is_file())
    beside = [file.with_name(file.name + log) for log in ("-wal", "-shm")]
    return sum(each.stat().st_size for each in (file, *beside) if each.exists())


def _history(file: Path, kind: _Kind) -> Iterator[KeptItem]:
    try:
        tables = contents(file)
    except HistoryError as error:
        yield KeptItem(file.name, None, kind.holds, kind.stays, _size(file), problem=str(error))
        return
    yield KeptItem(file.name, None, kind.holds, kind.stays, _size(file))
    for table in tables:
        stays = "always" if table.name == "about" else kind.stays
        if table.name == "journal":
            stays += (
                "; the last setting of the mask rule, the last measurement and the last deletion: "
                "always"
            )
        yield KeptItem(file.name, table.name, table.holds, stays, None, table.rows, table.oldest)


def _waiting(memory: Path | None) -> Iterator[KeptItem]:
    """Give what has happened and is in no table yet."""
    if memory is None or not (file := memory / NAME).exists():
        return
    rows = sum(each.rows for each in Standby(memory).read())
    holds = "what has happened and is not in the history's tables yet, in memory"
    yield KeptItem(file.name, None, holds, "ten minutes, until it is written", _size(file), rows)


def _queue(file: Path, kind: _Kind) -> KeptItem:
    try:
        waiting = [each.accepted_at for each in entries(file)]
    except (OutboxError, sqlite3.Error) as error:
        return KeptItem(file.name, None, kind.holds, kind.stays, _size(file), problem=str(error))
    return KeptItem(
        file.name,
        None,
        kind.holds,
        kind.stays,
        _size(file),
        len(waiting),
        min(waiting, default=None),
    )
