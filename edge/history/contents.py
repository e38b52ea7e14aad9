"""What the tables hold, and how much: for somebody who wants to know what a box keeps."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge.history.database import open_to_read, said_plainly
from edge.history.records import at_minute

_MINUTE = "minute"
TABLES = {
    "people": (
        _MINUTE,
        "people who left, by minute, place, verdict, size class of the face, and whether the mask "
        "rule was on",
    ),
    "watched": (_MINUTE, "seconds in which the camera watched or could not, by minute"),
    "alerts": ("confirmed_at", "of each alert its times, place, kind, duration and probability"),
    "acknowledgements": (
        "at",
        "who acknowledged an alert, when, with which reason, remedy and note",
    ),
    "conditions": ("began_at", "what was wrong with the box, and when"),
    "journal": (
        "at",
        "starts, stops, clock changes; who set the mask rule, signed a report, measured the "
        "camera, deleted",
    ),
    "sight": ("at", "results of tests with drawn heads"),
    "about": ("kept_from", "the version of the file, and how far it is written"),
    "identity": ("", "a random name of this file, which messages of hours carry"),
    "unpublished": ("at", "which acknowledgements the broker has not been sent yet"),
    "sent_hours": ("60 * hour", "which hours were sent to the broker"),
    "withdrawn_hours": ("60 * hour", "which hours a wrong clock had dated, and are taken back"),
}
"""By name: the column that says when, as a time or in minutes, and what is in it."""


@dataclass(frozen=True, slots=True)
class TableContents:
    """One of them."""

    name: str
    holds: str
    rows: int
    oldest: datetime | None
    """None: there is no row."""


def contents(path: Path) -> list[TableContents]:
    """Return what each table has now; one that this release does not know says so.

    Raises HistoryError, and NotAllowedError.
    """
    with closing(open_to_read(path)) as database, said_plainly(path):
        names = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        found = []
        for (name,) in names:
            column, holds = TABLES.get(name, ("", "not known to this release"))
            oldest = f"min({column})" if column else "NULL"
            rows, first = database.execute(f'SELECT count(*), {oldest} FROM "{name}"').fetchone()
            found.append(TableContents(name, holds, rows, _when(first)))
        return found


def _when(first: int | str | None) -> datetime | None:
    if isinstance(first, int):
        return at_minute(first)
    return datetime.fromisoformat(first).astimezone(UTC) if first else None
