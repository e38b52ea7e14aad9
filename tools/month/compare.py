"""What box and receiver say of the month, against the ledger: hour by hour, to the last person."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from edge.history.hours import GRACE
from edge.history.records import WatchState, at_minute
from edge.history.store import FILE, HistoryReader
from edge.records import Verdict
from tools.month.box import ALWAYS, DEVICE
from tools.month.ledger import HOUR, MonthAccount, MonthLedger, hour_of, place_of

MOST_NAMED = 10
_NEAR_MS = 5
"""Of an hour: sums of seconds are no whole numbers."""


@dataclass
class MonthFindings:
    """What differs, in sentences; the first ones."""

    differences: list[str] = field(default_factory=list)
    compared: int = 0
    """Numbers that were compared."""

    def equal(self, what: str, ledger: object, product: object) -> None:
        self.compared += 1
        if ledger != product:
            self.differences.append(f"{what}: {ledger} in the ledger, {product} in the product")

    def same_counts(self, what: str, ledger: Counter[Any], product: Counter[Any]) -> None:
        for key in sorted({*ledger, *product}, key=str):
            self.equal(f"{what}, {_named(key)}", ledger[key], product[key])

    def same_times(self, what: str, ledger: Counter[Any], product: Counter[Any]) -> None:
        for key in sorted({*ledger, *product}, key=str):
            self.compared += 1
            if abs(ledger[key] - product[key]) > _NEAR_MS:
                text = f"{ledger[key] / 1000} s in the ledger, {product[key] / 1000} s"
                self.differences.append(f"{what}, {_named(key)}: {text} in the product")


def _named(key: object) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    return " ".join(str(part) for part in parts)


def account_of(path: Path) -> MonthAccount:
    """Return what a history says."""
    account = MonthAccount()
    with closing(HistoryReader(path)) as reader:
        for each in reader.people(*ALWAYS):
            hour = hour_of(at_minute(each.minute))
            place = place_of(each.place.camera, each.place.zone)
            row = hour, place, each.verdict, each.size_px, each.is_required
            account.people[row] += each.visits
        seconds: Counter[Any] = Counter()
        for time in reader.watched(*ALWAYS):
            hour = hour_of(at_minute(time.minute))
            key = hour, time.watch, time.clock_is_right, time.camera
            seconds[key] += time.seconds  # type: ignore[assignment]
        for key, each_s in seconds.items():
            account.watched[key] = round(1000 * each_s)
        for alert in reader.alerts(*ALWAYS):
            account.alerts[alert.event_id] = alert.confirmed_at
    return account


def compare_boxes(ledger: MonthLedger, folder: Path, found: MonthFindings) -> None:
    """Each disk's history, in all hours, against the ledger."""
    for number, wanted in enumerate([*ledger.disks, ledger.counted]):
        has = account_of(folder / f"disk-{number}" / FILE)
        found.same_counts(f"disk {number}, people", wanted.people, has.people)
        found.same_times(f"disk {number}, time", wanted.watched, has.watched)
        found.equal(f"disk {number}, alerts", set(wanted.alerts), set(has.alerts))


def undelivered(ledger: MonthLedger) -> set[datetime]:
    """Return the hours that a lost disk had no time to send."""
    return {
        hour
        for at in ledger.died
        for hour in (hour_of(at), hour_of(at - HOUR))
        if hour + HOUR + GRACE > at
    }


def delivered(ledger: MonthLedger) -> MonthAccount:
    """Return what the receiver must have in the hours of the month."""
    account, gone = MonthAccount(), undelivered(ledger)
    for disk in (*ledger.disks, ledger.counted):
        is_old = disk is not ledger.counted
        for row, visits in disk.people.items():
            if _is_within(ledger, row[0]) and not (is_old and row[0] in gone):
                account.people[row] += visits
        for key, each_ms in disk.watched.items():
            if _is_within(ledger, key[0]) and not (is_old and key[0] in gone):
                account.watched[key] += each_ms
    return account


def _is_within(ledger: MonthLedger, hour: datetime) -> bool:
    return ledger.world.begin <= hour < ledger.world.end


def compare_receiver(
    ledger: MonthLedger, connection: psycopg.Connection[Any], found: MonthFindings
) -> Counter[date]:
    """Each hour of the receiver's report against the ledger; returns its people by day."""
    wanted, world = delivered(ledger), ledger.world
    people: Counter[Any] = Counter()
    for (hour, _, verdict, _, is_required), visits in wanted.people.items():
        people[hour, verdict.value if is_required else "no rule"] += visits
    seen: Counter[Any] = Counter()
    reported: Counter[datetime] = Counter()
    cameras: dict[datetime, set[str]] = defaultdict(set)
    for (hour, watch, _, camera), each_ms in wanted.watched.items():
        seen[hour] += each_ms if watch is WatchState.WATCHED else 0
        reported[hour] += 1
        cameras[hour].add(camera)
    for hour in seen:  # the receiver says the mean of the hour's cameras
        seen[hour] = round(seen[hour] / len(cameras[hour]))
    rows = connection.execute(
        "SELECT hour, account, watched_s, masked, bare, unknown, worn_wrongly, no_rule "
        "FROM fleet_hours(%s, %s) WHERE device_id = %s",
        (world.begin, world.end, DEVICE),
    ).fetchall()
    has: Counter[Any] = Counter()
    has_seen: Counter[Any] = Counter()
    by_day: Counter[date] = Counter()
    names = (Verdict.MASKED, Verdict.BARE, Verdict.UNKNOWN, Verdict.WORN_WRONGLY, "no rule")
    for hour, account, watched_s, *counts in rows:
        has.update({(hour, str(n)): c for n, c in zip(names, counts, strict=True) if c})
        has_seen[hour] = round(1000 * watched_s)
        by_day[hour.astimezone(world.zone).date()] += sum(counts)
        expected = "reported" if reported[hour] else "off"
        if hour not in undelivered(ledger):
            found.equal(f"receiver, {hour}", expected, account)
    found.equal("receiver, hours", (world.end - world.begin) // HOUR, len(rows))
    found.same_counts("receiver, people", people, has)
    found.same_times("receiver, watched", seen, has_seen)
    _compare_alerts(ledger, connection, found)
    return by_day


def _compare_alerts(
    ledger: MonthLedger, connection: psycopg.Connection[Any], found: MonthFindings
) -> None:
    states: dict[str, set[str]] = {}
    for event, state in connection.execute("SELECT event_id::text, state FROM violation"):
        states.setdefault(event, set()).add(state)
    found.equal("receiver, alerts that are missing", set(), ledger.sent - states.keys())
    may_be = ledger.sent | ledger.perhaps_sent
    found.equal("receiver, alerts that never were", set(), states.keys() - may_be)
    unended = {e for e, s in states.items() if "ended" not in s} - ledger.perhaps_sent
    found.equal("receiver, alerts without an end", set(), unended - _last(ledger))
    found.equal("receiver, gaps in the sequence", [], connection.execute(
        "SELECT first, last FROM gap").fetchall())  # fmt: skip
    found.equal("receiver, unreadable", [], connection.execute(
        "SELECT reason FROM unreadable").fetchall())  # fmt: skip


def _last(ledger: MonthLedger) -> set[str]:
    """Return the alerts of the end of each disk: nobody was left to send their end."""
    last = timedelta(minutes=2)
    alerts = {event: at for disk in ledger.disks for event, at in disk.alerts.items()}
    alerts |= ledger.lost.alerts
    return {event for event, at in alerts.items() if any(end - last < at for end in ledger.died)}
