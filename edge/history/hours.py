"""The history by hour, for a receiver: what each hour comes to, and which hours it has.

Counts and seconds of an hour are only ever added to, so their sum tells which of two accounts of an
hour is the later one: its revision. An hour that has grown since the broker took it is due again.
What a wrong clock has dated ahead is deleted: such an hour was perhaps sent, or is on its way, and
is sent again as one of which nothing is known. Its revision goes on from there, so that the real
hour replaces both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import msgspec

from edge.history.beginning import is_beginning
from edge.history.database import open_to_write, said_plainly
from edge.history.records import Place, WatchState
from edge.records import Verdict

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=15)
"""How long after its end an hour may still grow: the recorder writes every ten minutes."""
LOOK_BACK = timedelta(days=2)
"""How far back an hour that grew is found without reading all of the history."""
GROWTH = "CAST(round(1000 * seconds) AS INTEGER)"
"""Of a row of `watched`: in whole numbers, whose sum does not depend on the order."""
_DUE = f"""
WITH all_of_it AS (
    SELECT minute / 60 AS hour, {GROWTH} AS growth FROM watched
    WHERE minute >= :since
    UNION ALL
    SELECT minute / 60, visits FROM people WHERE minute >= :since
    UNION ALL
    SELECT hour, revision FROM withdrawn_hours WHERE 60 * hour >= :since
), hours AS (
    SELECT hour, sum(growth) AS revision FROM all_of_it GROUP BY hour
)
SELECT hour, hours.revision FROM hours LEFT JOIN sent_hours USING (hour)
WHERE hours.revision > ifnull(sent_hours.revision, 0) AND hour NOT IN (:present, :settling)
ORDER BY hour LIMIT :most
"""


class VisitsOfHour(msgspec.Struct, frozen=True, order=True):
    """The visits of one hour that are alike."""

    place: Place
    is_required: bool
    size_px: int
    verdict: Verdict
    visits: int


class WatchOfHour(msgspec.Struct, frozen=True, order=True):
    """How long a camera did something in one hour."""

    camera: str
    watch: WatchState
    clock_is_right: bool
    seconds: float


class HourOfHistory(msgspec.Struct, frozen=True):
    """What one hour came to, as far as this history knows."""

    history: str
    """Which history: one that begins on a new disk has another name, and its own part of the hour
    in which the disk was replaced."""
    began_at: datetime
    """UTC, a whole hour."""
    revision: int
    follows: datetime | None
    """The hour before it of which this history knows anything: in between, the program did not
    run. None: this is the first, or what is before has dates that are clearly wrong."""
    people: tuple[VisitsOfHour, ...]
    watched: tuple[WatchOfHour, ...]


class HourBook:
    """Reads hours, and notes which are sent. Each method raises HistoryError. For one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_to_write(path)
        with said_plainly(path):
            self._database.execute("PRAGMA synchronous = NORMAL")  # a mark lost is a repeat
            (self._name,) = self._database.execute("SELECT name FROM identity").fetchone()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def due(self, now: datetime, since: datetime | None = None, most: int = 100) -> list[datetime]:
        """Return the hours that are over and have grown since they were sent, the oldest first.

        Of those from `since` on; None: of all. Hours in the future are of a wrong clock, and over.
        """
        values = {
            "since": 0 if since is None else int(since.timestamp()) // 3600 * 60,
            "present": _number(now),
            "settling": _number(now - GRACE),
            "most": most,
        }
        with said_plainly(self._path):
            rows = self._database.execute(_DUE, values).fetchall()
        return [_began_at(hour) for hour, _ in rows]

    def read(self, began_at: datetime) -> HourOfHistory:
        """Return what the history knows of an hour."""
        period = (_number(began_at) * 60, _number(began_at) * 60 + 60)
        with said_plainly(self._path), self._one_state():
            people = self._database.execute(
                "SELECT camera, zone, is_required, size_px, verdict, sum(visits) FROM people "
                "WHERE minute >= ? AND minute < ? GROUP BY 1, 2, 3, 4, 5",
                period,
            ).fetchall()
            watched = self._database.execute(
                f"SELECT camera, watch, clock_is_right, sum(seconds), sum({GROWTH}) FROM watched "
                "WHERE minute >= ? AND minute < ? GROUP BY 1, 2, 3",
                period,
            ).fetchall()
            (withdrawn,) = self._database.execute(
                "SELECT ifnull(max(revision), 0) FROM withdrawn_hours WHERE hour = ?",
                (_number(began_at),),
            ).fetchone()
            before = self._before(*period)
        return HourOfHistory(
            self._name,
            _began_at(_number(began_at)),
            withdrawn + sum(row[-1] for row in (*watched, *people)),
            None if before is None else _began_at(before // 60),
            tuple(
                sorted(
                    VisitsOfHour(Place(camera, zone), bool(required), size, Verdict(verdict), count)
                    for camera, zone, required, size, verdict, count in people
                )
            ),
            tuple(
                sorted(
                    WatchOfHour(camera, WatchState(watch), bool(is_right), each_s)
                    for camera, watch, is_right, each_s, _ in watched
                )
            ),
        )

    def _before(self, begin: int, end: int) -> int | None:
        """Return the last minute before a period, unless the history begins in the period."""
        before, minute = self._database.execute(
            "SELECT (SELECT max(minute) FROM watched WHERE minute < :begin), "
            "(SELECT min(minute) FROM watched WHERE minute >= :begin AND minute < :end)",
            {"begin": begin, "end": end},
        ).fetchone()
        if None not in (before, minute) and is_beginning(self._database, before, minute):
            return None
        return None if before is None else int(before)

    def first(self) -> datetime | None:
        """Return the first hour of which anything is known."""
        with said_plainly(self._path):
            (minute,) = self._database.execute("SELECT min(minute) FROM watched").fetchone()
        return None if minute is None else _began_at(minute // 60)

    def sent(self, hour: HourOfHistory) -> None:
        """Note that the broker has an hour; of another history there is nothing to note."""
        if hour.history != self._name:
            return
        with said_plainly(self._path):
            self._database.execute(
                "INSERT OR REPLACE INTO sent_hours VALUES (?, ?)",
                (_number(hour.began_at), hour.revision),
            )

    def forget_sent(self, before: datetime) -> None:
        """Forget the marks of hours that the history keeps no longer."""
        with said_plainly(self._path):
            for table in ("sent_hours", "withdrawn_hours"):
                self._database.execute(f"DELETE FROM {table} WHERE hour < ?", (_number(before),))

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """Read all of an hour as it was at one moment."""
        self._database.execute("BEGIN")
        try:
            yield
        finally:
            self._database.execute("COMMIT")


def _number(at: datetime) -> int:
    """Return the hour since 1970 in which something was."""
    return int(at.timestamp()) // 3600


def _began_at(number: int) -> datetime:
    return datetime.fromtimestamp(3600 * number, UTC)


def visits_by(hour: HourOfHistory) -> dict[tuple[Place, bool, int], dict[Verdict, int]]:
    """Return the visits of an hour by place, rule and size, then by verdict."""
    counts: dict[tuple[Place, bool, int], dict[Verdict, int]] = {}
    for each in hour.people:
        key = (each.place, each.is_required, each.size_px)
        counts.setdefault(key, dict.fromkeys(Verdict, 0))[each.verdict] += each.visits
    return counts
