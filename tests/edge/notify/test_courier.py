"""Delivery to one target: in order, durably, in its own time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.clock import SYSTEM_CLOCK, Clock, Moment
from edge.notify.courier import FINAL_S, Courier
from edge.publish.broker import Backoff
from tests.edge.notify.receiver import Receiver, hang, status
from tests.edge.notify.samples import JPEG, SENDER, event, event_id, moved, secret_file, target
from tests.fakes import START, TurnedClock
from tests.processes import ROOT, Running
from tests.waiting import until

Make = Callable[..., Courier]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


@pytest.fixture
def make(receiver: Receiver, tmp_path: Path) -> Iterator[Make]:
    """A courier to the receiver; without `start`, a test takes its turns."""
    made: list[Courier] = []

    def begin(start: bool = True, clock: Clock = SYSTEM_CLOCK, **keys: Any) -> Courier:
        settings = target(**{"url": receiver.url, "pause_s": 0, "timeout_s": 1.5, **keys})
        backoff = Backoff(random.Random(1), first_s=0.02, longest_s=0.1)
        made.append(Courier(settings, SENDER, tmp_path, clock=clock, backoff=backoff))
        if start:
            made[-1].start()
        return made[-1]

    yield begin
    for courier in made:
        courier.close(3)


def ids(receiver: Receiver) -> list[str]:
    return [each["id"] for each in receiver.documents]


def test_each_event_is_a_notification_in_order(make: Make, receiver: Receiver) -> None:
    courier = make()
    for number in range(1, 6):
        courier.accept(event(number))
    until(lambda: len(receiver.received) == 5, "all have come")
    assert ids(receiver) == [event_id(number) for number in range(1, 6)]
    until(lambda: courier.state().waiting == 0, "nothing waits")
    assert courier.state().trouble == ""


def test_nothing_is_lost_and_all_in_order_after_a_long_outage(
    make: Make, receiver: Receiver
) -> None:
    receiver.close()
    courier = make()
    for number in range(1, 31):
        courier.accept(event(number))
    until(lambda: courier.state().trouble != "", "it is said")
    assert "it refuses the connection" in courier.state().trouble
    assert courier.state().waiting == 30
    receiver.open()
    until(lambda: len(receiver.received) == 30, "all have come")
    assert ids(receiver) == [event_id(number) for number in range(1, 31)]
    until(lambda: courier.state().trouble == "", "all is well")


@pytest.mark.parametrize("code", [500, 502, 503, 429, 408])
def test_what_passes_is_tried_again(make: Make, receiver: Receiver, code: int) -> None:
    receiver.answers.extend([status(code)] * 3)
    make().accept(event())
    until(lambda: len(receiver.received) == 4, "the fourth is taken")
    assert len(set(ids(receiver))) == 1
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1


def test_a_server_that_hangs_once_gets_the_same_again(make: Make, receiver: Receiver) -> None:
    receiver.answers.append(hang)
    courier = make()
    courier.accept(event())
    until(lambda: courier.state().waiting == 0, "it is taken")
    assert ids(receiver) == [event_id(1)] * 2


def test_retry_after_is_obeyed(make: Make, receiver: Receiver) -> None:
    clock = TurnedClock()
    receiver.answers.append(status(429, Retry_After="120"))
    courier = make(start=False, clock=clock)
    courier.accept(event())
    assert courier.turn() == 120
    clock.sleep(119)
    assert courier.turn() == 1
    assert len(receiver.received) == 1
    clock.sleep(1)
    courier.turn()
    assert len(receiver.received) == 2
    assert courier.state().waiting == 0


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413])
def test_what_somebody_has_to_fix_is_said_at_once_and_tried_slowly(
    make: Make, receiver: Receiver, code: int
) -> None:
    clock = TurnedClock()
    receiver.usual = status(code)
    courier = make(start=False, clock=clock)
    courier.accept(event())
    wait_s = courier.turn()
    assert FINAL_S / 2 <= wait_s <= FINAL_S
    assert f"HTTP {code}" in courier.state().trouble
    assert courier.state().waiting == 1
    receiver.usual = status(200)
    clock.sleep(wait_s)
    courier.turn()
    assert (courier.state().waiting, courier.state().trouble) == (0, "")


def test_a_picture_that_is_refused_is_left_out(make: Make, receiver: Receiver) -> None:
    receiver.answers.append(status(413))
    courier = make(snapshot=True)
    courier.accept(event(snapshot=JPEG))
    until(lambda: courier.state().waiting == 0, "it is taken")
    assert [each["snapshot"] is None for each in receiver.documents] == [False, True]
    assert "it takes no picture" in courier.state().trouble


def test_a_picture_goes_only_where_it_is_wanted(make: Make, receiver: Receiver) -> None:
    make().accept(event(snapshot=JPEG))
    until(lambda: receiver.received, "it has come")
    assert receiver.documents[0]["snapshot"] is None


def test_what_comes_in_a_pause_is_in_the_next_notification(make: Make, receiver: Receiver) -> None:
    clock = TurnedClock()
    courier = make(start=False, clock=clock, pause_s=60)
    courier.accept(event(1))
    assert courier.turn() == 60
    for number in (2, 3, 4):
        courier.accept(event(number, START + timedelta(seconds=number)))
    assert courier.turn() == 60
    clock.sleep(60)
    courier.turn()
    first, second = receiver.documents
    assert (first["more"], second["more"]) == (0, 2)
    assert second["id"] == event_id(4)
    assert [each["id"] for each in second["events"]] == [event_id(2), event_id(3)]
    since = f"{(START + timedelta(seconds=2)).astimezone():%H:%M}"
    assert f"2 more since {since}: no_mask 2." in second["text"]
    assert courier.state().waiting == 0


class WallClock(TurnedClock):
    """Shows an hour of a day, as this machine's clock on the wall would."""

    def __init__(self, hour: int) -> None:
        super().__init__()
        self._at = datetime(2026, 1, 7, hour).astimezone()

    def utc(self) -> datetime:
        return self._at + timedelta(seconds=self.now_s)


def test_quiet_hours_end_with_one_notification_of_what_was(make: Make, receiver: Receiver) -> None:
    clock = WallClock(23)
    courier = make(start=False, clock=clock, quiet=["22:00-06:00"])
    for number in (1, 2, 3):
        courier.accept(event(number, clock.utc()))
    assert courier.turn() == 10
    assert receiver.received == []
    assert courier.state().is_quiet
    clock.sleep(7 * 3600)
    assert not courier.state().is_quiet
    courier.accept(event(4, clock.utc()))
    courier.turn()
    clock.sleep(1)
    courier.turn()
    night, morning = receiver.documents
    assert (night["id"], night["more"], night["late"]) == (event_id(3), 2, True)
    assert "This comes late: it was 7 h ago." in night["text"]
    assert (morning["id"], morning["more"], morning["late"]) == (event_id(4), 0, False)


def test_of_many_only_the_newest_are_kept(make: Make, receiver: Receiver) -> None:
    receiver.close()
    courier = make(start=False, max_rows=10)
    for number in range(1, 16):
        courier.accept(event(number))
    assert (courier.state().waiting, courier.state().dropped) == (10, 5)


def test_what_is_too_old_is_dropped_and_counted(receiver: Receiver, tmp_path: Path) -> None:
    clock = TurnedClock()

    def moment() -> Moment:
        return Moment(clock.utc(), True, "this run", clock.monotonic_s())

    settings = target(url=receiver.url, max_age_s=3600)
    courier = Courier(settings, SENDER, tmp_path, clock=clock, moment=moment)
    courier.accept(event(1))
    clock.sleep(3700)
    courier.accept(event(2, clock.utc()))
    courier.turn()
    assert ids(receiver) == [event_id(2)]
    assert courier.state().dropped == 1
    courier.close(1)


def test_a_failure_is_over_when_nothing_waits_any_more(receiver: Receiver, tmp_path: Path) -> None:
    clock = TurnedClock()

    def moment() -> Moment:
        return Moment(clock.utc(), True, "this run", clock.monotonic_s())

    receiver.usual = status(401)
    settings = target(url=receiver.url, max_age_s=3600)
    courier = Courier(settings, SENDER, tmp_path, clock=clock, moment=moment)
    courier.accept(event(1))
    courier.turn()
    assert "HTTP 401" in courier.state().trouble
    clock.sleep(3700)
    courier.turn()
    assert (courier.state().waiting, courier.state().trouble) == (0, "")
    courier.close(1)


def test_a_secret_that_is_missing_is_said_and_read_again(
    make: Make, receiver: Receiver, tmp_path: Path
) -> None:
    clock = TurnedClock()
    courier = make(start=False, clock=clock, secret_file=str(tmp_path / "secret"))
    courier.accept(event())
    wait_s = courier.turn()
    assert "desk secret_file" in courier.state().trouble
    assert "No such file" in courier.state().trouble
    secret_file(tmp_path, "secret", "0123456789abcdef0123")
    clock.sleep(wait_s)
    courier.turn()
    assert courier.state().trouble == ""
    assert "webhook-signature" in receiver.received[0].headers


def test_one_target_that_hangs_does_not_stop_another(
    make: Make, receiver: Receiver, tmp_path: Path
) -> None:
    with Receiver() as stuck:
        stuck.usual = hang
        hanging, well = make(name="stuck", url=stuck.url, timeout_s=300), make()
        for courier in (hanging, well):
            courier.accept(event())
        until(lambda: stuck.received and receiver.received, "both were asked")
        until(lambda: well.state().waiting == 0, "the other one has it")
        assert hanging.state().waiting == 1


def test_a_test_is_sent_in_a_pause_and_says_what_came_of_it(make: Make, receiver: Receiver) -> None:
    courier = make(pause_s=3600)
    courier.accept(event())
    until(lambda: courier.state().waiting == 0, "the first has come")
    courier.accept(event(2))
    courier.test()
    until(lambda: courier.state().tested_at, "it is over")
    assert courier.state().test == ""
    assert receiver.documents[1]["what"] == "test"
    assert courier.state().waiting == 1, "the pause goes on"
    before = courier.state().tested_at
    receiver.usual = status(401)
    courier.test()
    until(lambda: courier.state().tested_at != before, "it is over")
    assert "HTTP 401" in courier.state().test


def test_what_waits_is_sent_by_the_next_run_with_the_same_id(
    make: Make, receiver: Receiver
) -> None:
    first = make(start=False)
    first.accept(event(1))
    first.close(1)
    make(start=False).turn()
    assert ids(receiver) == [event_id(1)]


def test_an_event_of_another_release_is_left_out(make: Make, receiver: Receiver) -> None:
    courier = make(start=False)
    courier._outbox.append("desk", lambda _: b'{"of": "tomorrow"}')
    courier.accept(event(2))
    courier.turn()
    assert ids(receiver) == [event_id(2)]
    assert courier.state().waiting == 0


_SENDS = """
import sys, time
from pathlib import Path
from edge.notify.courier import Courier
from tests.edge.notify.samples import SENDER, event, target
courier = Courier(
    target(url=sys.argv[1], pause_s=0, timeout_s=300), SENDER, Path(sys.argv[2])
)
for number in range(1, 4):
    courier.accept(event(number))
courier.start()
while courier.state().waiting:
    time.sleep(0.01)
print("all noted", flush=True)
time.sleep(600)
"""


def test_a_kill_between_send_and_note_loses_nothing_and_sends_at_most_one_twice(
    make: Make, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers.extend([status(200), hang])
    command = [sys.executable, "-c", _SENDS, receiver.url, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with Running(command, env=environment) as process:
        until(lambda: len(receiver.received) == 2, "the second is there, and not answered")
        process.send_signal(signal.SIGKILL)
        process.wait()
    make()
    until(lambda: len(receiver.received) == 4, "the rest has come")
    assert ids(receiver) == [event_id(number) for number in (1, 2, 2, 3)]


def test_what_was_sent_long_ago_is_not_sent_again_after_a_kill(
    make: Make, receiver: Receiver, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _SENDS, receiver.url, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with Running(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"all noted\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    courier = make(start=False)
    courier.turn()
    assert len(receiver.received) == 3


def test_a_late_event_says_when_it_was(make: Make, receiver: Receiver) -> None:
    clock = TurnedClock()
    courier = make(start=False, clock=clock)
    courier.accept(moved(event(), -timedelta(hours=3)))
    courier.turn()
    (only,) = receiver.documents
    assert only["late"]
    assert "it was 3 h ago" in only["text"]
