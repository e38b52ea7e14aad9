# ruff: noqa: T201 - a command line module
"""A fleet without cameras against a real broker: `make fleet DEVICES=1000`.

Every device is the product's own publisher with its outbox and payloads, on a thread of its own;
what people do is random. First all connect at once, then come a quiet time, a rush hour,
and an outage, after which all reconnect at the same moment with the messages of an hour of rush.
The outboxes lie in memory: a thousand devices have a thousand cards, this machine has one disk.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from queue import Empty
from typing import Any

from edge.config import MqttSettings
from edge.host.health import nearest_rank
from tests.broker.conftest import Mosquitto, find_mosquitto
from tools.fleet.load import Fleet, FleetDevice, Receiver, Subscriber

QUIET_PER_H = 2.0
RUSH_PER_H = 40.0
"""Violations of one device; each is two messages."""
QUIET_S, RUSH_S, OUTAGE_S = 30.0, 60.0, 60.0
OUTAGE_STANDS_FOR_S = 3600.0
SETTLED_S = 300.0
DEVICES_OF_A_WORKER = 100


@dataclass(frozen=True)
class Control:
    """Orders to the workers, in memory that all share."""

    per_h: Synchronized[float]
    epoch: Synchronized[int]
    """Counts the times that all connect again."""
    begun_s: Synchronized[float]
    """When the present epoch began, on the machine's monotonic clock."""
    runs: Synchronized[bool]


def work(numbers: range, port: int, folder: str, control: Control, results: Any) -> None:
    """Be these devices until it is over; then say how many messages were accepted."""
    logging.disable()
    fleet = Fleet(numbers, lambda _: MqttSettings(host="127.0.0.1", port=port), Path(folder))
    fleet.start()
    seen = 0
    """The last epoch in which they were seen connected."""
    missing: list[FleetDevice] = []
    while control.runs.value:
        fleet.step(control.per_h.value)
        if seen < (epoch := control.epoch.value):
            seen, missing = epoch, fleet.devices
        still = [device for device in missing if not device.publisher.connected]
        for _ in range(len(missing) - len(still)):
            results.put(("connected", epoch, time.monotonic() - control.begun_s.value))
        missing = still
        time.sleep(0.02)
    # What has begun is ended, and what waits is delivered, before the figures are final.
    waiting = fleet.settle(SETTLED_S)
    fleet.close()
    results.put(("accepted", fleet.accepted, waiting))


class FleetPhase:
    """One part of the day: the messages received in it, and what they cost the broker."""

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
    """Run the day; return whether every message arrived."""
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
    subscriber = Subscriber(receiver, broker.port)
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
    phase = FleetPhase("all connect", broker.pid, receiver)
    say(connected(results, 1, devices))
    say(phase.line())
    for name, per_h, lasts_s in (
        ("quiet", QUIET_PER_H, QUIET_S),
        ("rush hour", RUSH_PER_H, RUSH_S),
    ):
        control.per_h.value = per_h
        phase = FleetPhase(name, broker.pid, receiver)
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
    phase = FleetPhase("back after an outage", broker.pid, receiver)
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
    while receiver.documents < wanted and time.monotonic() < until_s:
        time.sleep(0.2)
    say(phase.line())
    came = receiver.documents
    for process in processes:
        process.join()
    say(
        f"{wanted} documents of violations accepted, {came} came, {wanted - came} lost, "
        f"{receiver.repeats} came again, {waiting} still wait"
    )
    subscriber.leave()
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
