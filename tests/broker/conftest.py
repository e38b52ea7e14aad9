"""Real brokers: Mosquitto, as a process of our own, and amqtt, which speaks MQTT 3.1.1 only.

And who talks to them: subscribers that note what they get, and devices.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from amqtt.broker import Broker
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import MqttSettings
from edge.publish.broker import Backoff
from tests.broker.device import QUICK, Device
from tests.broker.strict import Rules, StrictBroker
from tests.needs import lacking
from tests.waiting import DEADLINE_S
from tests.waiting import until as until

_PORTS = range(20_000, 32_000)
"""Below those that a kernel gives to a program that asks for any."""


def free_port() -> int:
    """Return a port where nobody listens, and that no other run of the tests gets while we run.

    One that the kernel has chosen is given to the next who asks, as soon as it is closed.
    """
    while True:
        port = random.choice(_PORTS)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0tensormask-tests-{port}")  # a name without a file: it ends with us
            with socket.create_server(("127.0.0.1", port)):
                claim.detach()  # open until this process ends
                return port
        except OSError:
            claim.close()


class Mosquitto:
    """A Mosquitto on a port of its own; killed and started again at will."""

    def __init__(
        self,
        program: str,
        folder: Path,
        settings: str = "allow_anonymous true",
        address: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        """`within` is the command that runs it elsewhere, as in a network namespace."""
        self.port = free_port()
        self._address = address
        self._within = within
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} {address}\nuser root\n{settings}\n")
        self._log_path = folder / "mosquitto.log"
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def log_count(self, text: str) -> int:
        return self.log.count(text)

    def start(self) -> None:
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._within, self._program, "-v", "-c", str(self._config)],
                stdout=log,
                stderr=log,
            )
        until(self._answers, f"Mosquitto at port {self.port}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it in order: what it keeps is on disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remember_sessions(self) -> None:
        """Write the sessions to disk, so that they are there again after a kill."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)
        until((self._config.parent / "mosquitto.db").exists, "the sessions on disk")

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((self._address, self.port), 1):
            return True
        return False


class Subscriber:
    """A subscriber with a session that the broker keeps; it notes messages as they arrive."""

    def __init__(
        self, port: int, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5
    ) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self._ready = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, f"subscriber-{time.monotonic_ns()}", protocol=version
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda client, userdata, message: self.messages.append(message)
        self._client.reconnect_delay_set(1, 1)
        keep = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        keep.SessionExpiryInterval = 600
        if version is MQTTProtocolVersion.MQTTv5:
            self._client.connect("127.0.0.1", port, clean_start=False, properties=keep)
        else:
            self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(DEADLINE_S), "the subscription was not answered"

    def payloads(self, name: str) -> list[bytes]:
        """Return the payloads so far on the topics that end with `name`."""
        return [bytes(m.payload) for m in self.messages if m.topic.endswith(f"/{name}")]

    @property
    def sequences(self) -> list[int]:
        """Those of the violations so far, as they came."""
        return [json.loads(payload)["sequence"] for payload in self.payloads("violation")]

    @property
    def states(self) -> list[str]:
        """The availabilities so far."""
        return [json.loads(payload)["state"] for payload in self.payloads("availability")]

    def _on_connect(
        self, client: paho.Client, userdata: object, flags: paho.ConnectFlags, *rest: object
    ) -> None:
        if not flags.session_present:  # else the retained states would come again
            client.subscribe("tensormask/#", qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def find_mosquitto() -> str | None:
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.fixture(scope="session")
def mosquitto_program() -> str:
    program = find_mosquitto()
    if program is None:
        lacking("no mosquitto", "sudo apt-get install mosquitto")
    return program


@pytest.fixture
def start_mosquitto(mosquitto_program: str, tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts one broker with the settings given, and kills it at the end of the test."""
    started: list[Mosquitto] = []

    def start(settings: str = "allow_anonymous true") -> Mosquitto:
        started.append(Mosquitto(mosquitto_program, tmp_path, settings))
        return started[-1]

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def mosquitto(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    return start_mosquitto()


@pytest.fixture
def subscribe() -> Iterator[Callable[..., Subscriber]]:
    """Opens subscribers and closes them at the end of the test."""
    opened: list[Subscriber] = []

    def open_one(*arguments: object) -> Subscriber:
        opened.append(Subscriber(*arguments))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for subscriber in opened:
        subscriber.close()


@pytest.fixture
def remembering(start_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """A broker that keeps sessions on disk, and sends subscribers all it has at once."""
    return start_mosquitto(
        "allow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
        f"persistence true\npersistence_location {tmp_path}/\nautosave_interval 0"
    )


@pytest.fixture
def witness(remembering: Mosquitto, subscribe: Callable[..., Subscriber]) -> Subscriber:
    """A subscriber whom that broker knows again after a kill."""
    subscriber = subscribe(remembering.port)
    remembering.remember_sessions()
    return subscriber


StartDevice = Callable[..., Device]


@pytest.fixture
def start_device(tmp_path: Path) -> Iterator[StartDevice]:
    """Starts devices with the settings given, in `folder` unless the test's own."""
    started: list[Device] = []

    def start(
        folder: Path = tmp_path, backoff: Backoff | None = None, **settings: object
    ) -> Device:
        broker = MqttSettings(**{**QUICK, **settings})  # type: ignore[arg-type]
        started.append(Device(folder / "outbox.sqlite", broker, backoff))
        return started[-1]

    yield start
    for device in started:
        device.close(timeout_s=1.0)


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `tests.broker.device`: a device that can be killed."""
    started: list[subprocess.Popen[str]] = []

    def start(port: int, count: int, every_s: float = 0.0) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.broker.device"]
                + [str(argument) for argument in (port, tmp_path / "o.sqlite", count, every_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def amqtt_port() -> Iterator[int]:
    """The port of an amqtt broker, in a thread of this process."""
    port = free_port()
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await broker.start()
        started.set()
        await stop.wait()
        await broker.shutdown()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(DEADLINE_S), "amqtt did not start"
    yield port
    loop.call_soon_threadsafe(stop.set)
    thread.join(DEADLINE_S)
    loop.close()


@pytest.fixture
def strict() -> Iterator[Callable[..., StrictBroker]]:
    """Starts brokers with rules, and ends them after the test."""
    started: list[StrictBroker] = []

    def start(**rules: Any) -> StrictBroker:
        started.append(StrictBroker(Rules(**rules)))
        return started[-1]

    yield start
    for broker in started:
        broker.close()
