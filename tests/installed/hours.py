"""An hour that is over reaches the broker, though that was away: on the installed box."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.installed.lab.box import DEVICE, STATE, UNIT, Box
from tests.systemd.machine import wait_until

FILE = f"{STATE}/history.sqlite"
HEARD = "/run/hours.json"
_PASSED = f"""
import sqlite3, time
base = sqlite3.connect('{FILE}', timeout=10)
minute = int(time.time()) // 3600 * 60 - 300
base.execute("INSERT INTO people (minute, camera, zone, verdict, size_px, is_required, visits) "
             "VALUES (?, '', '', 'masked', 48, 1, 7)", (minute,))
base.execute("INSERT INTO watched (minute, camera, watch, clock_is_right, seconds) "
             "VALUES (?, '', 'watched', 1, 60)", (minute,))
base.commit()
print(time.strftime('%Y-%m-%dT%H:00:00.000Z', time.gmtime(60 * minute)))
"""
"""Seven people, five hours ago: nobody can wait for an hour to be over."""


@pytest.fixture(autouse=True)
def _listening(box: Box) -> Iterator[None]:
    box.empty()
    box.machine.run("systemctl", "stop", UNIT)
    box.machine.run(
        "systemd-run", "--unit=hours", "--collect", "sh", "-c",
        f"while :; do mosquitto_sub -h localhost -q 1 -c -i hours -t tensormask/{DEVICE}/hour "
        f">>{HEARD} || sleep 0.2; done",
    )  # fmt: skip
    yield
    box.machine.run("systemctl", "stop", "hours.service", check=False)
    box.machine.run("systemctl", "start", "mosquitto.service", UNIT)
    box.until_well()


def heard(box: Box) -> list[dict[str, Any]]:
    lines = box.machine.run("cat", HEARD, check=False).stdout.splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.thorough
def test_an_hour_that_is_over_is_sent_once_though_the_broker_was_away(box: Box) -> None:
    box.machine.run("systemctl", "stop", "mosquitto.service")
    hour = box.machine.output("python3", "-c", _PASSED)
    box.machine.run("systemctl", "start", "--no-block", UNIT)
    wait_until(lambda: bool(box.telemetry()), 60, "the service runs without a broker")
    box.machine.run("systemctl", "start", "mosquitto.service")
    wait_until(lambda: bool(heard(box)), 90, "the hour has come")
    (message,) = heard(box)
    assert (message["hour"], message["follows"]) == (hour, None)
    assert [(each["masked"], each["size_px"]) for each in message["people"]] == [(7, 48)]
    assert message["watched"][0]["seconds"] == 60
    box.machine.run("systemctl", "restart", UNIT)
    box.until_well()
    box.machine.run("systemctl", "restart", UNIT)  # the first one had time for another
    box.until_well()
    assert len(heard(box)) == 1
