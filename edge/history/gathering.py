"""What has happened and is not in the database yet: rows in memory, as few as they can be."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar

import msgspec

from edge.history.records import Alert, ConditionSpan, People, WatchedTime
from edge.history.store import HistoryBatch

MOST_COUNTS = 10_000
"""Rows of each kind that is counted by minute: days of a disk that takes nothing."""
MOST_EVENTS = 2_000
"""Rows of each other kind."""
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Gathering:
    """Adds up what is alike; of too much, the oldest goes. For one thread at a time."""

    def __init__(self, run: str, number: int) -> None:
        """`run` and `number` are the batch's, see `HistoryBatch`."""
        self._run = run
        self._number = number
        self._people: dict[People, int] = {}
        """By a row without its visits."""
        self._watched: dict[WatchedTime, float] = {}
        self._alerts: dict[str, Alert] = {}
        self._conditions: dict[tuple[Any, ...], ConditionSpan] = {}
        self._rest = HistoryBatch()
        self.left_out = 0
        """How many rows were too many."""

    @property
    def rows(self) -> int:
        return sum(
            len(each)
            for each in (
                self._people,
                self._watched,
                self._alerts,
                self._conditions,
                self._rest.journal,
                self._rest.sight,
            )
        )

    def add(self, batch: HistoryBatch) -> None:
        """Take in rows, whatever their batch's number."""
        for people in batch.people:
            self._count(people)
        for time in batch.watched:
            self._time(time)
        for alert in batch.alerts:
            self._put(self._alerts, alert.event_id, alert)
        for span in batch.conditions:
            self._put(self._conditions, (span.began_at, span.code, span.subject), span)
        self._extend(self._rest.journal, batch.journal)
        self._extend(self._rest.sight, batch.sight)

    def batch(self) -> HistoryBatch:
        """Return all of it; what is added later is not in it."""
        replace = msgspec.structs.replace
        return HistoryBatch(
            [replace(each, visits=number) for each, number in self._people.items()],
            [replace(each, seconds=seconds) for each, seconds in self._watched.items()],
            list(self._alerts.values()),
            list(self._conditions.values()),
            list(self._rest.journal),
            list(self._rest.sight),
            self._run,
            self._number,
        )

    def _count(self, people: People) -> None:
        key = msgspec.structs.replace(people, visits=0)
        self._people[key] = self._people.get(key, 0) + people.visits
        self._bound(self._people, MOST_COUNTS)

    def _time(self, time: WatchedTime) -> None:
        key = msgspec.structs.replace(time, seconds=0.0)
        self._watched[key] = self._watched.get(key, 0.0) + time.seconds
        self._bound(self._watched, MOST_COUNTS)

    def _put(self, rows: dict[_Key, _Value], key: _Key, row: _Value) -> None:
        rows[key] = row
        self._bound(rows, MOST_EVENTS)

    def _bound(self, rows: dict[_Key, _Value], most: int) -> None:
        if len(rows) > most:
            del rows[next(iter(rows))]
            self.left_out += 1

    def _extend(self, rows: list[_Value], more: list[_Value]) -> None:
        rows += more
        if (surplus := len(rows) - MOST_EVENTS) > 0:
            del rows[:surplus]
            self.left_out += surplus
