"""A night of `make month`: lived through by the product, killed all the while, and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.history.records import People, Place, WatchedTime, WatchState, minute_of
from edge.history.store import FILE, HistoryBatch, HistoryWriter
from edge.records import Verdict
from tests.deploy.postgres import Postgres
from tools.month.box import Totals
from tools.month.compare import (
    MonthFindings,
    account_of,
    compare_boxes,
    compare_receiver,
    undelivered,
)
from tools.month.drive import FOLDER, drive
from tools.month.ledger import HOUR, LedgerError, MonthLedger
from tools.month.reports import compare_reports
from tools.month.world import HALL, STEP_S, Passer, World, some_days
from tools.month.world import HOUR as HOUR_OF_TURNS

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    started = Postgres()
    yield started
    started.close()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder that no disk makes slow: power cuts are simulated."""
    where = FOLDER if FOLDER.is_dir() else tmp_path
    with tempfile.TemporaryDirectory(dir=where) as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("month", "day", "hours"), [(3, 28, 23), (10, 24, 25)], ids=["to summer time", "from it"]
)
def test_a_night_with_a_change_of_summer_time_meets_the_ledger_to_the_last_person(
    server: Postgres,
    memory: Path,
    monkeypatch: pytest.MonkeyPatch,
    month: int,
    day: int,
    hours: int,
) -> None:
    """Box and receiver, hour by hour, from one afternoon to the next, with a second camera in the
    evening and the morning: through crashes, power cuts, outages and a lost disk."""
    world = some_days(datetime(2026, month, day, 15, tzinfo=BERLIN), 1, 7, 3 * HOUR_OF_TURNS)
    assert (world.end - world.begin) // HOUR == hours
    name = f"month_{month}"
    server.create(name).close()
    for key, value in server.environment(name).items():
        monkeypatch.setenv(key, value)
    ledger = drive(world, memory, 7)
    found = MonthFindings()
    compare_boxes(ledger, memory, found)
    compare_reports(ledger, memory, found)
    with server.connect(name) as connection:
        by_day = compare_receiver(ledger, connection, found)
    assert found.differences == []
    assert found.compared > 500
    assert ledger.crashes + ledger.power_cuts > 5
    assert len(ledger.disks) == 1
    passed = sum(len(some) for some in world.visitors.values())
    counted = sum(each.people.total() for each in (*ledger.disks, ledger.counted))
    assert passed == sum(ledger.unseen().values()) + ledger.lost.people.total() + counted
    assert sum(by_day.values()) > 150
    assert any(row[1].startswith(HALL) for row in ledger.counted.people)


def a_world(turns: int = 720) -> World:
    """An hour in which somebody with a mask passes in each turn."""
    visitors = {turn: [Passer(turn, Verdict.MASKED, 50.0, "")] for turn in range(1, turns + 1)}
    return World(NOON, NOON + HOUR, BERLIN, turns, visitors)


def a_ledger(turns: int) -> MonthLedger:
    """Of a box that has just said that so many turns are over, all but ten of them committed."""
    ledger = MonthLedger(a_world())
    ledger.hear('S {"visits":0,"watched_s":0.0,"alerts":0}')
    for turn in range(1, turns + 1):
        ledger.hear(f"{'C' if turn == turns - 10 else 'T'} {turn}")
    return ledger


def the_history_has(visits: int) -> str:
    return f'S {{"visits":{visits},"watched_s":{STEP_S * visits}.0,"alerts":0}}'


@pytest.mark.parametrize(
    ("is_of_power", "visits", "lost"), [(False, 100, 1), (False, 101, 0), (True, 90, 11)]
)
def test_after_a_kill_the_ledger_takes_what_may_be_left(
    is_of_power: bool, visits: int, lost: int
) -> None:
    ledger = a_ledger(100)
    ledger.killed(100, is_of_power=is_of_power)
    ledger.hear(the_history_has(visits))
    assert ledger.counted.totals == Totals(visits, STEP_S * visits, 0)
    assert (ledger.lost.people.total(), ledger.lost_turns) == (lost, lost)


@pytest.mark.parametrize(("is_of_power", "visits"), [(False, 99), (False, 102), (True, 95)])
def test_a_person_too_few_or_too_many_after_a_kill_is_an_error(
    is_of_power: bool, visits: int
) -> None:
    ledger = a_ledger(100)
    ledger.killed(100, is_of_power=is_of_power)
    with pytest.raises(LedgerError, match=f"the history has Totals.visits={visits}"):
        ledger.hear(the_history_has(visits))


def test_a_person_moved_to_another_hour_is_found(tmp_path: Path) -> None:
    ledger = a_ledger(100)
    ledger.hear("E")
    (tmp_path / "disk-0").mkdir()
    writer = HistoryWriter(tmp_path / "disk-0" / FILE)
    minute = minute_of(NOON)
    people = [
        People(minute, Place(), Verdict.MASKED, 48, True, 99),
        People(minute + 60, Place(), Verdict.MASKED, 48, True, 1),
    ]
    watched = [WatchedTime(minute, "", WatchState.WATCHED, 500.0, True)]
    writer.write(HistoryBatch(people=people, watched=watched))
    writer.close()
    assert account_of(tmp_path / "disk-0" / FILE).people.total() == 100
    found = MonthFindings()
    compare_boxes(ledger, tmp_path, found)
    assert [each.split(", ", 1)[1] for each in found.differences] == [
        "people, 2026-03-28 12:00:00+00:00  masked 48 True: 100 in the ledger, 99 in the product",
        "people, 2026-03-28 13:00:00+00:00  masked 48 True: 0 in the ledger, 1 in the product",
    ]


@pytest.mark.parametrize(("minutes", "hours"), [(20, [0]), (5, [-1, 0])])
def test_what_a_lost_disk_could_not_send_is_its_last_hour_and_perhaps_the_one_before(
    minutes: int, hours: list[int]
) -> None:
    ledger = a_ledger(100)
    ledger.killed(100, is_of_power=True)
    ledger.replaced(Totals(90, STEP_S * 90, 0), minutes * 12)
    assert sorted(undelivered(ledger)) == [NOON + hour * HOUR for hour in hours]
    assert (ledger.disks[0].people.total(), ledger.lost.people.total()) == (90, 11)
