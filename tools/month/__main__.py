# ruff: noqa: T201 - a command line module
"""`make month`: two months are lived through and compared, March and October of a year.

Prints a table by day, and ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

from tests.deploy.postgres import Postgres
from tools.month.compare import MOST_NAMED, MonthFindings, compare_boxes, compare_receiver
from tools.month.drive import FOLDER, drive
from tools.month.ledger import MonthLedger
from tools.month.reports import compare_reports
from tools.month.world import World, some_month


def main() -> None:
    parser = argparse.ArgumentParser(prog="month", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=24)
    parser.add_argument("--days", type=int, default=31, help="of each month (%(default)s)")
    parser.add_argument("--months", type=int, nargs="*", default=[3, 10])
    options = parser.parse_args()
    server = Postgres()
    try:
        good = [
            live_and_compare(
                some_month(2026, month, options.days, options.seed + month),
                server,
                f"month_{month}",
                options.seed,
            )
            for month in options.months
        ]
    finally:
        server.close()
    sys.exit(0 if all(good) else 1)


def live_and_compare(world: World, server: Postgres, name: str, seed: int) -> bool:
    """Live through a world, print what came of it, and return whether all meets the ledger."""
    begun_s = time.monotonic()
    server.create(name).close()
    os.environ.update(server.environment(name))
    where = str(FOLDER) if FOLDER.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="month-", dir=where) as folder:
        ledger = drive(world, Path(folder), seed)
        found = MonthFindings()
        compare_boxes(ledger, Path(folder), found)
        compare_reports(ledger, Path(folder), found)
        with server.connect(name) as connection:
            by_day = compare_receiver(ledger, connection, found)
    print(table(ledger, by_day))
    print(f"{found.compared} numbers compared, {len(found.differences)} differ; "
          f"{time.monotonic() - begun_s:.0f} s")  # fmt: skip
    for difference in found.differences[:MOST_NAMED]:
        print(f"  {difference}")
    print()
    return not found.differences


def table(ledger: MonthLedger, receiver: Counter[date]) -> str:
    """Return each day: who passed, who was not seen, who was lost, who was counted where."""
    world = ledger.world
    passed: Counter[date] = Counter()
    unseen: Counter[date] = Counter()
    for turn, visitors in world.visitors.items():
        day = world.true_time(turn).astimezone(world.zone).date()
        passed[day] += len(visitors)
        unseen[day] += len(visitors) - (len(world.seen(turn)) if turn in ledger.ran else 0)
    counted: Counter[date] = Counter()
    for disk in (*ledger.disks, ledger.counted):
        for row, visits in disk.people.items():
            counted[row[0].astimezone(world.zone).date()] += visits
    lost: Counter[date] = Counter()
    for row, visits in ledger.lost.people.items():
        lost[row[0].astimezone(world.zone).date()] += visits
    lines = [f"{'day':10} {'passed':>7} {'unseen':>7} {'lost':>5} {'counted':>8} {'receiver':>9}"]
    days = sorted(day for day in passed if day <= max(receiver))
    for day in days:
        lines.append(
            f"{day}  {passed[day]:6} {unseen[day]:7} {lost[day]:5} {counted[day]:8} "
            f"{receiver[day]:9}"
        )
    sums = [sum(each[day] for day in days) for each in (passed, unseen, lost, counted, receiver)]
    lines.append("{:10} {:7} {:7} {:5} {:8} {:9}".format("all", *sums))
    reasons = ", ".join(f"{reason} {count}" for reason, count in ledger.unseen().most_common())
    lines += [
        f"{ledger.crashes} crashes, {ledger.power_cuts} power cuts, {len(ledger.disks)} disk lost; "
        f"lost with them: {ledger.lost.people.total()} people and {ledger.lost_turns * 5} s, which "
        "count as not watched",
        f"unseen: {reasons}",
        f"alerts: {len(ledger.sent)} sent for certain, {len(ledger.perhaps_sent)} in a kill",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
