"""`tensormask watch` against a real broker."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import paho.mqtt.publish as paho_publish
import pytest

from edge.app.watch import watch
from edge.config import MqttSettings
from edge.publish.broker import Backoff
from edge.publish.messages import VIOLATION, encode, topic, violation_message
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto, until
from tests.broker.samples import ORIGIN, a_violation


@contextmanager
def watching(settings: MqttSettings, patience_s: float) -> Iterator[io.StringIO]:
    """Watch in a thread; yield what is printed."""
    output, stop = io.StringIO(), threading.Event()
    watcher = threading.Thread(target=watch, args=(settings, output, stop, patience_s))
    watcher.start()
    try:
        yield output
    finally:
        stop.set()
        watcher.join(5.0)
    assert not watcher.is_alive()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_lets_this_user_read_nothing_is_doubted(
    start_mosquitto: Callable[..., Mosquitto], tmp_path: Path, protocol: Literal["5", "3.1.1"]
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write tensormask/#\n")
    broker = start_mosquitto(f"allow_anonymous true\nacl_file {rules}")
    paho_publish.single(
        "tensormask/door-1/availability", b"{}", qos=1, retain=True, port=broker.port
    )
    settings = MqttSettings(host="127.0.0.1", port=broker.port, protocol=protocol)
    with watching(settings, patience_s=0.5) as output:
        doubt = "no device has ever reported here; may this user read tensormask/#?"
        until(lambda: doubt in output.getvalue(), "the doubt")


def test_a_broker_that_has_kept_something_is_not_doubted(mosquitto: Mosquitto) -> None:
    paho_publish.single(
        "tensormask/door-1/availability", b"{}", qos=1, retain=True, port=mosquitto.port
    )
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    with watching(settings, patience_s=0.5) as output:
        until(lambda: "unreadable" in output.getvalue(), "what was kept")
        threading.Event().wait(2 * 0.5)  # past its patience
    assert "no device" not in output.getvalue()


def test_alerts_are_printed_as_they_come_and_after_an_outage(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    output, stop = io.StringIO(), threading.Event()
    watcher = threading.Thread(target=watch, args=(settings, output, stop))
    watcher.start()
    until(lambda: "watching tensormask at" in output.getvalue(), "the subscription")
    outbox = Outbox(tmp_path / "outbox.sqlite")
    publisher = MqttPublisher(settings, ORIGIN, outbox, backoff=Backoff(first_s=0.1))
    publisher.start()
    until(lambda: "door-1 (north entrance)  is online" in output.getvalue(), "the device")
    outbox.append(
        topic("tensormask", "door-1", VIOLATION),
        lambda sequence: encode(violation_message(ORIGIN, a_violation(), sequence, True)),
    )
    publisher.wake()
    until(lambda: "NO MASK   for 1.2 s (96 %)" in output.getvalue(), "the alert")
    mosquitto.kill()
    until(lambda: "the connection was lost; trying again" in output.getvalue(), "the loss")
    mosquitto.start()
    until(lambda: output.getvalue().count("watching") == 2, "the second subscription")
    publisher.close()
    until(lambda: "is stopped" in output.getvalue(), "the end of the device")
    stop.set()
    watcher.join(5.0)
    outbox.close()
    assert not watcher.is_alive()
    assert "\x1b" not in output.getvalue(), "no colours but on a terminal"
