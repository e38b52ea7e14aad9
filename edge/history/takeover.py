"""What a release before 0.4 has kept for the page, in `history.json`: taken over once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from edge.files import DamagedFileError, read_json
from edge.history.records import Alert, People, Place, WatchedTime, WatchState
from edge.history.store import HistoryBatch
from edge.records import Verdict, ViolationKind

_log = logging.getLogger(__name__)

NAME = "history.json"
MAX_BYTES = 1_000_000
_PLACE = Place()
_MINUTES = 60


class _Hour(msgspec.Struct):
    began: Annotated[int, msgspec.Meta(ge=0, le=10**7)]
    """Hours since 1970, UTC."""
    watched_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    masked: int = 0
    bare: int = 0
    worn_wrongly: int = 0
    unknown: int = 0


class _RecentAlert(msgspec.Struct):
    event_id: str
    kind: ViolationKind
    started_at: Annotated[datetime, msgspec.Meta(tz=True)]
    duration_s: Annotated[float, msgspec.Meta(ge=0, le=1e8)]
    probability: float


class _Past(msgspec.Struct, rename={"alerts": "told"}):
    hours: Sequence[_Hour] = ()
    alerts: Sequence[_RecentAlert] = ()


def take_over(path: Path, write: Callable[[HistoryBatch], None]) -> None:
    """Write what the file beside the database at `path` has, and remove it; a damaged one too.

    Raises what `write` raises. What was counted in an hour is put into its first minute, what was
    watched is spread over all of them, and of which size the faces were is not known.
    """
    file = path.with_name(NAME)
    try:
        past = read_json(file, _Past, MAX_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("%s: %s; what the page counted before is not taken over", file, error.strerror)
        return
    except DamagedFileError as error:
        _log.warning("%s: damaged (%s); what the page counted before is lost", file, error)
    else:
        write(_rows(past))
    try:
        file.unlink()
    except OSError as error:
        _log.warning("%s: %s", file, error.strerror)


def _rows(past: _Past) -> HistoryBatch:
    return HistoryBatch(
        people=[each for hour in past.hours for each in _people(hour)],
        watched=[each for hour in past.hours for each in _watched(hour)],
        alerts=[_alert(each) for each in past.alerts],
        run=NAME,  # so that a crash before the file is removed counts nobody twice
        number=1,
    )


def _people(hour: _Hour) -> Iterator[People]:
    for verdict, visits in (
        (Verdict.MASKED, hour.masked),
        (Verdict.BARE, hour.bare),
        (Verdict.WORN_WRONGLY, hour.worn_wrongly),
        (Verdict.UNKNOWN, hour.unknown),
    ):
        if visits > 0:
            yield People(hour.began * _MINUTES, _PLACE, verdict, 0, True, visits)


def _watched(hour: _Hour) -> Iterator[WatchedTime]:
    seconds = min(hour.watched_s, 3600.0) / _MINUTES
    for minute in range(hour.began * _MINUTES, (hour.began + 1) * _MINUTES):
        if seconds > 0:
            yield WatchedTime(minute, "", WatchState.WATCHED, seconds, True)


def _alert(alert: _RecentAlert) -> Alert:
    started_at = alert.started_at.astimezone(UTC)
    return Alert(
        alert.event_id,
        _PLACE,
        alert.kind,
        started_at,
        started_at,
        started_at + timedelta(seconds=alert.duration_s),
        alert.duration_s,
        alert.probability,
    )
