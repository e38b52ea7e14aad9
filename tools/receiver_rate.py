# ruff: noqa: T201 - a command line module
"""How much the receiver stores: `python -m tools.receiver_rate`.

A real Mosquitto and a real PostgreSQL that writes through to the disk, all on this machine. First
the messages of a thousand devices in an hour of rush are queued at the broker for the receiver;
then it gets a rush hour live: their violations and counts, as `make fleet` has them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.receiver.session import LASTING
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
from tests.broker.conftest import Mosquitto, find_mosquitto, until
from tests.broker.samples import ORIGIN, a_violation
from tests.deploy.postgres import Postgres
from tools.fleet.simulation import cpu_s, rss_mb

DEVICES = 1000
BURST = 80
"""Messages of each device: an hour of rush."""
RUSH_S = 20
COUNTS_PER_S, VIOLATIONS_PER_S = 100, 22


class ReceiverProcess:
    def __init__(self, broker: Mosquitto, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.receiver", f"127.0.0.1:{broker.port}"],
            env={**os.environ, **environment},
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def documents(count: int, first: int) -> list[tuple[str, bytes]]:
    """Return this many messages of the thousand devices in turn."""
    made = []
    for number in range(first, first + count):
        name, sequence = f"box-{number % DEVICES:05}", number // DEVICES + 1
        now = datetime.now(UTC)
        violation = replace(a_violation(number), started_at=now, confirmed_at=now)
        origin = Origin(name, ORIGIN.site, ORIGIN.zone, ORIGIN.model)
        payload = encode(violation_message(origin, violation, sequence, True))
        made.append((topic("tensormask", name, VIOLATION), payload))
    return made


def counts(number: int) -> tuple[str, bytes]:
    name = f"box-{number % DEVICES:05}"
    origin = Origin(name, ORIGIN.site, ORIGIN.zone, ORIGIN.model)
    tally = ComplianceCounter(0.0).totals(0.0)
    payload = encode(compliance_message(origin, tally, datetime.now(UTC), True, "run"))
    return topic("tensormask", name, COMPLIANCE), payload


@contextmanager
def publisher(port: int) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def rows(database: Any) -> int:
    count: int = database.execute("SELECT count(*) FROM violation").fetchone()[0]
    return count


def burst(database: Any, broker: Mosquitto, environment: dict[str, str]) -> ReceiverProcess:
    """Leave a session at the broker, fill it, and come back."""
    receiver = ReceiverProcess(broker, environment)
    until(
        lambda: broker.log_count("SUBACK to tensormask-receiver") == len(LASTING) + 1, "the session"
    )
    receiver.kill()
    with publisher(broker.port) as client:
        sent = [client.publish(*each, qos=1) for each in documents(DEVICES * BURST, 0)]
        for each in sent:
            each.wait_for_publish()
    receiver = ReceiverProcess(broker, environment)
    until(lambda: rows(database), "the first row")
    begun_s, already = time.monotonic(), rows(database)
    until(lambda: rows(database) == DEVICES * BURST, "all rows", 300)
    took_s = time.monotonic() - begun_s
    rate = (DEVICES * BURST - already) / took_s
    print(f"{DEVICES * BURST} queued messages: {took_s:.0f} s, {rate:.0f} a second")
    begun_s = time.monotonic()
    database.execute("SELECT * FROM gap").fetchall()
    print(f"the view gap of them: {time.monotonic() - begun_s:.2f} s")
    return receiver


def rush(database: Any, broker: Mosquitto, receiver: ReceiverProcess) -> None:
    pid = receiver.process.pid
    used_s, first = cpu_s(pid), DEVICES * BURST
    each = COUNTS_PER_S + VIOLATIONS_PER_S
    with publisher(broker.port) as client:
        begun_s = time.monotonic()
        for number in range(RUSH_S * each):
            time.sleep(max(0.0, begun_s + number / each - time.monotonic()))
            if number % each < VIOLATIONS_PER_S:
                client.publish(*documents(1, first)[0], qos=1)
                first += 1
            else:
                client.publish(*counts(number), qos=1, retain=True)
    until(lambda: rows(database) == first, "all rows")
    used_s = cpu_s(pid) - used_s
    late: Sequence[float] = [
        row[0]
        for row in database.execute(
            "SELECT extract(epoch FROM received_at - confirmed_at)::float FROM violation "
            "ORDER BY arrival DESC LIMIT %s",
            (RUSH_S * VIOLATIONS_PER_S,),
        )
    ]
    p50, p99 = (1000 * nearest_rank(late, share) for share in (0.5, 0.99))
    print(
        f"rush hour, {each} messages/s: p50 {p50:.0f} ms, p99 {p99:.0f} ms until it is being "
        f"stored, {100 * used_s / RUSH_S:.0f} % of a core, {rss_mb(pid):.0f} MB"
    )


def main() -> None:
    program = find_mosquitto() or sys.exit("sudo apt-get install mosquitto")
    postgres = Postgres()
    with tempfile.TemporaryDirectory() as folder:
        database = postgres.create("rate")
        broker = Mosquitto(
            program, Path(folder), "allow_anonymous true\nmax_queued_messages 0\nlog_type all"
        )
        receiver = burst(database, broker, postgres.environment("rate"))
        rush(database, broker, receiver)
        receiver.kill()
        broker.kill()
        postgres.close()


if __name__ == "__main__":
    main()
