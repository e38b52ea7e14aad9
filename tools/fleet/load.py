"""Devices without cameras, each the product's own publisher with its outbox, and a subscriber."""

from __future__ import annotations

import heapq
import json
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import MqttSettings
from edge.decide.compliance import ComplianceCounter
from edge.publish.messages import (
    COMPLIANCE,
    VIOLATION,
    Origin,
    compliance_message,
    encode,
    topic,
    violation_message,
)
from edge.publish.outbox.outbox import Outbox
from edge.publish.publisher import MqttPublisher
from edge.records import ViolationState
from tests.broker.samples import ORIGIN, a_violation

STATES_EVERY_S = 10.0
LASTED_S = 4.0
ASKS_AGAIN_S = 1
KEEPALIVE_S = 5
READY_WITHIN_S = 30.0


@dataclass(slots=True)
class FleetDevice:
    name: str
    outbox: Outbox
    publisher: MqttPublisher
    origin: Origin
    number: int = 0

    def report(self, state: ViolationState, number: int) -> None:
        now = datetime.now(UTC)
        violation = replace(
            a_violation(number, state),
            event_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name} {number}")),
            started_at=now - timedelta(seconds=1),
            confirmed_at=now,
            ended_at=now if state is ViolationState.ENDED else None,
        )
        self.outbox.append(
            topic("tensormask", self.name, VIOLATION),
            lambda sequence: encode(violation_message(self.origin, violation, sequence, True)),
        )
        self.publisher.wake()

    def tell(self) -> None:
        counts = ComplianceCounter(0.0).totals(0.0)
        message = compliance_message(self.origin, counts, datetime.now(UTC), True, "run")
        self.publisher.publish_state(COMPLIANCE, encode(message))


class Fleet:
    """Devices that people pass; the violations and their times are random."""

    def __init__(
        self, numbers: range, settings: Callable[[str], MqttSettings], folder: Path
    ) -> None:
        """`settings` are those of a device's name. Their outboxes are in `folder`."""
        self.devices = [_device(f"box-{number:05}", settings, folder) for number in numbers]
        self.accepted = 0
        """Messages that an outbox has accepted."""
        self._draw = random.Random(numbers.start)
        self._due: list[tuple[float, int, str]] = []
        for place in range(len(self.devices)):
            now_s = time.monotonic()
            self._due.append((now_s + self._draw.uniform(0, STATES_EVERY_S), place, "tell"))
            self._due.append((now_s + self._draw.uniform(0, 1), place, "draw"))
        heapq.heapify(self._due)

    def start(self) -> None:
        for device in self.devices:
            device.publisher.start()

    def step(self, per_h: float) -> None:
        """Do what is due, with this many violations an hour and device."""
        now_s = time.monotonic()
        while self._due[0][0] <= now_s:
            at_s, place, kind = heapq.heappop(self._due)
            device = self.devices[place]
            if kind == "tell":
                device.tell()
                heapq.heappush(self._due, (at_s + STATES_EVERY_S, place, "tell"))
            elif kind == "draw":
                # A draw each second: a Poisson process, whose rate may change.
                if self._draw.random() < per_h / 3600:
                    device.number += 1
                    self._report(device, ViolationState.CONFIRMED, device.number)
                    heapq.heappush(self._due, (at_s + LASTED_S, place, f"end {device.number}"))
                heapq.heappush(self._due, (at_s + 1, place, "draw"))
            else:
                self._report(device, ViolationState.ENDED, int(kind.split()[1]))

    def settle(self, within_s: float) -> int:
        """End what has begun, and deliver the queue; return how many messages are still queued."""
        for _, place, kind in sorted(self._due):
            if kind.startswith("end"):
                self._report(self.devices[place], ViolationState.ENDED, int(kind.split()[1]))
        until_s = time.monotonic() + within_s
        while self.waiting and time.monotonic() < until_s:
            time.sleep(0.1)
        return self.waiting

    def close(self) -> None:
        for device in self.devices:
            device.publisher.close(0.2)
            device.outbox.close()

    @property
    def waiting(self) -> int:
        return sum(each.outbox.state().rows for each in self.devices)

    def _report(self, device: FleetDevice, state: ViolationState, number: int) -> None:
        device.report(state, number)
        self.accepted += 1


def _device(name: str, settings: Callable[[str], MqttSettings], folder: Path) -> FleetDevice:
    origin = Origin(name, "Museum", "north entrance", ORIGIN.model)
    outbox = Outbox(folder / name / "outbox.sqlite")
    return FleetDevice(name, outbox, MqttPublisher(settings(name), origin, outbox), origin)


@dataclass(slots=True)
class Receiver:
    """What has come."""

    messages: int = 0
    latencies_s: list[tuple[float, float]] = field(default_factory=list)
    """When a violation was accepted (UTC), and how much later it was here."""
    sequences: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    repeats: int = 0

    @property
    def documents(self) -> int:
        """Those of violations, each once."""
        return sum(map(len, self.sequences.values()))

    def note(self, client: Any, userdata: Any, message: Any) -> None:
        self.messages += 1
        if not message.topic.endswith(VIOLATION):
            return
        now_s = time.time()
        content = json.loads(message.payload)
        at = content["ended_at"] or content["confirmed_at"]
        accepted_s = datetime.fromisoformat(at).timestamp()
        seen = self.sequences[content["device_id"]]
        if content["sequence"] in seen:
            self.repeats += 1
            return
        seen.add(content["sequence"])
        self.latencies_s.append((accepted_s, now_s - accepted_s))


class Subscriber:
    """Receives everything, in a session that the broker keeps, from one of its nodes.

    When that is lost it goes on at the next one.
    """

    def __init__(
        self,
        receiver: Receiver,
        port: int,
        nodes: Sequence[str] = ("127.0.0.1",),
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        name: str = "receiver",
        user: tuple[str, str] | None = None,
    ) -> None:
        """`user` is a name and a password. Begins at the first of `nodes`, and waits for it."""
        self.absences_s: list[float] = []
        """How long it was without a subscription, each time."""
        self.forgotten = 0
        """How often its session was gone."""
        self._port = port
        self._nodes = list(nodes)
        self._lost_s: float | None = None
        self._ready = threading.Event()
        v5 = version is MQTTProtocolVersion.MQTTv5
        self._version = version
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            name,
            clean_session=None if v5 else False,
            protocol=version,
        )
        if user is not None:
            self._client.username_pw_set(*user)
        self._client.on_message = receiver.note
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed()
        self._client.on_disconnect = lambda *_: self._go_on()
        self._client.on_connect_fail = lambda *_: self._go_on()
        self._client.reconnect_delay_set(ASKS_AGAIN_S, ASKS_AGAIN_S)
        self._connect(self._client.connect)
        self._client.loop_start()
        if not self._ready.wait(READY_WITHIN_S):
            raise TimeoutError(f"not subscribed within {READY_WITHIN_S:g} s at {self.node}")

    @property
    def node(self) -> str:
        """Where it is, or tries to be."""
        return self._nodes[0]

    def leave(self) -> None:
        """Disconnect; the session stays."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()

    def come_back(self) -> None:
        """Connect again, to the next node first."""
        self._client.on_disconnect = lambda *_: self._go_on()
        self._go_on()
        self._client.loop_start()

    def _connect(self, connect: Callable[..., object]) -> None:
        if self._version is not MQTTProtocolVersion.MQTTv5:
            connect(self.node, self._port, KEEPALIVE_S)
            return
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        kept.SessionExpiryInterval = 3600
        connect(self.node, self._port, KEEPALIVE_S, clean_start=False, properties=kept)

    def _on_connect(
        self,
        client: paho.Client,
        userdata: object,
        flags: paho.ConnectFlags,
        reason: Any,
        properties: object,
    ) -> None:
        if reason.is_failure:
            return
        self.forgotten += self._ready.is_set() and not flags.session_present
        client.subscribe("tensormask/#", qos=1)

    def _subscribed(self) -> None:
        self._ready.set()
        if self._lost_s is not None:
            self.absences_s.append(time.monotonic() - self._lost_s)
            self._lost_s = None

    def _go_on(self) -> None:
        if self._lost_s is None:
            self._lost_s = time.monotonic()
        self._nodes.append(self._nodes.pop(0))
        self._connect(self._client.connect_async)
