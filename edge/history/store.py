"""The database: one writer at a time, any number of readers, while it is being written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from edge.history.batch import HistoryBatch
from edge.history.beginning import beginning
from edge.history.database import (
    FILE,
    DamagedHistoryError,
    HistoryError,
    NewerHistoryError,
    check,
    open_to_read,
    open_to_write,
    said_plainly,
    transaction,
)
from edge.history.hours import GROWTH
from edge.history.lasting import measurements_in_use
from edge.history.records import (
    EVER,
    SEEING,
    Alert,
    AlertAcknowledgement,
    ConditionSpan,
    Entry,
    EntryKind,
    HourTotals,
    People,
    Place,
    SightProof,
    WatchedTime,
    at_minute,
    minute_of,
)
from edge.history.rows import flat, made, text_of
from edge.records import Verdict

__all__ = [
    "FILE",
    "DamagedHistoryError",
    "HistoryBatch",
    "HistoryError",
    "HistoryReader",
    "HistoryWriter",
    "NewerHistoryError",
    "create",
]

_STEP = timedelta(hours=6)
"""So much is deleted in one transaction: a lock that nobody notices."""
_KINDS = frozenset(each.value for each in EntryKind)
_OLD = """
    DELETE FROM acknowledgements WHERE at < :text
        OR event_id IN (SELECT event_id FROM alerts WHERE confirmed_at < :text);
    DELETE FROM alerts WHERE confirmed_at < :text;
    DELETE FROM conditions WHERE ifnull(ended_at, began_at) < :text;
    DELETE FROM sight WHERE at < :text;
    DELETE FROM people WHERE minute < :minute;
    DELETE FROM watched WHERE minute < :minute
"""
_DATED_AHEAD = f"""
    WITH grown AS (
        SELECT minute / 60 AS hour, {GROWTH} AS growth, minute > :minute AS is_ahead FROM watched
        WHERE minute >= :minute / 60 * 60
        UNION ALL
        SELECT minute / 60, visits, minute > :minute FROM people WHERE minute >= :minute / 60 * 60
    )
    INSERT OR REPLACE INTO withdrawn_hours (hour, revision)
        SELECT hour, 1 + max(
            ifnull((SELECT revision FROM sent_hours WHERE hour = grown.hour), 0),
            sum(growth)
                + ifnull((SELECT revision FROM withdrawn_hours WHERE hour = grown.hour), 0)
        ) FROM grown GROUP BY hour HAVING max(is_ahead);
    DELETE FROM acknowledgements WHERE at > :text
        OR event_id IN (SELECT event_id FROM alerts WHERE confirmed_at > :text);
    DELETE FROM alerts WHERE confirmed_at > :text;
    DELETE FROM conditions WHERE began_at > :text;
    DELETE FROM sight WHERE at > :text;
    DELETE FROM people WHERE minute > :minute;
    DELETE FROM watched WHERE minute > :minute;
    DELETE FROM journal WHERE at > :text
"""


class HistoryWriter:
    """Writes. Each method raises HistoryError."""

    def __init__(self, path: Path) -> None:
        """Open the file, make it, or bring it up to date.

        Raises HistoryError; DamagedHistoryError and NewerHistoryError leave the file as it is.
        """
        self._path = path
        self._database = open_to_write(path)

    def check(self) -> None:
        """Read the whole file, which may take seconds. Raises DamagedHistoryError."""
        check(self._database, self._path)

    def write(self, batch: HistoryBatch) -> None:
        """Write all of it, or nothing."""
        with said_plainly(self._path), transaction(self._database):
            if batch.number:
                if self._is_written(batch):
                    return
                self._all("UPDATE about SET run = ?, number = ?", [(batch.run, batch.number)])
            self._all(
                "INSERT INTO people (minute, camera, zone, verdict, size_px, is_required, visits) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET visits = visits + excluded.visits",
                map(flat, batch.people),
            )
            self._all(
                "INSERT INTO watched (minute, camera, watch, seconds, clock_is_right) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET seconds = seconds + excluded.seconds",
                map(flat, batch.watched),
            )
            self._all(
                "INSERT OR REPLACE INTO alerts (event_id, camera, zone, kind, started_at, "
                "confirmed_at, ended_at, duration_s, probability) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
                "?)",
                map(flat, batch.alerts),
            )
            self._all(
                "INSERT OR REPLACE INTO conditions (code, subject, severity, began_at, ended_at) "
                "VALUES (?, ?, ?, ?, ?)",
                map(flat, batch.conditions),
            )
            self._all(
                "INSERT INTO journal (at, kind, by, text) VALUES (?, ?, ?, ?)",
                map(flat, batch.journal),
            )
            self._all(
                "INSERT OR REPLACE INTO sight (at, camera, verdict, size_px, shown, found, right) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                map(flat, batch.sight),
            )

    def close_left_open(self, now: datetime) -> None:
        """End what a run that crashed has left open: conditions when it last watched, alerts when
        they were confirmed, which is when the face was last known to be uncovered."""
        with said_plainly(self._path), transaction(self._database):
            (minute,) = self._database.execute(
                "SELECT max(minute) FROM watched WHERE minute <= ?", (minute_of(now),)
            ).fetchone()
            last = "" if minute is None else text_of(min(now, at_minute(minute + 1)))
            self._all(
                "UPDATE conditions SET ended_at = max(began_at, ?) WHERE ended_at IS NULL",
                [(last,)],
            )
            self._all("UPDATE alerts SET ended_at = confirmed_at WHERE ended_at IS NULL", [()])

    def forget(self, before: datetime, rebuilt_every: timedelta = timedelta()) -> None:
        """Delete what is older, some hours at a time. The rule as it was last stays, so do
        the last deletion by command and what rates are corrected with, see `edge.history.lasting`.

        Deleted rows are overwritten. But where SQLite has split or joined pages, copies of rows are
        left in parts of them that are not used; so the file is rebuilt when `before` is so much
        later than the last time. As long as somebody reads, the log is not emptied.
        """
        with said_plainly(self._path):
            last = at_minute(minute_of(before))  # of the minute that began then, all is kept
            while (oldest := self.oldest) is not None and oldest < last:
                self._delete(_OLD, min(oldest + _STEP, last))
            self._delete(_OLD, before)
            self._forget_journal(before)
            (rebuilt,) = self._database.execute("SELECT rebuilt_from FROM about").fetchone()
            if not rebuilt or before - datetime.fromisoformat(rebuilt) >= rebuilt_every:
                self._rebuild(before)
            self._empty_log()

    def forget_dated_ahead(self, after: datetime) -> None:
        """Delete what bears a later date, which only a wrong clock has given. Its hours go on from
        a greater revision than any they had, so that who has them, or gets them yet, replaces
        them: one may just be on its way."""
        with said_plainly(self._path):
            self._delete(_DATED_AHEAD, after)
            self._empty_log()

    @property
    def kept_from(self) -> datetime | None:
        """Up to when all was deleted for its age; None: nothing was."""
        with said_plainly(self._path):
            (text,) = self._database.execute("SELECT kept_from FROM about").fetchone()
        return datetime.fromisoformat(text) if text else None

    @property
    def oldest(self) -> datetime | None:
        """When the first minute began of which anything is known."""
        with said_plainly(self._path):
            (minute,) = self._database.execute("SELECT min(minute) FROM watched").fetchone()
        return None if minute is None else at_minute(minute)

    def close(self) -> None:
        self._database.close()

    def _is_written(self, batch: HistoryBatch) -> bool:
        run, number = self._database.execute("SELECT run, number FROM about").fetchone()
        return bool(run == batch.run and batch.number <= number)

    def _all(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._database.executemany(statement, rows)

    def _delete(self, statements: str, at: datetime) -> None:
        with transaction(self._database):
            for statement in statements.split(";"):
                self._database.execute(statement, {"text": text_of(at), "minute": minute_of(at)})

    def _forget_journal(self, before: datetime) -> None:
        text = text_of(before)
        with transaction(self._database):
            measured = self._database.execute(
                "SELECT number, text FROM journal WHERE kind = ? ORDER BY number",
                (EntryKind.QUALIFIED,),
            )
            lasting = measurements_in_use(measured)
            last = self._database.execute(
                "SELECT max(number) FROM journal WHERE kind IN (?, ?) AND at < ? GROUP BY kind",
                (EntryKind.RULE, EntryKind.DELETED, text),
            )
            lasting |= {number for (number,) in last}
            old = self._database.execute("SELECT number FROM journal WHERE at < ?", (text,))
            self._all(
                "DELETE FROM journal WHERE number = ?",
                [each for each in old.fetchall() if each[0] not in lasting],
            )
            self._all("UPDATE about SET kept_from = ?", [(text,)])

    def _rebuild(self, before: datetime) -> None:
        """Write all rows into new pages, where there is room for that: it is tried again."""
        with suppress(sqlite3.OperationalError):
            self._database.execute("VACUUM")
            self._all("UPDATE about SET rebuilt_from = ?", [(text_of(before),)])

    def fold_log(self) -> None:
        """Take what is in the log into the file, as far as nobody reads it."""
        with said_plainly(self._path):
            self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _empty_log(self) -> None:
        """It still has what was deleted."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


class HistoryReader:
    """Reads what was written, while it is being written. Each method raises HistoryError.

    Periods are half-open: `begin` is in them, `end` is not.
    """

    def __init__(self, path: Path) -> None:
        """Open a file that is there. Raises HistoryError: there is none, it is damaged or of a
        newer release; NotAllowedError where it is not for this user."""
        self._path = path
        self._database = open_to_read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def people(self, begin: datetime, end: datetime) -> list[People]:
        columns = "minute, camera, zone, verdict, size_px, is_required, visits"
        rows = self._minutes(f"SELECT {columns} FROM people", begin, end)
        return [
            made(People, (minute, Place(camera, zone), verdict, size_px, bool(required), visits))
            for minute, camera, zone, verdict, size_px, required, visits in rows
        ]

    def watched(self, begin: datetime, end: datetime) -> list[WatchedTime]:
        columns = "minute, camera, watch, seconds, clock_is_right"
        rows = self._minutes(f"SELECT {columns} FROM watched", begin, end)
        return [made(WatchedTime, (*row[:4], bool(row[4]))) for row in rows]

    def alerts(self, begin: datetime, end: datetime) -> list[Alert]:
        """Return those that were confirmed in a period."""
        columns = "event_id, camera, zone, kind, started_at, confirmed_at, ended_at, duration_s"
        rows = self._rows(f"SELECT {columns}, probability FROM alerts", "confirmed_at", begin, end)
        return [made(Alert, (row[0], Place(row[1], row[2]), *row[3:])) for row in rows]

    def hours(self, begin: datetime, end: datetime, camera: str = "") -> list[HourTotals]:
        """Return what each hour of a period comes to, at one camera or (empty) at all of them.

        In order, without those in which nothing was."""
        within = "WHERE minute >= ? AND minute < ? AND ? IN ('', camera)"
        period = minute_of(begin), minute_of(end), camera
        seeing = ", ".join(f"'{each}'" for each in SEEING)
        with said_plainly(self._path):
            watched = self._database.execute(
                f"SELECT minute / 60, sum(seconds * (watch IN ({seeing}))) / "
                f"count(DISTINCT camera) FROM watched {within} GROUP BY 1",
                period,
            ).fetchall()
            people = self._database.execute(
                "SELECT minute / 60, verdict, sum(visits), sum(visits * (NOT is_required)) "
                f"FROM people {within} GROUP BY 1, 2",
                period,
            ).fetchall()
        visits: dict[int, dict[Verdict, int]] = {}
        apart: dict[int, dict[Verdict, int]] = {}
        for hour, verdict, number, excused in people:
            visits.setdefault(hour, {})[Verdict(verdict)] = number
            if excused:
                apart.setdefault(hour, {})[Verdict(verdict)] = excused
        seconds = dict(watched)
        return [
            HourTotals(hour, seconds.get(hour, 0.0), visits.get(hour, {}), apart.get(hour, {}))
            for hour in sorted({*seconds, *visits})
        ]

    def acknowledgements(self, begin: datetime, end: datetime) -> list[AlertAcknowledgement]:
        """Return what was said of alerts that were confirmed in a period, the newest last."""
        rows = self._rows(
            "SELECT a.event_id, a.at, a.by, a.reason, a.remedy, a.note "
            "FROM acknowledgements a JOIN alerts USING (event_id)",
            "confirmed_at",
            begin,
            end,
            "a.at",
        )
        return [made(AlertAcknowledgement, row) for row in rows]

    def conditions(self, begin: datetime, end: datetime) -> list[ConditionSpan]:
        """Return those that lasted in a period, or began in it."""
        with said_plainly(self._path):
            rows = self._database.execute(
                "SELECT code, subject, severity, began_at, ended_at FROM conditions "
                "WHERE began_at < ? AND (ended_at IS NULL OR ended_at >= ?) ORDER BY began_at",
                (text_of(end), text_of(begin)),
            ).fetchall()
        return [made(ConditionSpan, row) for row in rows]

    def journal(self, begin: datetime, end: datetime) -> list[Entry]:
        rows = self._rows("SELECT at, kind, by, text FROM journal", "at", begin, end, "number")
        # A newer release may have written kinds that this one does not know.
        return [made(Entry, row) for row in rows if row[1] in _KINDS]

    def entries(self, kind: EntryKind, until: datetime) -> list[Entry]:
        """Return what of this kind was ever entered."""
        return [each for each in self.journal(EVER, until) if each.kind is kind]

    def sight(self, begin: datetime, end: datetime) -> list[SightProof]:
        columns = "at, camera, verdict, size_px, shown, found, right"
        rows = self._rows(f"SELECT {columns} FROM sight", "at", begin, end)
        return [made(SightProof, row) for row in rows]

    def first(self) -> datetime | None:
        """Return when the first minute began of which anything is known, as far as its date is not
        clearly wrong, see `edge.history.beginning`."""
        with said_plainly(self._path):
            minute = beginning(self._database)
        return None if minute is None else at_minute(minute)

    def freeze(self) -> tuple[str, int]:
        """Have all that is read be of this moment; return run and number of the last batch."""
        with said_plainly(self._path):
            self._database.execute("BEGIN")
            run, number = self._database.execute("SELECT run, number FROM about").fetchone()
        return str(run), int(number)

    def close(self) -> None:
        self._database.close()

    def _minutes(self, select: str, begin: datetime, end: datetime) -> list[Any]:
        with said_plainly(self._path):
            statement = f"{select} WHERE minute >= ? AND minute < ? ORDER BY minute"
            return self._database.execute(statement, (minute_of(begin), minute_of(end))).fetchall()

    def _rows(
        self, select: str, column: str, begin: datetime, end: datetime, order: str = ""
    ) -> Iterator[tuple[Any, ...]]:
        statement = f"{select} WHERE {column} >= ? AND {column} < ? ORDER BY {order or column}"
        with said_plainly(self._path):
            rows = self._database.execute(statement, (text_of(begin), text_of(end))).fetchall()
        return iter(rows)


def create(path: Path) -> None:
    """Make the file, or bring it up to date. Raises HistoryError."""
    with closing(HistoryWriter(path)):
        pass
