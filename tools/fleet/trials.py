"""What happens to a fleet's messages while a node of a clustered broker dies or hangs."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from paho.mqtt.enums import MQTTProtocolVersion

from edge.config import MqttSettings
from edge.errors import BrokerError
from edge.host.health import nearest_rank
from edge.publish.broker import BrokerAccess
from edge.publish.connection import Connection
from edge.publish.messages import AVAILABILITY, COMPLIANCE
from tests.systemd.machine import wait_until
from tools.fleet.load import Fleet, FleetDevice, Receiver, Subscriber

NAME = "cluster.example"
"""Has the addresses of all nodes."""
PORT = 1883
BEFORE_S, DOWN_S, AFTER_S = 5.0, 10.0, 10.0
HANGS_S = 45.0
"""Longer than `[mqtt] ack_timeout_s`, after which a device leaves a node."""
CONNECTED_WITHIN_S = 60.0
SETTLED_S = 90.0
COMES_WITHIN_S = 30.0
MEMORY = "/dev/shm"


class Cluster(Protocol):
    """Three nodes, known by their addresses."""

    name: str
    version: MQTTProtocolVersion
    nodes: tuple[str, ...]

    def start(self, *nodes: str) -> None: ...
    def kill(self, node: str) -> None: ...
    def hang(self, node: str) -> None: ...
    def go_on(self, node: str) -> None: ...
    def leaders(self) -> dict[str, str]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class NodeFault:
    """What happens to which node."""

    name: str
    node: Callable[[Cluster, Subscriber], str]
    hangs: bool = False
    for_good: bool = False
    """It never comes back; the subscriber, who was away when it died, does, at another node."""


@dataclass(frozen=True)
class Trial:
    """What happened to a fleet's messages."""

    accepted: int
    received: int
    repeated: int
    waiting: int
    latencies_s: list[float]
    outages_s: list[float]
    """How long each device was without a connection."""
    absences_s: list[float]
    """How long the subscriber was."""
    forgotten: int
    """How often its session was gone."""

    @property
    def lost(self) -> int:
        return self.accepted - self.received - self.waiting

    def cells(self) -> list[str]:
        late = self.latencies_s or [0.0]
        return [
            f"{self.accepted}",
            f"{self.received}",
            f"{self.lost}",
            f"{self.repeated}",
            f"{self.waiting}",
            *(f"{nearest_rank(late, share):.3g}" for share in (0.5, 0.99)),
            f"{max(late):.1f}",
            f"{len(self.outages_s)}: " + _middle_and_worst(self.outages_s),
            _middle_and_worst(self.absences_s) + (", forgotten" if self.forgotten else ""),
        ]


def together(trials: Sequence[Trial]) -> Trial:
    return Trial(
        sum(each.accepted for each in trials),
        sum(each.received for each in trials),
        sum(each.repeated for each in trials),
        sum(each.waiting for each in trials),
        [late for each in trials for late in each.latencies_s],
        [out for each in trials for out in each.outages_s],
        [out for each in trials for out in each.absences_s],
        sum(each.forgotten for each in trials),
    )


def _middle_and_worst(lasted_s: Sequence[float]) -> str:
    return f"{median(lasted_s):.1f}, {max(lasted_s):.1f}" if lasted_s else "-"


class Passers(threading.Thread):
    """People pass the fleet's devices, until that is enough; the devices' outages are noted."""

    def __init__(self, fleet: Fleet, per_h: float) -> None:
        super().__init__(name="passers")
        self.outages_s: list[float] = []
        self._fleet = fleet
        self._per_h = per_h
        self._enough = threading.Event()
        self._lost_s: dict[str, float] = {}

    def run(self) -> None:
        while not self._enough.wait(0.02):
            self._fleet.step(self._per_h)
            self._look()

    def end(self) -> None:
        self._enough.set()
        self.join()

    def _look(self) -> None:
        now_s = time.monotonic()
        for device in self._fleet.devices:
            if not device.publisher.connected:
                self._lost_s.setdefault(device.name, now_s)
            elif device.name in self._lost_s:
                self.outages_s.append(now_s - self._lost_s.pop(device.name))


class Trials:
    """A cluster that runs, and who may use it."""

    def __init__(
        self, cluster: Cluster, passwords: dict[str, str], folder: Path, per_s: float
    ) -> None:
        """`per_s` is how many violations happen a second, at all devices together."""
        self._cluster = cluster
        self._passwords = passwords
        self._folder = folder
        self._per_s = per_s
        self._boxes = [name for name in passwords if name.startswith("box-")]
        for name, password in passwords.items():
            file = folder / f"{name}.password"
            file.write_text(password)
            file.chmod(0o600)

    def settings(self, name: str, host: str = NAME) -> MqttSettings:
        password = self._folder / f"{name}.password"
        return MqttSettings(host=host, port=PORT, username=name, password_file=str(password))

    def run(self, fault: NodeFault) -> Trial:
        cluster = self._cluster
        receiver = Receiver()
        desk = f"desk-{secrets.token_hex(4)}"
        subscriber = Subscriber(
            receiver,
            PORT,
            [*cluster.nodes[1:], cluster.nodes[0]],
            cluster.version,
            desk,
            ("desk", self._passwords["desk"]),
        )
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            fleet = Fleet(range(len(self._boxes)), self.settings, Path(folder))
            fleet.start()
            wait_until(lambda: all(_connected(fleet)), CONNECTED_WITHIN_S, "all devices connect")
            passers = Passers(fleet, 3600 * self._per_s / len(fleet.devices))
            passers.start()
            time.sleep(BEFORE_S)
            node = fault.node(cluster, subscriber)
            self._disturb(fault, node, subscriber)
            time.sleep(AFTER_S)
            passers.end()
            waiting = fleet.settle(SETTLED_S)
            until_s = time.monotonic() + COMES_WITHIN_S
            while receiver.documents < fleet.accepted and time.monotonic() < until_s:
                time.sleep(0.1)
            fleet.close()
        subscriber.leave()
        if fault.for_good:
            cluster.start(node)
        self._forget(desk)
        return Trial(
            fleet.accepted,
            receiver.documents,
            receiver.repeats,
            waiting,
            [late for _, late in receiver.latencies_s],
            passers.outages_s,
            subscriber.absences_s,
            subscriber.forgotten,
        )

    def _disturb(self, fault: NodeFault, node: str, subscriber: Subscriber) -> None:
        cluster = self._cluster
        if fault.for_good:
            subscriber.leave()
            time.sleep(BEFORE_S)
            cluster.kill(node)
            subscriber.come_back()
        elif fault.hangs:
            cluster.hang(node)
            time.sleep(HANGS_S)
            cluster.go_on(node)
        else:
            cluster.kill(node)
            time.sleep(DOWN_S)
            cluster.start(node)

    def _forget(self, desk: str) -> None:
        """Have the brokers forget a session, whose queue would go on to grow."""
        connection = self._at(self._cluster.nodes[0], "desk").connect(desk)
        connection.leave(1.0)

    def _at(self, node: str, name: str) -> BrokerAccess:
        return BrokerAccess(self.settings(name, node))

    def retained(self) -> list[str]:
        """Tell which node knows the states of a device that has come by the first one."""
        lines = []
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            fleet = Fleet(range(1), self.settings, Path(folder))
            (device,) = fleet.devices
            fleet.start()
            device.tell()
            wait_until(
                lambda: device.publisher.connected, CONNECTED_WITHIN_S, "the device connects"
            )
            time.sleep(2)
            lines.append(f"a device at node 1; its states are known at: {self._known(device)}")
            node = self._cluster.nodes[0]
            self._cluster.kill(node)
            time.sleep(DOWN_S)
            lines.append(f"node 1 is dead; the device is at another one: {self._known(device)}")
            self._cluster.start(node)
            time.sleep(AFTER_S)
            lines.append(f"node 1 is back: {self._known(device)}")
            fleet.close()
        return lines

    def _known(self, device: FleetDevice) -> str:
        found = []
        for number, node in enumerate(self._cluster.nodes, 1):
            topics = [f"tensormask/{device.name}/{name}" for name in (AVAILABILITY, COMPLIANCE)]
            for what, filters in (("by name", topics), ("by wildcard", ["tensormask/#"])):
                try:
                    connection = self._at(node, "desk").connect(f"desk-{secrets.token_hex(4)}")
                except BrokerError:
                    continue
                connection.subscribe(filters)
                came = {message.topic for message in _listen(connection, 5.0) if message.retained}
                connection.leave(0.5)
                if came.issuperset(topics):
                    found.append(f"node {number} {what}")
        return ", ".join(found) or "none"

    def rules(self) -> list[str]:
        """Return what the rules allow that they should not, and the other way round."""
        wrong = []
        own, other = self._boxes[:2]
        cases = (
            (own, f"tensormask/{own}/violation", True),
            (own, f"tensormask/{other}/violation", False),
            (own, f"tensormask/{other}/command/pause", False),
            ("desk", f"tensormask/{own}/command/pause", False),
            ("operator", f"tensormask/{own}/command/pause", True),
            ("operator", f"tensormask/{own}/violation", False),
        )
        listener = self._at(self._cluster.nodes[1], "operator").connect("operator-listens")
        listener.subscribe(["tensormask/#"])
        _listen(listener, 1.0)
        for name, topic, may in cases:
            word = secrets.token_hex(8).encode()
            speaker = self._at(self._cluster.nodes[0], name).connect(_client_id(name))
            speaker.publish(topic, word)
            _listen(speaker, 0.5)
            speaker.drop()
            came = any(message.payload == word for message in _listen(listener, 1.0))
            if came != may:
                wrong.append(f"{name} {'may' if came else 'may not'} write {topic}")
        for topic, may in (
            (f"tensormask/{own}/command/+", True),
            (f"tensormask/{other}/command/+", False),
            ("tensormask/#", False),
        ):
            box = self._at(self._cluster.nodes[0], own).connect(_client_id(own))
            box.subscribe([topic])
            _listen(box, 0.5)
            word = secrets.token_hex(8).encode()
            for target in (own, other):
                listener.publish(f"tensormask/{target}/command/pause", word)
            _listen(listener, 0.5)
            came = any(message.payload == word for message in _listen(box, 1.0))
            box.drop()
            if came != may:
                wrong.append(f"{own} {'may' if came else 'may not'} read {topic}")
        listener.drop()
        return wrong


def _client_id(name: str) -> str:
    return f"tensormask-{name}" if name.startswith("box-") else f"{name}-speaks"


def _listen(connection: Connection, for_s: float) -> list[Any]:
    """Return what has come by then; the broker may have disconnected."""
    messages = []
    until_s = time.monotonic() + for_s
    try:
        while time.monotonic() < until_s:
            messages += connection.turn(0.05).messages
    except BrokerError:
        pass
    return messages


def _connected(fleet: Fleet) -> list[bool]:
    return [device.publisher.connected for device in fleet.devices]
