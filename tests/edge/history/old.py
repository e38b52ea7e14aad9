"""Databases as released versions have written them: `python -m tests.edge.history.old` adds one.

It writes `data/version-N.sqlite` of the present version, with made-up rows of every kind. A file
that is there is never written again: it is what boxes have.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.history.alert_book import AlertBook
from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    ConditionSpan,
    Entry,
    EntryKind,
    People,
    Place,
    SightProof,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.schema import VERSIONS
from edge.history.store import FILE, HistoryBatch, HistoryWriter
from edge.records import Verdict, ViolationKind

DATA = Path(__file__).parent / "data"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
END = NOON + timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DOOR = Place("door", "left")
SAID = AlertAcknowledgement("event 1", NOON + SECOND, "ops", "forgotten", "talked-to", "noted")


def rows() -> HistoryBatch:
    """Return rows of every kind, all of the minute from `NOON` on."""
    minute = minute_of(NOON)
    return HistoryBatch(
        people=[
            People(minute, DOOR, Verdict.BARE, 32, True, 2),
            People(minute, DOOR, Verdict.MASKED, 96, False, 7),
        ],
        watched=[
            WatchedTime(minute, "door", WatchState.CROWDED, 4.25, False),
            WatchedTime(minute, "door", WatchState.WATCHED, 30.5, True),
        ],
        alerts=[
            Alert("event 1", DOOR, ViolationKind.BARE, NOON, NOON + SECOND, END, 59.0, 0.93),
            Alert(
                "event 2",
                Place(),
                ViolationKind.WORN_WRONGLY,
                NOON,
                NOON + 2 * SECOND,
                None,
                2,
                0.9,
            ),
        ],
        conditions=[
            ConditionSpan("view-dark", "", "fault", NOON, END),
            ConditionSpan("paused", "", "hint", NOON + SECOND, None),
        ],
        journal=[
            Entry(NOON, EntryKind.STARTED, "service", "{}"),
            Entry(NOON, EntryKind.RULE, "ops", "on"),
        ],
        sight=[SightProof(NOON, "door", Verdict.BARE, 32, 10, 9, 8)],
    )


def main() -> None:
    kept = DATA / f"version-{len(VERSIONS)}.sqlite"
    if kept.exists():
        raise SystemExit(f"{kept.name} is there, and stays as it is")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        with closing(HistoryWriter(path)) as writer, AlertBook(path) as book:
            writer.write(rows())
            book.write(SAID)
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = DELETE")  # one file, without its log
        shutil.copyfile(path, kept)


if __name__ == "__main__":
    main()
