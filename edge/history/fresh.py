"""Reading up to this second: the database, and what the running service has not written yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge.history.database import said_plainly
from edge.history.records import (
    Alert,
    AlertAcknowledgement,
    ConditionSpan,
    Entry,
    People,
    SightProof,
    WatchedTime,
    minute_of,
)
from edge.history.rows import made, text_of
from edge.history.standby import Standby
from edge.history.store import HistoryBatch, HistoryReader

_Row = TypeVar("_Row")
_Counted = TypeVar("_Counted", People, WatchedTime)


class FreshReader(HistoryReader):
    """A `HistoryReader` that also has what waits in the service's folder in memory, each row once:
    all is of one moment. Open it shortly before it is used, and close it soon.
    """

    def __init__(self, path: Path, folder: Path | None) -> None:
        """`folder` is the service's RuntimeDirectory; None: only what is in the file.

        Raises what HistoryReader raises.
        """
        # In this order: what is written in between is known by its number then.
        waiting = Standby(folder).read()
        super().__init__(path)
        run, number = self.freeze()
        self._waiting = [each for each in waiting if each.run != run or each.number > number]

    def people(self, begin: datetime, end: datetime) -> list[People]:
        more = self._within(lambda each: each.people, _minute, begin, end)
        return _added(super().people(begin, end), more, "visits")

    def watched(self, begin: datetime, end: datetime) -> list[WatchedTime]:
        more = self._within(lambda each: each.watched, _minute, begin, end)
        return _added(super().watched(begin, end), more, "seconds")

    def alerts(self, begin: datetime, end: datetime) -> list[Alert]:
        more = self._within(lambda each: each.alerts, lambda row: row.confirmed_at, begin, end)
        return _replaced(super().alerts(begin, end), more, lambda each: each.event_id)

    def acknowledgements(self, begin: datetime, end: datetime) -> list[AlertAcknowledgement]:
        # What is said is written at once; the alert itself may wait still.
        waiting = self._within(lambda each: each.alerts, lambda row: row.confirmed_at, begin, end)
        early = self._said_of({each.event_id for each in waiting})
        return sorted({*super().acknowledgements(begin, end), *early}, key=lambda each: each.at)

    def conditions(self, begin: datetime, end: datetime) -> list[ConditionSpan]:
        # Also what ended before `begin`: in the file it may still be open.
        more = [row for batch in self._waiting for row in batch.conditions]
        found = _replaced(super().conditions(begin, end), more, _condition_key)
        return [
            row
            for row in found
            if row.began_at < end and (row.ended_at is None or row.ended_at >= begin)
        ]

    def journal(self, begin: datetime, end: datetime) -> list[Entry]:
        written = super().journal(begin, end)
        return written + self._within(lambda each: each.journal, _at, begin, end)

    def sight(self, begin: datetime, end: datetime) -> list[SightProof]:
        written = super().sight(begin, end)
        return written + self._within(lambda each: each.sight, _at, begin, end)

    def _said_of(self, events: Iterable[str]) -> list[AlertAcknowledgement]:
        """Return what is written of these alerts, though they are not."""
        names = AlertAcknowledgement.__struct_fields__
        statement = f"SELECT {', '.join(names)} FROM acknowledgements WHERE event_id = ?"
        with said_plainly(self._path):
            rows = [row for each in events for row in self._database.execute(statement, (each,))]
        return [made(AlertAcknowledgement, row) for row in rows]

    def _within(
        self,
        rows: Callable[[HistoryBatch], Sequence[_Row]],
        when: Callable[[Any], int | datetime],
        begin: datetime,
        end: datetime,
    ) -> list[_Row]:
        found = []
        for batch in self._waiting:
            for row in rows(batch):
                at = when(row)
                if isinstance(at, int):
                    is_within = minute_of(begin) <= at < minute_of(end)
                else:
                    is_within = begin <= at < end
                if is_within:
                    found.append(row)
        return found


def _minute(row: People | WatchedTime) -> int:
    return row.minute


def _at(row: Entry | SightProof) -> datetime:
    return row.at.astimezone(UTC)


def _condition_key(row: ConditionSpan) -> tuple[str | None, str, str]:
    """Return its key in the file, where times are less exact than in memory."""
    return text_of(row.began_at), row.code, row.subject


def _added(written: list[_Counted], more: list[_Counted], counted: str) -> list[_Counted]:
    """Return both by minute, as if all were written: the field `counted` of what is alike added
    up."""
    if not more:
        return written
    totals: dict[Any, float] = {}
    for row in [*written, *more]:
        key = msgspec.structs.replace(row, **{counted: 0})
        totals[key] = totals.get(key, 0) + getattr(row, counted)
    rows = [msgspec.structs.replace(key, **{counted: total}) for key, total in totals.items()]
    return sorted(rows, key=lambda row: row.minute)


def _replaced(
    written: Iterable[_Row], more: Iterable[_Row], key: Callable[[_Row], object]
) -> list[_Row]:
    """Return both, a later row in the place of an earlier one with its key."""
    return list({key(each): each for each in (*written, *more)}.values())
