# ruff: noqa: T201 - a command line module
"""A fleet without cameras against a real broker: `make fleet DEVICES=1000`.

Every device is the product's own publisher with its outbox and payloads, on a thread of its own;
what people do is drawn at random. First all connect at once, then come a quiet time, a rush hour,
and an outage after which everybody is back at the same moment with what an hour of rush has left.
The outboxes lie in memory: a thousand devices have a thousand cards, this machine has one disk.
"""

from __future__ import annotations

import argparse
import ctypes
import heapq
import json
import logging
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from queue import Empty
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.config import MqttSettings
from edge.decide.compliance import ComplianceCounter
from edge.host.health import nearest_rank
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
from tests.broker.conftest import Mosquitto, find_mosquitto
from tests.broker.samples import ORIGIN, a_violation

STATES_EVERY_S = 10.0
"""`compliance` comes so often, and `health` a third as often."""
QUIET_PER_H = 2.0
RUSH_PER_H = 40.0
"""Violations of one device; each is two documents."""
LASTED_S = 4.0
QUIET_S, RUSH_S, OUTAGE_S = 30.0, 60.0, 60.0
OUTAGE_STANDS_FOR_S = 3600.0
SETTLED_S = 300.0
DEVICES_OF_A_WORKER = 100


@dataclass(frozen=True)
class Control:
    """What the workers are told, in memory that all share."""

    per_h: Synchronized[float]
    epoch: Synchronized[int]
    """Counts the times that all connect anew."""
    begun_s: Synchronized[float]
    """When the present epoch began, on the machine's monotonic clock."""
    runs: Synchronized[bool]


@dataclass(slots=True)
class Device:
    name: str
    outbox: Outbox
    publisher: MqttPublisher
    origin: Origin
    number: int = 0
    epoch: int = 0
    """The last in which it was seen connected."""

    def report(self, state: ViolationState, number: int) -> None:
        now = datetime.now(UTC)
        violation = replace(
            a_violation(number, state),
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
        message = compliance_message(self.origin, counts, datetime.now(UTC), True)
        self.publisher.publish_state(COMPLIANCE, encode(message))


def work(numbers: range, port: int, folder: str, control: Control, results: Any) -> None:
    """Be these devices until it is over; then say how many documents were accepted."""
    logging.disable()
    devices = [_device(number, port, Path(folder)) for number in numbers]
    draw = random.Random(numbers.start)
    due: list[tuple[float, int, str]] = []
    for place in range(len(devices)):
        heapq.heappush(due, (time.monotonic() + draw.uniform(0, STATES_EVERY_S), place, "tell"))
        heapq.heappush(due, (time.monotonic() + draw.uniform(0, 1), place, "draw"))
    for device in devices:
        device.publisher.start()
    accepted = 0
    while control.runs.value:
        now_s = time.monotonic()
        while due and due[0][0] <= now_s:
            at_s, place, kind = heapq.heappop(due)
            device = devices[place]
            if kind == "tell":
                device.tell()
                heapq.heappush(due, (at_s + STATES_EVERY_S, place, "tell"))
            elif kind == "draw":
                # A draw each second: a Poisson process, whose rate may change.
                if draw.random() < control.per_h.value / 3600:
                    device.number += 1
                    device.report(ViolationState.CONFIRMED, device.number)
                    accepted += 1
                    heapq.heappush(due, (at_s + LASTED_S, place, f"end {device.number}"))
                heapq.heappush(due, (at_s + 1, place, "draw"))
            else:
                device.report(ViolationState.ENDED, int(kind.split()[1]))
                accepted += 1
        epoch = control.epoch.value
        for device in devices:
            if device.epoch < epoch and device.publisher.connected:
                device.epoch = epoch
                results.put(("connected", epoch, time.monotonic() - control.begun_s.value))
        time.sleep(0.02)
    # What has begun is ended, and what waits is delivered, before the figures are final.
    for _, place, kind in sorted(due):
        if kind.startswith("end"):
            devices[place].report(ViolationState.ENDED, int(kind.split()[1]))
            accepted += 1
    until_s = time.monotonic() + SETTLED_S
    while time.monotonic() < until_s and any(each.outbox.state().rows for each in devices):
        time.sleep(0.1)
    waiting = sum(each.outbox.state().rows for each in devices)
    for device in devices:
        device.publisher.close(0.2)
        device.outbox.close()
    results.put(("accepted", accepted, waiting))


def _device(number: int, port: int, folder: Path) -> Device:
    name = f"box-{number:05}"
    origin = Origin(name, "Museum", "north entrance", ORIGIN.model)
    outbox = Outbox(folder / name / "outbox.sqlite")
    publisher = MqttPublisher(MqttSettings(host="127.0.0.1", port=port), origin, outbox)
    return Device(name, outbox, publisher, origin)


@dataclass(slots=True)
class Receiver:
    """A subscriber whose session the broker keeps."""

    messages: int = 0
    latencies_s: list[tuple[float, float]] = field(default_factory=list)
    """When a violation was accepted (UTC), and how much later it was here."""
    sequences: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    repeats: int = 0

    def note(self, client: Any, userdata: Any, message: Any) -> None:
        self.messages += 1
        if not message.topic.endswith(VIOLATION):
            return
        now_s = time.time()
        content = json.loads(message.payload)
        told = content["ended_at"] or content["confirmed_at"]
        accepted_s = datetime.fromisoformat(told).timestamp()
        seen = self.sequences[content["device_id"]]
        if content["sequence"] in seen:
            self.repeats += 1
            return
        seen.add(content["sequence"])
        self.latencies_s.append((accepted_s, now_s - accepted_s))


def subscribe(port: int, receiver: Receiver) -> paho.Client:
    client = paho.Client(
        CallbackAPIVersion.VERSION2, "receiver", protocol=MQTTProtocolVersion.MQTTv5
    )
    kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    kept.SessionExpiryInterval = 3600
    client.on_message = receiver.note
    client.on_connect = lambda client, *_: client.subscribe("tensormask/#", qos=1)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port, clean_start=False, properties=kept)
    client.loop_start()
    return client


class Phase:
    """One time of the day: what came in it, and what the broker took for it."""

    def __init__(self, name: str, pid: int, receiver: Receiver) -> None:
        self.name = name
        self._receiver = receiver
        self._pid = pid
        self._begun = (time.time(), receiver.messages, cpu_s(pid))

    def line(self) -> str:
        begun_s, messages, used_s = self._begun
        passed_s = time.time() - begun_s
        came = self._receiver.messages - messages
        late = [late for at_s, late in self._receiver.latencies_s if at_s >= begun_s]
        text = f"{self.name:<22} {came / passed_s:7.0f} messages/s"
        if late:
            p50, p99 = (1000 * nearest_rank(late, share) for share in (0.5, 0.99))
            text += f", end to end p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        cpu = 100 * (cpu_s(self._pid) - used_s) / passed_s
        return f"{text}; broker {rss_mb(self._pid):.0f} MB, {cpu:.0f} % of a core"


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def connected(results: Any, epoch: int, devices: int, within_s: float = 180) -> str:
    """Wait for all; say how long it took."""
    times: list[float] = []
    until_s = time.monotonic() + within_s
    while len(times) < devices and time.monotonic() < until_s:
        try:
            kind, found, after_s = results.get(timeout=1)
        except Empty:
            continue
        if kind == "connected" and found == epoch:
            times.append(after_s)
    if not times:
        return "nobody connected"
    p50, p99 = (nearest_rank(times, share) for share in (0.5, 0.99))
    last = f"p50 {p50:.1f} s, p99 {p99:.1f} s, last {max(times):.1f} s"
    return f"{len(times)} of {devices} connected: {last}"


def simulate(devices: int, workers: int, folder: Path, say: Callable[[str], None]) -> bool:
    """Run the day; return whether every document came."""
    program = find_mosquitto()
    if program is None:
        sys.exit("mosquitto is not installed: sudo apt-get install mosquitto")
    broker = Mosquitto(
        program,
        folder,
        "allow_anonymous true\nmax_connections -1\npersistence true\n"
        f"persistence_location {folder}/\nmax_queued_messages 0\nlog_type error",
    )
    receiver = Receiver()
    client = subscribe(broker.port, receiver)
    context = multiprocessing.get_context("spawn")
    control = Control(
        context.Value(ctypes.c_double, QUIET_PER_H),
        context.Value(ctypes.c_int, 1),
        context.Value(ctypes.c_double, time.monotonic()),
        context.Value(ctypes.c_bool, True),
    )
    results: Any = context.Queue()
    shares = [range(devices * n // workers, devices * (n + 1) // workers) for n in range(workers)]
    processes = [
        context.Process(target=work, args=(share, broker.port, str(folder), control, results))
        for share in shares
    ]
    for process in processes:
        process.start()
    phase = Phase("all connect", broker.pid, receiver)
    say(connected(results, 1, devices))
    say(phase.line())
    for name, per_h, lasts_s in (
        ("quiet", QUIET_PER_H, QUIET_S),
        ("rush hour", RUSH_PER_H, RUSH_S),
    ):
        control.per_h.value = per_h
        phase = Phase(name, broker.pid, receiver)
        time.sleep(lasts_s)
        say(phase.line())
    broker.stop()
    control.per_h.value = RUSH_PER_H * OUTAGE_STANDS_FOR_S / OUTAGE_S
    time.sleep(OUTAGE_S)
    control.per_h.value = RUSH_PER_H
    with control.epoch.get_lock():
        control.epoch.value = 2
        control.begun_s.value = time.monotonic()
    broker.start()
    phase = Phase("back after an outage", broker.pid, receiver)
    begun_s = time.monotonic()
    say(connected(results, 2, devices))
    time.sleep(max(0.0, RUSH_S - (time.monotonic() - begun_s)))
    control.runs.value = False
    wanted = waiting = 0
    ended = 0
    while ended < workers:
        kind, accepted, left = results.get(timeout=2 * SETTLED_S)
        if kind == "accepted":
            wanted, waiting, ended = wanted + accepted, waiting + left, ended + 1
    until_s = time.monotonic() + 60
    while sum(map(len, receiver.sequences.values())) < wanted and time.monotonic() < until_s:
        time.sleep(0.2)
    say(phase.line())
    came = sum(map(len, receiver.sequences.values()))
    for process in processes:
        process.join()
    say(
        f"{wanted} documents of violations accepted, {came} came, {wanted - came} lost, "
        f"{receiver.repeats} came again, {waiting} still wait"
    )
    client.loop_stop()
    broker.kill()
    return came == wanted


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A fleet against a real broker.")
    parser.add_argument("--devices", type=int, default=1000)
    options = parser.parse_args(arguments)
    workers = -(-options.devices // DEVICES_OF_A_WORKER)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        print(f"{options.devices} devices in {workers} processes, {os.cpu_count()} cores")
        every = simulate(
            options.devices, workers, Path(folder), lambda line: print(line, flush=True)
        )
    return 0 if every else 1


if __name__ == "__main__":
    sys.exit(main())
