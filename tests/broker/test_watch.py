"""`tensormask watch` against a real broker."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import paho.mqtt.publish as paho_publish
import pytest

from edge.commands.watch import Lines, watch
from edge.config import MqttSettings
from edge.publish.broker import Backoff
from edge.publish.messages import (
    VIOLATION,
    AvailabilityState,
    availability_message,
    encode,
    topic,
    violation_message,
)
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from tests.broker.conftest import Mosquitto
from tests.broker.samples import NOW, ORIGIN, a_violation
from tests.processes import Running
from tests.terminal import Terminal
from tests.waiting import DEADLINE_S, until

WATCH = [sys.executable, "-m", "edge", "watch"]


@contextmanager
def watching(settings: MqttSettings, patience_s: float) -> Iterator[io.StringIO]:
    """Watch in a thread; yield what is printed."""
    output, stop = io.StringIO(), threading.Event()
    watcher = threading.Thread(target=watch, args=(settings, Lines(output), stop, patience_s))
    watcher.start()
    try:
        yield output
    finally:
        stop.set()
        watcher.join(DEADLINE_S)
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
    # A busy machine may take some of it to bring what was kept.
    patience_s = 2.0
    with watching(settings, patience_s) as output:
        until(lambda: "unreadable" in output.getvalue(), "what was kept")
        threading.Event().wait(patience_s + 0.5)
    assert "no device" not in output.getvalue()


def test_alerts_are_printed_as_they_come_and_after_an_outage(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    output, stop = io.StringIO(), threading.Event()
    watcher = threading.Thread(target=watch, args=(settings, Lines(output), stop))
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
    until(lambda: publisher.state.reconnects and publisher.connected, "the device's return")
    publisher.close()
    until(lambda: "is stopped" in output.getvalue(), "the end of the device")
    stop.set()
    watcher.join(DEADLINE_S)
    outbox.close()
    assert not watcher.is_alive()
    assert "\x1b" not in output.getvalue(), "no colours but on a terminal"


def said(port: int, name: str, kind: str, payload: bytes) -> None:
    paho_publish.single(f"tensormask/{name}/{kind}", payload, qos=1, retain=True, port=port)


def online(name: str, zone: str = "north") -> bytes:
    origin = replace(ORIGIN, device_id=name, zone=zone)
    return encode(availability_message(origin, AvailabilityState.ONLINE, NOW, True))


def confirmed() -> bytes:
    return encode(violation_message(ORIGIN, a_violation(), 1, True))


def test_as_json_each_message_is_a_line_of_ascii(mosquitto: Mosquitto) -> None:
    hostile = b"\x1b[2J\x9b\xff"
    said(mosquitto.port, "door-1", "availability", online("door-1", "t\u00fcr \u202e"))
    said(mosquitto.port, "door-2", "health", hostile)
    said(mosquitto.port, "door-2", "release", b"[" * 100_000)
    command = [*WATCH, "--json", "--broker", f"127.0.0.1:{mosquitto.port}"]
    with Running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        assert process.stderr.read().startswith(b"tensormask: watching tensormask at ")
    assert all(line.isascii() and line[:-1].decode().isprintable() for line in lines)
    documents = {line["topic"]: line for line in map(json.loads, lines)}
    first = documents["tensormask/door-1/availability"]
    assert (first["retained"], first["document"]["zone"]) == (True, "t\u00fcr \u202e")
    sent = documents["tensormask/door-2/health"]["document"]
    assert base64.b64decode(sent) == hostile


def test_one_device_can_be_watched(mosquitto: Mosquitto) -> None:
    for name in ("door-1", "door-2"):
        said(mosquitto.port, name, "availability", online(name))
    settings = MqttSettings(host="127.0.0.1", port=mosquitto.port)
    output, stop = io.StringIO(), threading.Event()
    arguments = (settings, Lines(output), stop, 0.5, "door-2")
    watcher = threading.Thread(target=watch, args=arguments)
    watcher.start()
    until(lambda: "door-2 (north)  is online" in output.getvalue(), "the device")
    stop.set()
    watcher.join(DEADLINE_S)
    assert "door-1" not in output.getvalue()


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_shows_a_live_view_and_is_given_back(
    mosquitto: Mosquitto, on_terminal: type[Terminal], columns: int
) -> None:
    said(mosquitto.port, "door-1", "availability", online("door-1"))
    command = [*WATCH, "--broker", f"127.0.0.1:{mosquitto.port}"]
    terminal = on_terminal(command, columns=columns)
    terminal.wait_for("door-1")
    assert terminal.shown.count("\x1b[?1049h") == 1, "another screen"
    said(mosquitto.port, "door-1", "violation", confirmed())
    terminal.wait_for("NO MASK for 1.2 s")
    terminal.wait_for("no mask ")
    said(mosquitto.port, "[red]e", "availability", online("evil", "\x1b]0;owned\x07\x1b[2J"))
    terminal.wait_for("[red]e")
    assert "\x1b]0;" not in terminal.shown
    assert "\x1b[2J" not in terminal.shown
    mosquitto.kill()
    terminal.wait_for("connection was lost")
    terminal.press("\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown
    assert terminal.shown.index("\x1b[?1049h") < terminal.shown.index("\x1b[?1049l")
    assert terminal.shown.endswith("\x1b[?25h\x1b[?1049l"), "the cursor is back"


def test_a_terminal_that_is_ended_from_outside_is_given_back_too(
    on_terminal: type[Terminal],
) -> None:
    terminal = on_terminal([*WATCH, "--broker", "127.0.0.1:1"])
    terminal.wait_for("trying again")
    terminal.process.terminate()
    assert terminal.end() == 130
    assert "\x1b[?1049l" in terminal.shown


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_live_view_has_no_colour_where_none_is_wanted(
    mosquitto: Mosquitto,
    on_terminal: type[Terminal],
    environment: dict[str, str],
    coloured: bool,
) -> None:
    said(mosquitto.port, "door-1", "availability", online("door-1"))
    command = [*WATCH, "--broker", f"127.0.0.1:{mosquitto.port}"]
    terminal = on_terminal(command, environment=environment)
    terminal.wait_for("online")
    assert bool(re.search(r"\x1b\[(\d+;)*3\d", terminal.shown)) is coloured


def test_a_dumb_terminal_gets_lines(mosquitto: Mosquitto, on_terminal: type[Terminal]) -> None:
    said(mosquitto.port, "door-1", "availability", online("door-1"))
    command = [*WATCH, "--broker", f"127.0.0.1:{mosquitto.port}"]
    terminal = on_terminal(command, environment={"TERM": "dumb", "NO_COLOR": "1"})
    terminal.wait_for("door-1 (north)  is online")
    assert "\x1b" not in terminal.shown
