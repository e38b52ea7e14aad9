"""`tensormask watch` against a real broker."""

from __future__ import annotations

import io
import threading
from pathlib import Path

from edge.app.watch import watch
from edge.config import MqttSettings
from edge.publish.broker import Backoff
from edge.publish.messages import VIOLATION, encode, topic, violation_message
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto, until
from tests.broker.samples import ORIGIN, a_violation


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
