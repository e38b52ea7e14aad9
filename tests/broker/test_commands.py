"""Commands through real brokers: what arrives, and what a whole daemon makes of it."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as paho
import pytest
from jsonschema import Draft202012Validator
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.config import MqttSettings
from edge.control.commands import MAX_PAYLOAD_BYTES
from edge.detect.detectors import open_detector
from edge.publish.answers import Received
from edge.publish.broker import Backoff
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from edge.publish.schemas import path_of
from tests.broker.conftest import Mosquitto, Subscriber, until
from tests.broker.samples import ORIGIN
from tests.waiting import DEADLINE_S

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "mqtt.md"
BASE = "tensormask/door-1/command"


@pytest.fixture
def publish(mosquitto: Mosquitto) -> Iterator[Callable[..., None]]:
    """Publishes one message as somebody else, and returns when the broker has it."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()

    def send(topic: str, payload: bytes, retain: bool = False) -> None:
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(DEADLINE_S)

    yield send
    client.disconnect()
    client.loop_stop()


class Listener:
    """A publisher that receives commands, in this process."""

    def __init__(
        self, folder: Path, max_command_bytes: int = MAX_PAYLOAD_BYTES, **settings: object
    ) -> None:
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.publisher = MqttPublisher(
            MqttSettings(host="127.0.0.1", **settings),  # type: ignore[arg-type]
            ORIGIN,
            self.outbox,
            backoff=Backoff(first_s=0.1),
            max_command_bytes=max_command_bytes,
        )
        self.publisher.start()
        self.received: list[Received] = []

    def has(self, count: int) -> bool:
        self.received += self.publisher.take_commands()
        return len(self.received) >= count

    def close(self) -> None:
        self.publisher.close()
        self.outbox.close()


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Callable[..., Listener]]:
    opened: list[Listener] = []

    def start(**settings: object) -> Listener:
        opened.append(Listener(tmp_path, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def subscribed(broker: Mosquitto) -> bool:
    return "Received SUBSCRIBE from tensormask-door-1" in broker.log


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_commands_arrive_and_are_answered_on_a_topic_of_their_own(
    mosquitto: Mosquitto,
    subscribe: Callable[..., Subscriber],
    publish: Callable[..., None],
    listen: Callable[..., Listener],
    protocol: str,
) -> None:
    subscriber = subscribe(mosquitto.port)
    listener = listen(port=mosquitto.port, protocol=protocol)
    until(lambda: subscribed(mosquitto), "the subscription")
    publish(f"{BASE}/pause", b"1")
    publish("tensormask/door-2/command/pause", b"not ours")
    publish(f"{BASE}/pause/deeper", b"not ours")
    publish(f"{BASE}/resume", bytes(5000))
    until(lambda: listener.has(2), "two commands")
    assert listener.received[0] == Received(f"{BASE}/pause", b"1", False)
    assert len(listener.received[1].payload) == MAX_PAYLOAD_BYTES + 1, "cut off"
    listener.publisher.respond(b"done")
    until(lambda: subscriber.payloads("response") == [b"done"], "the response")
    assert not subscriber.messages[-1].retain


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_retained_command_is_known_as_such_at_each_connection(
    mosquitto: Mosquitto,
    publish: Callable[..., None],
    listen: Callable[..., Listener],
    protocol: str,
) -> None:
    publish(f"{BASE}/restart", b"before", retain=True)
    listener = listen(port=mosquitto.port, protocol=protocol)
    until(lambda: listener.has(1), "what was retained")
    assert listener.received[0].retained
    publish(f"{BASE}/restart", b"now", retain=True)
    until(lambda: listener.has(2), "what is to be retained")
    # MQTT 3.1.1 has no word for that.
    assert listener.received[1].retained is (protocol == "5")


def test_nobody_listens_by_default(mosquitto: Mosquitto, listen: Callable[..., Listener]) -> None:
    listener = listen(port=mosquitto.port, max_command_bytes=0)
    until(lambda: listener.publisher.connected, "the connection")
    listener.close()
    assert "Received SUBSCRIBE" not in mosquitto.log


def test_what_arrives_and_what_is_answered_has_a_bound(
    mosquitto: Mosquitto, publish: Callable[..., None], listen: Callable[..., Listener]
) -> None:
    listener = listen(port=mosquitto.port)
    until(lambda: subscribed(mosquitto), "the subscription")
    for number in range(100):
        publish(f"{BASE}/pause", b"%d" % number)
    until(lambda: mosquitto.log.count("Received PUBACK from tensormask-door-1") >= 100, "all")
    assert [received.payload for received in listener.publisher.take_commands()] == [
        b"%d" % number for number in range(16)
    ]


def test_the_documented_access_rules_let_only_the_desk_command(
    start_mosquitto: Callable[..., Mosquitto], listen: Callable[..., Listener], tmp_path: Path
) -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    rules = re.search(r"^```\n(user desk\n.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert rules is not None
    (tmp_path / "acl").write_text(rules[1])
    broker = start_mosquitto(f"allow_anonymous true\nacl_file {tmp_path}/acl")
    listener = listen(port=broker.port, username="door-1")
    until(lambda: subscribed(broker), "the subscription")
    for user in ("door-2", "nobody", "desk"):
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(user)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.publish(f"{BASE}/pause", user.encode(), qos=1).wait_for_publish(DEADLINE_S)
        client.disconnect()
        client.loop_stop()
    until(lambda: listener.has(1), "the command of the desk")
    assert [received.payload for received in listener.received] == [b"desk"]


class Daemon:
    """The whole service on the clip, as a process."""

    def __init__(self, folder: Path, port: int, clip: Path, weights: Path) -> None:
        config = folder / "tensormask.toml"
        config.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[device]\nid = "door-1"\n'
            f'[camera]\nsource = "{clip}"\nloop = true\n'
            f'[detector]\nname = "yunet"\nmodel = "{weights}"\n'
            '[commands]\nallowed = ["pause", "resume", "restart", "snapshot"]\n'
            'per_minute = 120\n[snapshots]\npictures = "pixelated"\n[health]\ninterval_s = 1\n'
        )
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", str(config)],
                env={**os.environ, "STATE_DIRECTORY": str(folder)},
                stdout=log,
                stderr=log,
            )


@pytest.fixture
def daemon(
    mosquitto: Mosquitto, tmp_path: Path, carphone: Path, yunet_weights: Path
) -> Iterator[Daemon]:
    started = Daemon(tmp_path, mosquitto.port, carphone, yunet_weights)
    yield started
    started.process.kill()
    started.process.wait()


def last(subscriber: Subscriber, name: str) -> dict[str, Any]:
    payloads = subscriber.payloads(name)
    content: dict[str, Any] = json.loads(payloads[-1]) if payloads else {}
    return content


def test_a_daemon_obeys_and_survives_garbage(
    mosquitto: Mosquitto,
    subscribe: Callable[..., Subscriber],
    publish: Callable[..., None],
    daemon: Daemon,
    yunet_weights: Path,
) -> None:
    subscriber = subscribe(mosquitto.port)
    asked = 0

    def answer_to(name: str, **fields: Any) -> dict[str, Any]:
        """Ask, repeatedly while there is no room for a command; return the answer."""
        nonlocal asked
        asked += 1
        request = {"request_id": f"desk-{asked}", **fields}

        def answers() -> list[dict[str, Any]]:
            contents = [json.loads(payload) for payload in subscriber.payloads("response")]
            return [
                content
                for content in contents
                if content["request_id"] == request["request_id"]
                and not str(content["reason"]).startswith("too many")
            ]

        def is_answered() -> bool:
            publish(f"{BASE}/{name}", json.dumps(request).encode())
            return bool(answers())

        until(is_answered, f"an answer to {name}")
        return answers()[0]

    # Judged and reported, with a picture in which neither detector finds a face.
    until(lambda: subscriber.payloads("violation"), "a violation", 60.0)
    picture = shown_in(json.loads(subscriber.payloads("violation")[0]))
    assert picture.shape == (144, 176, 3)
    for detector in (open_detector("yunet", str(yunet_weights)), open_detector("res10")):
        assert detector.find(np.asarray(cv2.resize(picture, None, fx=2, fy=2), np.uint8)) == ()

    # Garbage of all sizes, and a message that would not fit into the memory of small machines.
    source, begun_s = random.Random(4), time.monotonic()
    publish(f"{BASE}/restart", b'{"request_id":"ghost"}', retain=True)
    until(lambda: last(subscriber, "response"), "an answer")
    assert last(subscriber, "response")["reason"].startswith("retained")
    for _ in range(1000):
        name = source.choice(["pause", "resume", "restart", "snapshot", "explode", "\u202e"])
        publish(f"{BASE}/{name}", source.randbytes(source.choice([0, 1, 20, 600, 70_000])))
    publish(f"{BASE}/pause", bytes(20_000_000))
    assert daemon.process.poll() is None
    until(lambda: last(subscriber, "health"), "its health")
    frames = last(subscriber, "health")["frames"]
    until(lambda: last(subscriber, "health")["frames"] > frames + 5, "frames that are judged")
    assert last(subscriber, "health")["rss_bytes"] < 300_000_000
    # 120 at once, and this many each minute.
    most = 120 * (1 + (time.monotonic() - begun_s) / 60)
    assert len(subscriber.payloads("response")) < most + 60

    assert answer_to("pause", duration_s=600)["outcome"] == "done"
    until(lambda: last(subscriber, "health")["paused_for_s"], "the pause")
    assert answer_to("snapshot")["reason"] == "paused: no frame is judged"
    assert answer_to("resume")["outcome"] == "done"
    until(lambda: last(subscriber, "health")["paused_for_s"] is None, "its end")
    assert shown_in(answer_to("snapshot")).shape == (144, 176, 3)

    until(lambda: last(subscriber, "health")["uptime_s"] > 10, "the time for a restart")
    publish(f"{BASE}/restart", b"", retain=True)
    assert answer_to("restart")["outcome"] == "done"
    # The unit starts it again whatever its status, but for 78.
    assert daemon.process.wait(DEADLINE_S) == 0
    until(lambda: last(subscriber, "availability")["state"] == "stopped", "an orderly end")
    for payload in subscriber.payloads("response"):
        schema = json.loads(path_of("response").read_bytes())
        Draft202012Validator(schema).validate(json.loads(payload))
    assert "/9j/" not in daemon.log.read_text(), "a picture in the log"
    assert "Traceback" not in daemon.log.read_text()


def shown_in(document: dict[str, Any]) -> np.ndarray[Any, Any]:
    jpeg = base64.b64decode(document["snapshot"])
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
