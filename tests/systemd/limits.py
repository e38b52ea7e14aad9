"""The limits that a machine's simple boot does not enforce: `make systemd-test`.

Here systemd gets controllers for memory and processes, and the unit as it is installed is made to
run what tries to break out of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.systemd.conftest import installed
from tests.systemd.machine import Machine, wait_until
from tests.waiting import DEADLINE_S

UNIT = "tensormask.service"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/broken.conf"
ATTEMPT = "/srv/attempt.py"
EAT = """
eaten = []
while len(eaten) < 64:
    eaten.append(bytearray(b"x") * 2**24)
    print(f"ate {16 * len(eaten)} MB", flush=True)
"""
MULTIPLY = """
import threading
stop = threading.Event()
count = 1
try:
    while count < 1000:
        threading.Thread(target=stop.wait, daemon=True).start()
        count += 1
except RuntimeError:
    print(f"stopped at {count} threads", flush=True)
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with installed(tmp_path_factory, limits=True) as machine:
        yield machine


@pytest.fixture
def attempt(strict: Machine) -> Iterator[Machine]:
    """The machine with the unit running `ATTEMPT`, once, in the daemon's place."""
    strict.run("systemctl", "stop", UNIT)
    strict.write(
        DROP_IN,
        "[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\n"
        f"ExecStart=/usr/bin/python3 {ATTEMPT}\n",
    )
    yield strict
    strict.run("rm", DROP_IN)
    strict.run("systemctl", "daemon-reload")
    strict.run("systemctl", "reset-failed", UNIT, check=False)


def run(machine: Machine, program: str) -> str:
    """Run `program` in the unit; return its result, as systemd calls it."""
    machine.write(ATTEMPT, program)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", UNIT, check=False)
    return show(machine, "Result")


def show(machine: Machine, name: str) -> str:
    return machine.output("systemctl", "show", "--value", "--property", name, UNIT)


def said(machine: Machine) -> str:
    invocation = show(machine, "InvocationID")
    return machine.output("journalctl", "--output=cat", f"_SYSTEMD_INVOCATION_ID={invocation}")


def test_who_takes_too_much_memory_is_ended_and_the_machine_lives(attempt: Machine) -> None:
    assert run(attempt, EAT) in {"oom-kill", "signal"}
    assert "ate 400 MB" in said(attempt)
    assert "ate 528 MB" not in said(attempt)
    assert attempt.output("systemctl", "is-active", "mosquitto.service") == "active"


def test_there_are_not_more_threads_than_allowed(attempt: Machine) -> None:
    assert run(attempt, MULTIPLY) == "success"
    assert "stopped at 128 threads" in said(attempt)


def test_the_daemon_lives_within_its_limits(strict: Machine) -> None:
    strict.write(
        "/etc/tensormask/tensormask.toml",
        '[mqtt]\nhost = "localhost"\n[camera]\nsource = "/srv/clip.avi"\nloop = true\n',
    )
    strict.run("systemctl", "restart", UNIT)
    wait_until(lambda: "camera running" in show(strict, "StatusText"), DEADLINE_S, "frames")
    assert 50e6 < int(show(strict, "MemoryCurrent")) < 300e6
    assert 1 < int(show(strict, "TasksCurrent")) < 64
