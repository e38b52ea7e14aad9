"""Which alerts there are, what was said of each, and what of that is not published yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from edge.history.database import open_to_write, said_plainly, transaction
from edge.history.records import AlertAcknowledgement
from edge.history.rows import flat, made, text_of

_COLUMNS = "event_id, at, by, reason, remedy, note"


class AlertBook:
    """Reads and writes the file, and is closed soon: others write it too. Each method raises
    HistoryError."""

    def __init__(self, path: Path) -> None:
        """Open the file, make it, or bring it up to date. Raises HistoryError."""
        self._path = path
        self._database = open_to_write(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def confirmed_at(self, event_id: str) -> datetime | None:
        """Return when an alert was confirmed; None: there is none of that id."""
        rows = self._asked("SELECT confirmed_at FROM alerts WHERE event_id = ?", event_id)
        return datetime.fromisoformat(rows[0][0]) if rows else None

    def newest_open(self, since: datetime) -> tuple[str, datetime] | None:
        """Return the last that was confirmed, and when, of those of which nothing was said."""
        rows = self._asked(
            "SELECT event_id, confirmed_at FROM alerts WHERE confirmed_at >= ? AND NOT EXISTS "
            "(SELECT 1 FROM acknowledgements a WHERE a.event_id = alerts.event_id) "
            "ORDER BY confirmed_at DESC LIMIT 1",
            text_of(since),
        )
        return (rows[0][0], datetime.fromisoformat(rows[0][1])) if rows else None

    def said_of(self, event_id: str) -> list[AlertAcknowledgement]:
        """Return what was said of an alert, the newest last."""
        return self._said("WHERE event_id = ? ORDER BY at", event_id)

    def said_since(self, since: datetime, most: int) -> list[AlertAcknowledgement]:
        """Return the last that was said of the alerts confirmed since then, the newest last."""
        return self._said(
            "JOIN alerts USING (event_id) WHERE confirmed_at >= ? ORDER BY at DESC LIMIT ?",
            text_of(since),
            most,
        )[::-1]

    def unpublished(self) -> list[AlertAcknowledgement]:
        """Return what any process has written and none has published yet, the oldest first."""
        return self._said("JOIN unpublished USING (event_id, at) ORDER BY at")

    def mark_published(self, said: Sequence[AlertAcknowledgement]) -> None:
        if said:
            self._change(
                "DELETE FROM unpublished WHERE event_id = ? AND at = ?",
                ((each.event_id, text_of(each.at)) for each in said),
            )

    def write(self, said: AlertAcknowledgement) -> None:
        """Write it down; the schema sees to it that it is unpublished."""
        statement = f"INSERT INTO acknowledgements ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
        self._change(statement, [flat(said)])

    def _said(self, which: str, *values: object) -> list[AlertAcknowledgement]:
        rows = self._asked(f"SELECT {_COLUMNS} FROM acknowledgements {which}", *values)
        return [made(AlertAcknowledgement, row) for row in rows]

    def _asked(self, statement: str, *values: object) -> list[Any]:
        with said_plainly(self._path):
            return self._database.execute(statement, values).fetchall()

    def _change(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with said_plainly(self._path), transaction(self._database):
            self._database.executemany(statement, rows)
