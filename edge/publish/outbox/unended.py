"""Events that were begun and not ended: what is reported of each where a kill takes its end.

A row is written in the transaction of the document that begins an event, and deleted in that of the
document that ends it; so what a run finds here at its start is what the last one left open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge.publish.outbox.rows import checksum

SCHEMA = """
CREATE TABLE IF NOT EXISTS unended (
    event_id TEXT PRIMARY KEY,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    crc32 INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""Since 0.3.0. An older program passes over it."""


@dataclass(frozen=True, slots=True)
class Unended:
    """An event, and the document that ends it if nobody is there to see its end."""

    event_id: str
    topic: str
    payload: bytes
    """Without the right sequence, which it is given when it is reported."""


class UnendedTable:
    """The rows of an outbox's file. Its methods raise sqlite3.Error."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def write(self, events: Iterable[Unended]) -> None:
        for event in events:
            content = (event.event_id, event.topic, event.payload)
            self._database.execute(
                "INSERT OR REPLACE INTO unended (event_id, topic, payload, crc32) "
                "VALUES (?, ?, ?, ?)",
                (*content, checksum(*content)),
            )

    def delete(self, event_ids: Iterable[str]) -> None:
        """Delete rows; those that are gone already don't matter."""
        for event_id in event_ids:
            self._database.execute("DELETE FROM unended WHERE event_id = ?", (event_id,))

    def read(self) -> Iterator[Unended]:
        """Give the rows by the time of their events; altered ones are left out."""
        for row in self._database.execute(
            "SELECT event_id, topic, payload, crc32 FROM unended ORDER BY event_id"
        ).fetchall():
            if (event := event_of(row)) is not None:
                yield event


class UnendedChanges:
    """Which events have begun and ended, and the rows do not say so yet."""

    def __init__(self) -> None:
        self._begun: dict[str, Unended] = {}
        self._ended: set[str] = set()

    def begin(self, event: Unended) -> None:
        self._begun[event.event_id] = event

    def end(self, event_id: str) -> None:
        if self._begun.pop(event_id, None) is None:
            self._ended.add(event_id)

    def write(self, table: UnendedTable) -> None:
        """Write the changes; they are kept until `clear`. Raises sqlite3.Error."""
        table.write(self._begun.values())
        table.delete(self._ended)

    def clear(self) -> None:
        """Forget the changes: the rows say so."""
        self._begun.clear()
        self._ended.clear()


def event_of(row: Sequence[Any]) -> Unended | None:
    """Return the event in a row; None where it was altered."""
    *content, crc32 = row
    return Unended(*content) if checksum(*content) == crc32 else None
