"""The publisher where broker, network or disk are at their worst, all of them real."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from edge.publish.outbox.memory import MEMORY_ROWS
from tests.broker.conftest import Mosquitto, StartDevice, Subscriber
from tests.broker.network import Island, Relay
from tests.disk import SmallDisk
from tests.needs import lacking
from tests.waiting import Stopwatch, until
from tools.herd import CLIENTS, connections, most_within


@pytest.fixture
def relay(mosquitto: Mosquitto) -> Iterator[Relay]:
    opened = Relay(mosquitto.port)
    yield opened
    opened.close()


@pytest.fixture
def island() -> Iterator[Island]:
    try:
        made = Island(os.getpid() & 16383)
    except (OSError, subprocess.CalledProcessError) as error:
        lacking(f"no network namespace can be made ({error})", "sudo make test")
    yield made
    made.close()


def test_a_broker_that_acknowledges_nothing_is_left_and_said_once(
    relay: Relay,
    mosquitto: Mosquitto,
    subscribe: Callable[..., Subscriber],
    start_device: StartDevice,
    caplog: pytest.LogCaptureFixture,
) -> None:
    subscriber = subscribe(mosquitto.port)
    relay.swallows = True
    device = start_device(port=relay.port, ack_timeout_s=1.0)
    sent = device.report(3)
    until(lambda: relay.connections > 3, "more attempts")
    assert not device.publisher.connected
    assert device.waiting() == 3
    relay.swallows = False
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert caplog.text.count("has acknowledged none for 1 s") == 1
    until(lambda: list(dict.fromkeys(subscriber.sequences)) == sent, "all, the first time in order")
    assert len(set(subscriber.payloads("violation"))) == len(sent), "repeats are the same"


def test_what_a_killed_broker_has_not_acknowledged_comes_again(
    remembering: Mosquitto, witness: Subscriber, start_device: StartDevice
) -> None:
    # A broker that is killed may forget what it has acknowledged but not yet handed on. So here it
    # acknowledges nothing from some moment on, and dies with a window full of documents.
    relay = Relay(remembering.port)
    try:
        device = start_device(port=relay.port)
        sent: list[int] = []

        def newest_is(wanted: Callable[[int], bool]) -> bool:
            return any(wanted(sequence) for sequence in witness.sequences[-1:])

        for _ in range(4):
            until(lambda: device.publisher.connected, "the connection")
            sent += device.report(30)
            until(lambda: device.waiting() == 0, "acknowledgements")
            until(partial(newest_is, sent[-1].__eq__), "all that was acknowledged")
            relay.swallows = True
            acknowledged = sent[-1]
            sent += device.report(60)
            until(partial(newest_is, acknowledged.__lt__), "some that will not be")
            remembering.kill()
            sent += device.report(10)
            until(lambda: not device.publisher.connected, "the loss")
            assert device.waiting() == 70, "none of them counts as delivered"
            relay.swallows = False
            remembering.start()
            until(lambda: device.waiting() == 0, "an empty outbox")
            until(partial(newest_is, sent[-1].__eq__), "all of them")
        assert sent == list(range(1, 401))
        assert list(dict.fromkeys(witness.sequences)) == sent, "first arrivals are in order"
    finally:
        relay.close()


def test_a_broker_that_acknowledges_slowly_is_not_left(
    relay: Relay, start_device: StartDevice, caplog: pytest.LogCaptureFixture
) -> None:
    # A busy machine adds to each of them; together they take longer than one may.
    relay.delay_s = 1.0
    device = start_device(port=relay.port, ack_timeout_s=4.0)
    device.report(5)
    until(lambda: device.waiting() == 0, "an empty outbox")
    assert relay.connections == 1
    assert "acknowledged none" not in caplog.text
    relay.delay_s = 0.0  # for a quick end


def test_a_cut_network_is_noticed_by_the_keep_alive_and_costs_nothing(
    island: Island,
    mosquitto_program: str,
    tmp_path: Path,
    start_device: StartDevice,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = Mosquitto(
        mosquitto_program, tmp_path, "allow_anonymous true", island.address, island.within
    )
    try:
        device = start_device(
            host=island.address, port=broker.port, keepalive_s=5, ack_timeout_s=600.0
        )
        device.report(1)
        until(lambda: device.waiting() == 0, "a first document")
        island.pull()
        cut_s = time.monotonic()
        stopwatch = Stopwatch()
        until(lambda: not device.publisher.connected, "the loss")
        assert stopwatch.elapsed_s < 2 * 5 + 3
        assert time.monotonic() - cut_s > 1
        device.report(40)
        assert device.waiting() == 40
        island.plug_in()
        until(lambda: device.waiting() == 0, "an empty outbox")
        received = [line for line in broker.log.splitlines() if "door-1/violation'" in line]
        assert sum("Received PUBLISH" in line for line in received) == 41
        assert caplog.text.count("the connection was lost") == 1, "said once"
    finally:
        broker.kill()


def test_a_hundred_devices_do_not_return_all_at_once(
    mosquitto_program: str, tmp_path: Path
) -> None:
    # Ten times as fast as they really are; `make herd` has the real figures.
    back_s = connections(tmp_path, mosquitto_program, down_s=1.5, first_s=0.1, jitter=True)
    assert len(back_s) == CLIENTS
    assert most_within(0.1, back_s) < CLIENTS / 2


def test_a_backlog_is_sent_at_its_pace(
    remembering: Mosquitto, witness: Subscriber, start_device: StartDevice
) -> None:
    remembering.kill()
    device = start_device(port=remembering.port, replay_per_s=100.0)
    sent = device.report(250)
    back_s, stopwatch = time.monotonic(), Stopwatch()
    remembering.start()
    until(lambda: witness.sequences == sent, "all documents, once and in order")
    took_s = stopwatch.elapsed_s
    arrivals_s = [m.timestamp - back_s for m in witness.messages if m.topic.endswith("violation")]
    # A tenth of a second's worth may go at once.
    assert all(count <= 100 * at_s + 10 + 1 for count, at_s in enumerate(arrivals_s, start=1))
    assert took_s < 8, "nor much slower"


def test_what_is_new_is_not_held_back(
    mosquitto: Mosquitto, subscribe: Callable[..., Subscriber], start_device: StartDevice
) -> None:
    subscriber = subscribe(mosquitto.port)
    device = start_device(port=mosquitto.port, replay_per_s=0.001)
    until(lambda: device.publisher.connected, "the connection")
    device.report(1)
    until(lambda: subscriber.sequences == [1], "the document, long before its turn in a backlog")


def test_on_a_full_disk_documents_go_out_live_in_order_and_to_the_disk_when_there_is_room(
    small_disk: SmallDisk,
    remembering: Mosquitto,
    witness: Subscriber,
    start_device: StartDevice,
    caplog: pytest.LogCaptureFixture,
) -> None:
    device = start_device(small_disk.folder, port=remembering.port)
    device.report(5)
    # What the broker holds in memory only for the witness, a kill takes with it.
    until(lambda: witness.sequences == list(range(1, 6)), "the first documents")
    until(lambda: device.waiting() == 0, "an empty outbox")
    remembering.kill()
    until(lambda: not device.publisher.connected, "the loss")
    device.report(5)
    small_disk.fill()
    device.report(30)
    state = device.outbox.state()
    assert (state.is_refused, state.rows) == (True, 35)
    held = state.in_memory
    assert held > 20, "one or two may still have fitted"
    remembering.start()
    until(lambda: device.waiting() == 0, "delivery of what is on the disk and of what is not")
    until(lambda: witness.sequences == list(range(1, 41)), "all documents, once and in order")
    remembering.kill()
    until(lambda: not device.publisher.connected, "another loss")
    device.report(2)
    remembering.start()
    until(lambda: device.waiting() == 0, "those, too, though nothing can be deleted")
    small_disk.make_room()
    until(lambda: not device.outbox.state().is_refused, "the disk")
    device.report(3)
    until(lambda: witness.sequences == list(range(1, 46)), "all documents, once and in order")
    until(lambda: device.waiting() == 0, "an empty outbox")
    state = device.outbox.state()
    assert (state.rows, state.in_memory, state.live, state.dropped.total) == (0, 0, held + 2, 0)
    assert caplog.text.count("make room or repair the disk") == 1, "said once"


def test_what_is_too_much_for_disk_and_memory_is_a_gap_and_nothing_is_altered(
    small_disk: SmallDisk,
    remembering: Mosquitto,
    witness: Subscriber,
    start_device: StartDevice,
) -> None:
    remembering.kill()
    device = start_device(small_disk.folder, port=remembering.port)
    small_disk.fill()
    sent = device.report(MEMORY_ROWS + 5)
    remembering.start()
    until(lambda: device.waiting() == 0, "delivery of the rest")
    dropped = device.outbox.state().dropped.memory
    assert 0 < dropped <= 5
    until(lambda: len(witness.sequences) == len(sent) - dropped, "the rest")
    assert witness.sequences[-MEMORY_ROWS:] == sent[-MEMORY_ROWS:]
    assert witness.sequences == sorted(set(witness.sequences))
