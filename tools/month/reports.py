"""The box's own reports of the month, day by day, against the ledger."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

from edge.history.records import WatchState
from edge.history.store import FILE, HistoryReader
from edge.records import Verdict
from edge.report.calendar import Calendar, Season
from edge.report.compile import compile_report
from edge.report.period import Period, day_period, month_period
from edge.report.records import Mark, PeopleCounts, Report, ReportBin
from tools.month.compare import MonthFindings
from tools.month.ledger import HOUR, MonthAccount, MonthLedger
from tools.month.world import World

_DAY = timedelta(days=1)
_NEAR_S = 0.3
"""Of an hour: seconds are rounded."""


def compare_reports(ledger: MonthLedger, folder: Path, found: MonthFindings) -> None:
    """Each disk's report of each day, hour by hour, and of the month, against the ledger."""
    world = ledger.world
    calendar = calendar_of(world)
    now = world.true_time(world.turns)
    for number, wanted in enumerate([*ledger.disks, ledger.counted]):
        with closing(HistoryReader(folder / f"disk-{number}" / FILE)) as reader:

            def report(period: Period) -> Report:
                return compile_report(reader, period, calendar, None, now=now)

            for day in days_of(world):
                of_day = report(day_period(calendar, day))
                _compare_day(wanted, of_day, now, f"disk {number}", found)
            month = month_period(calendar, days_of(world)[0])
            _compare_sum(wanted, month, report(month), f"disk {number}", found)


def calendar_of(world: World) -> Calendar:
    """Return what the owner has written down: where the box is, and when the season ends."""
    first = days_of(world)[0]
    last = first + 400 * _DAY
    if world.season_ends is not None:
        last = world.season_ends.astimezone(world.zone).date() - _DAY
    seasons = (Season(first - 30 * _DAY, last),)
    return Calendar(zone=world.zone, zone_name=world.zone.key, seasons=seasons)


def days_of(world: World) -> list[date]:
    """Return the days on the wall."""
    first, last = (
        at.astimezone(world.zone).date() for at in (world.begin, world.end - timedelta(seconds=1))
    )
    return [first + number * _DAY for number in range((last - first).days + 1)]


def _compare_day(
    wanted: MonthAccount, report: Report, now: datetime, what: str, found: MonthFindings
) -> None:
    begins = [datetime.fromisoformat(each.begin) for each in report.hours]
    until = min(datetime.fromisoformat(report.end), now)
    length = until - datetime.fromisoformat(report.begin)
    found.equal(f"{what}, {report.period}, hours", -(-length // HOUR), len(begins))
    found.equal(f"{what}, {report.period}, hours that come twice", len(begins), len(set(begins)))
    for begin, each in zip(begins, report.hours, strict=True):
        _compare_hour(wanted, begin, each, f"{what}, report, {each.begin}", found)


def _compare_hour(
    wanted: MonthAccount, begin: datetime, each: ReportBin, what: str, found: MonthFindings
) -> None:
    on, off = _people(wanted, begin, begin + HOUR)
    found.equal(f"{what}, people", on, _counted(each.counts))
    found.equal(f"{what}, people while the rule is off", off, each.apart)
    alerts = sum(begin <= at < begin + HOUR for at in wanted.alerts.values())
    found.equal(f"{what}, alerts", alerts, each.alerts.alerts)
    rows = {key[1:]: ms for key, ms in wanted.watched.items() if key[0] == begin}
    has_wrong_clock = any(not is_right for _, is_right, _ in rows)
    if has_wrong_clock:
        found.equal(f"{what}, marked for its clock", True, Mark.WRONG_CLOCK in each.marks)
    elif Mark.WRONG_CLOCK not in each.marks and Mark.RULE_OFF not in each.marks:
        watched = (ms for (watch, _, _), ms in rows.items() if watch is WatchState.WATCHED)
        watched_s = sum(watched) / 1000
        is_near = abs(watched_s - each.watch.watched_s) <= _NEAR_S
        found.equal(f"{what}, watched {watched_s} s: {each.watch.watched_s} s", True, is_near)


def _compare_sum(
    wanted: MonthAccount, period: Period, report: Report, what: str, found: MonthFindings
) -> None:
    on, off = _people(wanted, period.begin, period.end)
    found.equal(f"{what}, report of {period.name}, people", on, _counted(report.counts))
    apart = sum(each.counts.people for each in report.apart)
    found.equal(f"{what}, report of {period.name}, people while the rule is off", off, apart)


def _people(wanted: MonthAccount, begin: datetime, end: datetime) -> tuple[Counter[str], int]:
    """Return who was counted with the rule on, by verdict, and how many with it off."""
    on: Counter[str] = Counter()
    off = 0
    for (hour, _, verdict, _, is_required), visits in wanted.people.items():
        if begin <= hour < end:
            if is_required:
                on[verdict] += visits
            else:
                off += visits
    return on, off


def _counted(counts: PeopleCounts) -> Counter[str]:
    found = Counter(
        {
            Verdict.MASKED: counts.masked,
            Verdict.BARE: counts.without,
            Verdict.WORN_WRONGLY: counts.worn_wrongly,
            Verdict.UNKNOWN: counts.not_judged,
        }
    )
    return Counter({str(verdict): number for verdict, number in found.items() if number})
