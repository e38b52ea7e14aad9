from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.clock import Clock
from edge.daemon.hours import HourSender
from edge.errors import ModelError
from edge.history.hours import GRACE, HourBook
from edge.history.keeper import HistoryKeeper
from edge.publish.mailbox import Entrusted, Mailbox
from edge.rates import Counted, Eyes
from tests.broker.samples import ORIGIN
from tests.edge.history.test_hours import HOUR, NOON, write
from tests.fakes import SetClock
from tests.waiting import until

DAY = timedelta(days=1)


class TakingMailbox(Mailbox):
    """A broker that takes what it gets, while it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.is_there = True
        self.taken: list[dict[str, Any]] = []

    def wake(self) -> None:
        for message in self.due([], 99) if self.is_there else []:
            assert isinstance(message, Entrusted)
            assert message.topic == "tensormask/door-1/hour"
            self.taken.append(json.loads(message.payload))
            self.settle(message)

    @property
    def hours(self) -> list[str]:
        return [each["hour"][8:13] for each in self.taken]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
def broker() -> TakingMailbox:
    return TakingMailbox()


@pytest.fixture
def clock() -> SetClock:
    clock = SetClock()
    clock.set_by_s = (NOON - clock.utc()).total_seconds()
    return clock


def a_sender(path: Path, broker: TakingMailbox, clock: Clock) -> HourSender:
    return HourSender(path, ORIGIN, "tensormask", broker, broker.wake, clock, lambda: True)


def is_all_sent(path: Path, clock: Clock) -> bool:
    with HourBook(path) as book:
        return book.due(clock.utc()) == []


def is_open(path: Path) -> bool:
    """Return whether this process has the file, or its log, open."""
    names = {str(path), f"{path}-wal"}
    return any(_target(each) in names for each in Path("/proc/self/fd").iterdir())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed meanwhile
        return ""


def test_each_hour_is_sent_once_when_it_is_over(
    path: Path, broker: TakingMailbox, clock: SetClock
) -> None:
    sender = a_sender(path, broker, clock)
    for _ in range(8 * 60):
        write(path, clock.utc(), 1)
        clock.sleep(60)
        assert sender.send_due()
    assert broker.hours == [f"28T{hour}" for hour in range(12, 19)]
    assert {each["people"][0]["masked"] for each in broker.taken} == {60}
    assert {each["watched"][0]["seconds"] for each in broker.taken} == {3600.0}


def test_an_hour_says_by_what_the_box_corrects_its_rates_where_that_is_known(
    path: Path, broker: TakingMailbox, clock: SetClock
) -> None:
    known: list[Eyes] = []

    def eyes() -> Eyes:
        if not known:
            raise ModelError("the bundle is damaged")
        return known[0]

    sender = HourSender(path, ORIGIN, "tensormask", broker, broker.wake, clock, lambda: True, eyes)
    for _ in range(2):
        write(path, clock.utc(), 1)
        clock.sleep(3600 + GRACE.total_seconds())
        assert sender.send_due()
        known.append(Eyes({0: Counted(9, 10, 12)}, {48: Counted(4, 5)}, "at a fair"))
    assert [each["eyes"] for each in broker.taken] == [
        None,
        {
            "source": "at a fair",
            "classes": [
                {"state": "masked", "size_px": 0, "right": 9, "of": 10, "shown": 12},
                {"state": "bare", "size_px": 48, "right": 4, "of": 5, "shown": None},
            ],
        },
    ]


def test_a_new_run_sends_what_the_last_one_could_not_and_nothing_twice(
    path: Path, broker: TakingMailbox, clock: SetClock
) -> None:
    for number in range(100):
        write(path, NOON + number * HOUR, 1)
    clock.sleep(10 * 3600)
    assert a_sender(path, broker, clock).send_due()
    clock.sleep(150 * 3600)
    assert a_sender(path, broker, clock).send_due()
    assert len(broker.hours) == len(set(broker.hours)) == 100


def test_an_hour_that_a_clock_set_back_adds_to_is_sent_again(
    path: Path, broker: TakingMailbox, clock: SetClock
) -> None:
    for number in range(100):
        write(path, NOON + number * HOUR, 1)
    clock.sleep(101 * 3600)
    sender = a_sender(path, broker, clock)
    assert sender.send_due()
    del broker.taken[:]
    clock.set_by_s -= 90 * 3600
    write(path, clock.utc() - 2 * HOUR, 5)
    assert sender.send_due()
    assert broker.hours == ["28T21"]
    assert broker.taken[0]["people"][0]["masked"] == 6


def test_what_a_wrong_clock_dated_ahead_is_withdrawn_and_the_real_hour_counts_once(
    path: Path, broker: TakingMailbox, clock: SetClock
) -> None:
    """The receiver keeps the greatest revision of each hour."""
    write(path, NOON, 1)
    write(path, NOON + 10 * DAY, 50, 3000.0)
    clock.set_by_s += (10 * DAY + 2 * HOUR).total_seconds()
    sender = a_sender(path, broker, clock)
    assert sender.send_due()
    clock.set_by_s -= 10 * DAY.total_seconds()
    keeper = HistoryKeeper(path, 400)
    for _ in range(2):  # every six hours
        keeper.forget(clock.utc(), clock_is_right=True, for_s=0)
        clock.sleep(3600)
        assert sender.send_due()
    assert broker.hours == ["28T12", "07T12", "07T12"]
    assert (broker.taken[-1]["people"], broker.taken[-1]["watched"]) == ([], [])
    write(path, NOON + 10 * DAY, 3, 60.0)
    clock.sleep(10 * DAY.total_seconds())
    assert sender.send_due()
    misdated, withdrawn, real = broker.taken[1:]
    assert misdated["revision"] < withdrawn["revision"] < real["revision"]
    assert [each["masked"] for each in real["people"]] == [3]
    keeper.forget(clock.utc(), clock_is_right=True, for_s=0)
    assert a_sender(path, broker, clock).send_due()
    assert len(broker.taken) == 4, "a new run has nothing to repeat"
    keeper.close()


def one_that_waits(path: Path, broker: TakingMailbox, clock: SetClock) -> HourSender:
    """Return a sender with an hour of seven people that no broker takes."""
    write(path, NOON, 7)
    clock.sleep(3600 + GRACE.total_seconds())
    broker.is_there = False
    sender = a_sender(path, broker, clock)
    sender.start()
    until(lambda: not broker.is_empty, "the hour that waits")
    until(lambda: not is_open(path), "the history is closed while it waits")
    return sender


def test_a_broker_that_is_away_delays_hours_and_a_stop_does_not_wait_for_it(
    path: Path, broker: TakingMailbox, clock: SetClock
) -> None:
    sender = one_that_waits(path, broker, clock)
    broker.is_there = True
    broker.wake()
    until(lambda: is_all_sent(path, clock), "the mark of the hour")
    sender.close()
    assert broker.hours == ["28T12"]
    write(path, NOON, 1)
    broker.is_there = False
    sender = a_sender(path, broker, clock)
    sender.start()
    until(lambda: not broker.is_empty, "the hour that waits")
    sender.close()
    until(lambda: not sender._thread.is_alive, "its end, though nobody has taken the hour")


def test_a_history_that_was_replaced_while_an_hour_waited_has_no_mark_of_it(
    path: Path, broker: TakingMailbox, clock: SetClock
) -> None:
    sender = one_that_waits(path, broker, clock)
    former = path.rename(path.with_name("former.sqlite"))
    write(path, NOON, 3)
    broker.is_there = True
    broker.wake()
    until(lambda: len(broker.taken) == 2, "the hour of the new history")
    until(lambda: is_all_sent(path, clock), "its mark")
    sender.close()
    assert [each["people"][0]["masked"] for each in broker.taken] == [7, 3]
    assert len({each["history"] for each in broker.taken}) == 2
    assert not is_all_sent(former, clock)
