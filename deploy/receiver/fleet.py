"""What a fleet counted in a period, and how much of the period that is: from the database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import psycopg
from psycopg.rows import class_row

HOUR = timedelta(hours=1)
CERTAINTY = 1.96
"""Standard deviations to each side that hold 95 % of a normal distribution."""
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

    @property
    def rate(self) -> float | None:
        """masked / (masked + bare), as counted: not corrected for what the devices miss."""
        judged = self.rated_masked + self.rated_bare
        return self.rated_masked / judged if judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Between which shares the rate lies with 95 % certainty, if every judgement is right.

        The interval of Wilson (1927), which holds for few people and for shares near 0 and 1, too.
        """
        rate, judged = self.rate, self.rated_masked + self.rated_bare
        if rate is None:
            return None
        square = CERTAINTY**2 / judged
        middle = rate + square / 2
        half = math.sqrt(square * rate * (1 - rate) + square**2 / 4)
        return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


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

    @property
    def total(self) -> FleetRow:
        """The sums of all devices."""
        sums: dict[str, Any] = {"device_id": "all", "site": "", "zone": "", "last_hour": None}
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
        return FleetReport(begin, end, rows.fetchall(), cells.fetchall(), sizes.fetchall())


def as_data(fleet: FleetReport) -> dict[str, Any]:
    """Return all of it as values of JSON, but for the hours."""
    return {
        "begin": fleet.begin.isoformat(),
        "end": fleet.end.isoformat(),
        "all": _row_data(fleet.total),
        "devices": [_row_data(row) for row in fleet.rows],
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


def _row_data(row: FleetRow) -> dict[str, Any]:
    last_hour = None if row.last_hour is None else row.last_hour.isoformat()
    low, high = row.interval or (None, None)
    return {
        **asdict(row),
        "last_hour": last_hour,
        "seen": row.seen,
        "watched_share": row.watched_share,
        "unjudged_share": row.unjudged_share,
        "rate": row.rate,
        "rate_low": low,
        "rate_high": high,
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
