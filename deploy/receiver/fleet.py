"""What a fleet counted in a period, and how much of the period that is: from the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import psycopg
from msgspec import DecodeError
from msgspec.json import Decoder
from psycopg.rows import class_row

from edge.rates import Counted, Eyes, Rate, rate_of

from .documents import ReceivedEyes

HOUR = timedelta(hours=1)
ALL = "all"
"""The name of the sum of all devices."""
_decode_eyes = Decoder(ReceivedEyes).decode
_WHY = {"missing": "no message", "off": "not running", "misdated": "wrong clock"}


@dataclass(frozen=True, slots=True)
class FleetHour:
    """One device in one hour: a row of `fleet_hours`."""

    device_id: str
    hour: datetime
    account: str
    """`reported`, `off`, `missing`, `before` or `misdated`, see schema.sql."""
    watched_s: float
    misdated_s: float
    masked: int
    bare: int
    unknown: int
    worn_wrongly: int
    no_rule: int
    is_rated: bool


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One device, or all of them: a row of `fleet_report`."""

    device_id: str
    site: str
    zone: str
    hours: int
    """Of the period, as far as it is over."""
    reported: int
    """Hours with a message."""
    off: int
    """Hours in which its program did not run, by its own account."""
    missing: int
    """Hours without one."""
    before: int
    """Hours before the device began."""
    misdated: int
    """Hours that a clock has dated that was clearly wrong: their people are counted, and in no
    rate."""
    watched_s: float
    misdated_s: float
    """In which the clock followed no time server."""
    masked: int
    bare: int
    unknown: int
    worn_wrongly: int
    no_rule: int
    """People who came while the mask rule was off; they are in no other number."""
    rated_hours: int
    rated_masked: int
    rated_bare: int
    """The same of the hours that a rate may rest on."""
    alerts: int
    last_hour: datetime | None

    @property
    def seen(self) -> int:
        return self.masked + self.bare + self.unknown + self.worn_wrongly

    @property
    def watched_share(self) -> float | None:
        """Of the hours since the device is there."""
        expected = self.hours - self.before - self.misdated
        return self.watched_s / (3600 * expected) if expected else None

    @property
    def unjudged_share(self) -> float | None:
        return self.unknown / self.seen if self.seen else None


@dataclass(frozen=True, slots=True)
class FleetRate:
    """The share of people with a mask of a device or of all, of the hours that it may rest on."""

    rate: Rate | None
    """None: nobody was judged."""
    eyes: str
    """By which measurement it is corrected; empty: it is not."""
    why_not: str
    """Why it is not corrected; empty: it is."""


@dataclass(frozen=True, slots=True)
class FleetSize:
    """The people of a device whose faces were of one size, with the mask rule on, of rated hours:
    what a correction of the rate needs."""

    device_id: str
    size_px: int
    masked: int
    bare: int


@dataclass(frozen=True, slots=True)
class FleetGap:
    """Hours of a device, one after the other, of which it has counted nothing for certain."""

    device_id: str
    why: str
    """`no message`, `not running` or `wrong clock`."""
    begin: datetime
    end: datetime

    @property
    def hours(self) -> int:
        return (self.end - self.begin) // HOUR


@dataclass(frozen=True, slots=True)
class FleetReport:
    """All devices in a period: `begin` is in it, `end` is not."""

    begin: datetime
    end: datetime
    rows: Sequence[FleetRow]
    cells: Sequence[FleetHour]
    sizes: Sequence[FleetSize]
    eyes: Mapping[str, Eyes]
    """By device: what its newest hour says of its eyes, as its own reports are corrected."""

    def rate(self, device_id: str) -> FleetRate:
        """Return the rate of a device, or of `ALL`: corrected by the code that the boxes use.

        All devices together are corrected where they have the same eyes.
        """
        counts: dict[int, tuple[int, int]] = {}
        found: list[Eyes | None] = []
        for size in self.sizes:
            if device_id in (size.device_id, ALL):
                masked, bare = counts.get(size.size_px, (0, 0))
                counts[size.size_px] = masked + size.masked, bare + size.bare
                found.append(self.eyes.get(size.device_id))
        same = bool(found) and all(each == found[0] for each in found)
        eyes = found[0] if same else None
        rate = rate_of(counts, eyes)
        if rate is not None and rate.corrected is None:
            why = "the boxes have different eyes"
            if eyes is not None:
                why = "the eyes see no difference, or a state was not measured"
            elif same:
                why = "the box says nothing of its eyes"
            return FleetRate(rate, "", why)
        return FleetRate(rate, eyes.source if eyes else "", "")

    @property
    def total(self) -> FleetRow:
        """The sums of all devices."""
        sums: dict[str, Any] = {"device_id": ALL, "site": "", "zone": "", "last_hour": None}
        for name in FleetRow.__slots__:
            if name not in sums:
                sums[name] = sum(getattr(row, name) for row in self.rows)
        return FleetRow(**sums)

    @property
    def gaps(self) -> list[FleetGap]:
        """What is missing, by device and time. Hours that were hardly watched, as each night, are
        not among them: they are in no rate."""
        return [
            gap
            for device_id, cells in groupby(self.cells, lambda cell: cell.device_id)
            for gap in _gaps(device_id, cells)
        ]


def read_fleet(connection: psycopg.Connection[Any], begin: datetime, end: datetime) -> FleetReport:
    """Return what is known of whole hours from `begin` on; all as it was at one moment."""
    period = (begin, end)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL jit = off")  # compiling takes longer than the queries
        rows = connection.cursor(row_factory=class_row(FleetRow)).execute(
            "SELECT * FROM fleet_report(%s, %s)", period
        )
        cells = connection.cursor(row_factory=class_row(FleetHour)).execute(
            "SELECT * FROM fleet_hours(%s, %s)", period
        )
        sizes = connection.cursor(row_factory=class_row(FleetSize)).execute(
            "SELECT device_id, size_px, sum(people.masked)::bigint AS masked, "
            "sum(people.bare)::bigint AS bare "
            "FROM hour_people AS people JOIN fleet_hours(%s, %s) AS cell USING (device_id, hour) "
            "WHERE required AND is_rated GROUP BY device_id, size_px ORDER BY device_id, size_px",
            period,
        )
        eyes = connection.execute(
            "SELECT DISTINCT ON (device_id) device_id, (document -> 'eyes')::text FROM hour "
            "WHERE hour >= %s AND hour < %s AND is_counted AND received_at >= hour "
            "ORDER BY device_id, hour DESC, revision DESC",
            period,
        )
        known = {device_id: _eyes(said) for device_id, said in eyes}
        return FleetReport(
            begin,
            end,
            rows.fetchall(),
            cells.fetchall(),
            sizes.fetchall(),
            {device_id: each for device_id, each in known.items() if each is not None},
        )


def as_data(fleet: FleetReport) -> dict[str, Any]:
    """Return all of it as values of JSON, but for the hours."""
    return {
        "begin": fleet.begin.isoformat(),
        "end": fleet.end.isoformat(),
        "all": _row_data(fleet.total, fleet.rate(ALL)),
        "devices": [_row_data(row, fleet.rate(row.device_id)) for row in fleet.rows],
        "sizes": [asdict(size) for size in fleet.sizes],
        "gaps": [
            {
                "device_id": gap.device_id,
                "why": gap.why,
                "begin": gap.begin.isoformat(),
                "end": gap.end.isoformat(),
                "hours": gap.hours,
            }
            for gap in fleet.gaps
        ],
    }


def _eyes(said: str | None) -> Eyes | None:
    """Return what a message says of the eyes, as JSON; None: nothing, or nothing that can be used:
    one box must not keep the others from having a report."""
    try:
        read = _decode_eyes(said or "null")
        measured: dict[str, dict[int, Counted]] = {"masked": {}, "bare": {}}
        for each in read.classes:
            measured[each.state][each.size_px] = Counted(each.right, each.of, each.shown)
        return Eyes(measured["masked"], measured["bare"], read.source)
    except (DecodeError, ValueError, RecursionError):
        return None


def _row_data(row: FleetRow, of_masks: FleetRate) -> dict[str, Any]:
    last_hour = None if row.last_hour is None else row.last_hour.isoformat()
    rate = of_masks.rate
    return {
        **asdict(row),
        "last_hour": last_hour,
        "seen": row.seen,
        "watched_share": row.watched_share,
        "unjudged_share": row.unjudged_share,
        "rate": rate and rate.naive,
        "rate_low": rate and rate.naive_low,
        "rate_high": rate and rate.naive_high,
        "corrected": rate and rate.corrected,
        "corrected_low": rate and rate.low,
        "corrected_high": rate and rate.high,
        "corrected_by": of_masks.eyes,
        "not_corrected": of_masks.why_not,
    }


def _gaps(device_id: str, cells: Iterable[FleetHour]) -> Iterator[FleetGap]:
    open_gap: FleetGap | None = None
    for cell in cells:
        why = _why(cell)
        if open_gap is not None and (why != open_gap.why or cell.hour != open_gap.end):
            yield open_gap
            open_gap = None
        if why:
            begin = cell.hour if open_gap is None else open_gap.begin
            open_gap = FleetGap(device_id, why, begin, cell.hour + HOUR)
    if open_gap is not None:
        yield open_gap


def _why(cell: FleetHour) -> str:
    """Return why an hour is a gap; empty: it is none."""
    return _WHY.get(cell.account, "")
