"""The database: one writer at a time, any number of readers. SQLite, in WAL mode."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from edge.errors import TensorMaskError
from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    ConditionSpan,
    Entry,
    People,
    Place,
    SightProof,
    WatchedTime,
    at_minute,
)
from edge.history.schema import VERSIONS

FILE = "history.sqlite"
_LOCK_TIMEOUT_S = 5.0
Row = TypeVar("Row", bound=msgspec.Struct)


class HistoryError(TensorMaskError):
    """Make room, or repair or remove the file: the history cannot be read or written."""


@dataclass(slots=True)
class HistoryBatch:
    """What is written in one transaction. Counts and seconds are added to those that are there;
    alerts and conditions replace what is there under the same key."""

    people: list[People] = field(default_factory=list)
    watched: list[WatchedTime] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    acknowledgements: list[AlertAcknowledgement] = field(default_factory=list)
    conditions: list[ConditionSpan] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    sight: list[SightProof] = field(default_factory=list)


class HistoryWriter:
    """Writes. Each method raises HistoryError."""

    def __init__(self, path: Path) -> None:
        """Open the file, make it, or bring it up to date. Raises HistoryError."""
        with _said(path):
            self._database = sqlite3.connect(
                path, timeout=_LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._path = path
            _bring_up_to_date(self._database)

    def write(self, batch: HistoryBatch) -> None:
        """Write all of it, or nothing."""
        with _said(self._path), self._transaction() as write:
            write(
                "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET visits = visits + excluded.visits",
                (
                    (
                        each.minute,
                        each.place.camera,
                        each.place.zone,
                        each.verdict,
                        each.size_px,
                        each.is_required,
                        each.visits,
                    )
                    for each in batch.people
                ),
            )
            write(
                "INSERT INTO watched VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET seconds = seconds + excluded.seconds",
                (
                    (each.minute, each.camera, each.watch, each.clock_is_right, each.seconds)
                    for each in batch.watched
                ),
            )
            write(
                "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        each.event_id,
                        each.place.camera,
                        each.place.zone,
                        each.kind,
                        _text(each.started_at),
                        _text(each.confirmed_at),
                        _text(each.ended_at),
                        each.duration_s,
                        each.probability,
                    )
                    for each in batch.alerts
                ),
            )
            write(
                "INSERT OR REPLACE INTO acknowledgements VALUES (?, ?, ?, ?, ?, ?)",
                map(_values, batch.acknowledgements),
            )
            write(
                "INSERT OR REPLACE INTO conditions VALUES (?, ?, ?, ?, ?)",
                map(_values, batch.conditions),
            )
            write(
                "INSERT INTO journal (at, kind, by, text) VALUES (?, ?, ?, ?)",
                map(_values, batch.journal),
            )
            write(
                "INSERT OR REPLACE INTO sight VALUES (?, ?, ?, ?, ?, ?, ?)",
                map(_values, batch.sight),
            )

    def forget(self, before: datetime) -> None:
        """Delete what is older; the rule, the results of `qualify` and what was signed off stay."""
        minute, text = int(before.timestamp()) // 60, _text(before)
        with _said(self._path), self._transaction() as write:
            for table in ("people", "watched"):
                write(f"DELETE FROM {table} WHERE minute < ?", [(minute,)])
            for table, column in (
                ("acknowledgements", "at"),
                ("alerts", "confirmed_at"),
                ("conditions", "began_at"),
                ("sight", "at"),
            ):
                write(f"DELETE FROM {table} WHERE {column} < ?", [(text,)])
            write(
                "DELETE FROM journal WHERE at < ? AND kind IN ('started', 'stopped', "
                "'clock-stepped')",
                [(text,)],
            )

    def close(self) -> None:
        self._database.close()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)


class _Transaction:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> Any:
        self._database.execute("BEGIN IMMEDIATE")
        return self._database.executemany

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.execute("COMMIT" if error is None else "ROLLBACK")


class HistoryReader:
    """Reads what was written, while it is being written. Each method raises HistoryError.

    Periods are half-open: `begin` is in them, `end` is not.
    """

    def __init__(self, path: Path) -> None:
        """Open a file that is there. Raises HistoryError: there is none, or it is damaged."""
        self._path = path
        with _said(path):
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=_LOCK_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > len(VERSIONS):
            raise HistoryError(f"{path}: of a newer release (schema {version}); install that again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def people(self, begin: datetime, end: datetime) -> list[People]:
        rows = self._minutes("SELECT * FROM people", begin, end)
        return [
            msgspec.convert(
                {
                    "minute": minute,
                    "place": Place(camera, zone),
                    "verdict": verdict,
                    "size_px": size_px,
                    "is_required": bool(is_required),
                    "visits": visits,
                },
                People,
            )
            for minute, camera, zone, verdict, size_px, is_required, visits in rows
        ]

    def watched(self, begin: datetime, end: datetime) -> list[WatchedTime]:
        columns = "minute, camera, watch, seconds, clock_is_right"
        rows = self._minutes(f"SELECT {columns} FROM watched", begin, end)
        return [_made(WatchedTime, (*row[:4], bool(row[4]))) for row in rows]

    def alerts(self, begin: datetime, end: datetime) -> list[Alert]:
        """Return those that were confirmed in a period."""
        rows = self._rows("SELECT * FROM alerts WHERE confirmed_at", begin, end)
        return [_made(Alert, (row[0], Place(row[1], row[2]), *row[3:])) for row in rows]

    def acknowledgements(self, begin: datetime, end: datetime) -> list[AlertAcknowledgement]:
        """Return what was said of alerts that were confirmed in a period, the newest last."""
        rows = self._rows(
            "SELECT a.* FROM acknowledgements a JOIN alerts USING (event_id) WHERE confirmed_at",
            begin,
            end,
            "a.at",
        )
        return [_made(AlertAcknowledgement, row) for row in rows]

    def conditions(self, begin: datetime, end: datetime) -> list[ConditionSpan]:
        """Return those that lasted in a period, or began in it."""
        with _said(self._path):
            rows = self._database.execute(
                "SELECT * FROM conditions WHERE began_at < ? AND (ended_at IS NULL OR "
                "ended_at >= ?) ORDER BY began_at",
                (_text(end), _text(begin)),
            ).fetchall()
        return [_made(ConditionSpan, row) for row in rows]

    def journal(self, begin: datetime, end: datetime) -> list[Entry]:
        rows = self._rows("SELECT at, kind, by, text FROM journal WHERE at", begin, end, "number")
        return [_made(Entry, row) for row in rows]

    def sight(self, begin: datetime, end: datetime) -> list[SightProof]:
        rows = self._rows("SELECT * FROM sight WHERE at", begin, end)
        return [_made(SightProof, row) for row in rows]

    def first(self) -> datetime | None:
        """Return when the first minute began of which anything is known."""
        with _said(self._path):
            (minute,) = self._database.execute("SELECT min(minute) FROM watched").fetchone()
        return None if minute is None else at_minute(minute)

    def close(self) -> None:
        self._database.close()

    def _minutes(self, select: str, begin: datetime, end: datetime) -> list[Any]:
        first, after = int(begin.timestamp()) // 60, int(end.timestamp()) // 60
        with _said(self._path):
            statement = f"{select} WHERE minute >= ? AND minute < ? ORDER BY minute"
            return self._database.execute(statement, (first, after)).fetchall()

    def _rows(
        self, select: str, begin: datetime, end: datetime, order: str = ""
    ) -> Iterator[tuple[Any, ...]]:
        column = select.rpartition(" ")[2]
        statement = f"{select} >= ? AND {column} < ? ORDER BY {order or column}"
        with _said(self._path):
            rows = self._database.execute(statement, (_text(begin), _text(end))).fetchall()
        return iter(rows)


def create(path: Path) -> None:
    """Make the file, or bring it up to date. Raises HistoryError."""
    with closing(HistoryWriter(path)):
        pass


def _bring_up_to_date(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(VERSIONS[version:], version + 1):
        database.executescript(f"BEGIN;{statements};PRAGMA user_version = {number};COMMIT;")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into HistoryError."""
    try:
        yield
    except sqlite3.Error as error:
        raise HistoryError(f"{path}: {error}") from error


def _text(at: datetime | None) -> str | None:
    """Return a time as text that sorts as the times do."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")


def _values(row: msgspec.Struct) -> tuple[Any, ...]:
    values: Iterable[Any] = msgspec.structs.astuple(row)
    return tuple(_text(each) if isinstance(each, datetime) else each for each in values)


def _made(kind: type[Row], values: Iterable[Any]) -> Row:
    return msgspec.convert(dict(zip(kind.__struct_fields__, values, strict=True)), kind)
