"""A camera that does not come back: restarted, and, where the owner allows it, rebooted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.conftest import ROOT
from tests.systemd.machine import Machine, wait_until
from tests.waiting import DEADLINE_S

UNIT = "tensormask.service"
SETTINGS = "/etc/tensormask/tensormask.toml"
LOST = """
[mqtt]
host = "localhost"
[camera]
source = "/dev/video9"
restart_after_s = 1.0
"""
DROP_IN = ROOT / "systemd" / "reboot-when-camera-lost.conf"
INSTALLED = f"/etc/systemd/system/{UNIT}.d/{DROP_IN.name}"
SIX_HOURS = "-ge 21600"


@pytest.fixture
def lost(machine: Machine) -> Iterator[Machine]:
    """The machine with a service that finds no camera, and is not started yet."""
    machine.run("systemctl", "stop", UNIT)
    machine.write(SETTINGS, LOST)
    yield machine
    machine.run("rm", "-f", INSTALLED)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "start", "mosquitto.service")


def _allow_reboots(machine: Machine, from_s: int) -> None:
    """Install the drop-in, for a machine that has been up for at least so long."""
    text = Path(DROP_IN).read_text()
    assert SIX_HOURS in text
    machine.write(INSTALLED, text.replace(SIX_HOURS, f"-ge {from_s}"))
    machine.run("systemctl", "daemon-reload")


def _restarts(machine: Machine) -> int:
    return int(machine.output("systemctl", "show", "--value", "--property", "NRestarts", UNIT))


def _journal(machine: Machine) -> str:
    return machine.output("journalctl", "--no-pager", "--unit", UNIT)


def test_without_leave_it_is_restarted_each_time(lost: Machine) -> None:
    lost.run("systemctl", "start", UNIT)
    wait_until(lambda: _restarts(lost) >= 2, DEADLINE_S, "it is started anew")
    assert "status=71" in _journal(lost)


def test_a_machine_that_was_booted_lately_is_not_rebooted(lost: Machine) -> None:
    _allow_reboots(lost, from_s=10**9)
    lost.run("systemctl", "start", UNIT)
    wait_until(lambda: _restarts(lost) >= 2, DEADLINE_S, "it is started anew")
    assert "rebooting" not in _journal(lost)


def test_neither_a_wrong_configuration_nor_a_broker_nor_a_crash_reboots(lost: Machine) -> None:
    _allow_reboots(lost, from_s=0)
    lost.write(SETTINGS, LOST.replace("source", "sauce"))
    lost.run("systemctl", "start", UNIT, check=False)
    wait_until(
        lambda: "status=78" in lost.run("systemctl", "status", UNIT, check=False).stdout,
        DEADLINE_S,
        "78",
    )
    lost.write(SETTINGS, LOST.replace("/dev/video9", "/srv/clip.avi") + "loop = true\n")
    lost.run("systemctl", "stop", "mosquitto.service")
    lost.run("systemctl", "restart", UNIT)
    before = _restarts(lost)
    lost.run("systemctl", "kill", "--signal=SEGV", UNIT)
    wait_until(lambda: _restarts(lost) == before + 1, DEADLINE_S, "it is started anew")
    lost.run("systemctl", "restart", UNIT)
    assert "rebooting" not in _journal(lost)


def test_with_leave_the_machine_reboots(lost: Machine) -> None:
    _allow_reboots(lost, from_s=0)
    # Not started at boot: once must be enough here.
    lost.run("systemctl", "disable", UNIT)
    lost.run("systemctl", "start", UNIT)
    lost.wait_for_reboot()
    assert "a restart has not helped: rebooting" in _journal(lost)
    assert lost.output("systemctl", "is-system-running") in {"running", "degraded"}
    lost.run("systemctl", "enable", UNIT)
