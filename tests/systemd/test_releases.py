"""A release on trial under a real systemd: kept, undone, and through power cuts.

Five minutes: `make systemd-test` runs all of them, the tests as a whole one of each kind.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.systemd.conftest import installed
from tests.systemd.machine import Machine, wait_until
from tests.systemd.test_upgrade import GOOD_SETTINGS, SETTINGS

UNIT = "tensormask.service"
TRIAL_UNIT = "tensormask-trial.service"
RELEASES = "/opt/tensormask/releases"
SHORT_TRIAL = """
[release]
trial_s = 10
keep = 20
"""
PATIENCE = """
[Service]
TimeoutStartSec=8s
WatchdogSec=6s
RestartSec=3s
"""
"""Between two attempts it must stand longer than the trial takes from look to look, as it does in
the unit that is installed."""
OTHERWISE = 'case $1 in run) ;; *) exec /opt/tensormask/watcher/tensormask "$@" ;; esac\n'
READY_AND_THEN_NOTHING = (
    "import os, socket, time; "
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
    '.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"]); '
    "time.sleep(999)"
)
BAD = {
    "refuses": "exit 78",
    "lacks": "exit 72",
    "crashes": "exit 70",
    "hangs": "exec sleep infinity",
    "freezes": f"exec /usr/bin/python3 -c '{READY_AND_THEN_NOTHING}'",
}
REASONS = {
    "refuses": "it refuses the configuration (exit status 78)",
    "lacks": "a package is missing (exit status 72)",
    "crashes": "it crashed 3 times (exit-code, 70)",
    "hangs": "it hung 2 times (timeout)",
    "freezes": "it hung 2 times (watchdog)",
}


def _all_or_one(names: Iterable[str], one: str) -> list[str]:
    return list(names) if os.environ.get("ALL_TRIALS") else [one]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with installed(tmp_path_factory) as machine:
        machine.write(SETTINGS, GOOD_SETTINGS + SHORT_TRIAL)
        # In place of what all of these tests have.
        machine.write("/etc/systemd/system/tensormask.service.d/patience.conf", PATIENCE)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", UNIT)
        for name in ("good", "better"):
            machine.run("cp", "-al", _current(machine), f"{RELEASES}/{name}")
        for name, does in BAD.items():
            machine.run("cp", "-al", _current(machine), f"{RELEASES}/{name}")
            machine.run("rm", f"{RELEASES}/{name}/tensormask")
            machine.write(f"{RELEASES}/{name}/tensormask", f"#!/bin/sh\n{OTHERWISE}{does}\n")
            machine.run("chmod", "755", f"{RELEASES}/{name}/tensormask")
        yield machine


def _current(machine: Machine) -> str:
    return machine.output("readlink", "-f", "/opt/tensormask/current")


def _state(machine: Machine) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(machine.output("tensormask", "release", "--json"))
    return state


def _over(machine: Machine) -> dict[str, Any]:
    """Wait for the end of the trial; return what became of it."""
    # After a bad one the former is looked at, for three minutes at most.
    wait_until(lambda: _state(machine)["trial"] is None, 300, "the trial is over")
    last: dict[str, Any] = _state(machine)["entries"][-1]
    return last


def _wait_until_it_runs(machine: Machine) -> None:
    wait_until(
        lambda: machine.run("systemctl", "is-active", UNIT, check=False).stdout == "active\n",
        30,
        "the service runs",
    )


@pytest.mark.parametrize("name", _all_or_one(BAD, "hangs"))
def test_a_bad_release_is_undone_by_the_device(machine: Machine, name: str) -> None:
    before = _current(machine)
    machine.run("tensormask", "release", "activate", name)
    assert _current(machine) == f"{RELEASES}/{name}"
    last = _over(machine)
    assert (last["name"], last["outcome"], last["reason"]) == (name, "refused", REASONS[name])
    assert _current(machine) == before
    assert machine.output("systemctl", "is-active", UNIT) == "active"
    again = machine.run("tensormask", "release", "activate", name, check=False)
    assert again.returncode == 78
    assert "--again" in again.stderr


def test_a_good_release_is_kept_and_can_be_left(machine: Machine) -> None:
    before = _current(machine).rpartition("/")[2]
    answer = machine.run("tensormask", "release", "activate", "good")
    assert answer.stdout == "good is in use; on trial for 10 s\n"
    waited = machine.run("tensormask", "release", "wait", timeout_s=120)
    assert waited.stdout.startswith("release good: kept, well for 1")
    assert machine.output("tensormask", "release", "rollback") == f"{before} is in use"
    _wait_until_it_runs(machine)


@pytest.mark.parametrize("name", _all_or_one(["better", "refuses"], "better"))
def test_power_cuts_at_random_change_nothing_of_the_end(machine: Machine, name: str) -> None:
    before = _current(machine)
    moments = random.Random(7)
    machine.run("tensormask", "release", "activate", name, "--again")
    for _ in range(3):
        time.sleep(moments.uniform(0, 6))
        machine.cut_power()
        machine.boot()
        machine.run("systemctl", "start", "mosquitto.service")
    last = _over(machine)
    kept = name == "better"
    assert (last["name"], last["outcome"]) == (name, "kept" if kept else "refused")
    assert _current(machine) == (f"{RELEASES}/{name}" if kept else before)
    _wait_until_it_runs(machine)


def test_a_model_that_does_not_run_is_undone_too(machine: Machine) -> None:
    own = "/opt/tensormask/current/edge/classify/bundle"
    packing = ("python3", "-m", "zipfile", "-c", "/srv/model.zip")
    machine.run(*packing, f"{own}/model.tflite", f"{own}/model.json")
    sha256 = machine.output("sha256sum", "/srv/model.zip").split()[0]
    said = machine.output("tensormask", "models", "install", "/srv/model.zip", "--sha256", sha256)
    name = said.rpartition(" ")[2]
    machine.run("sh", "-ec", f"echo >>/opt/tensormask/bundles/{name}/model.tflite")
    machine.run("tensormask", "models", "activate", name)
    last = _over(machine)
    assert (last["slot"], last["name"], last["outcome"]) == ("bundle", name, "refused")
    assert last["reason"] == "its model is damaged or not what it runs (exit status 65)"
    assert _state(machine)["current"]["bundle"] == ""
    _wait_until_it_runs(machine)


def test_a_box_starts_the_release_in_use_when_the_first_one_is_gone(machine: Machine) -> None:
    first = _current(machine)
    # An administrator may do so at any time; systemctl follows links when it enables.
    machine.run("systemctl", "disable", UNIT)
    machine.run("systemctl", "enable", UNIT)
    for name in ("second", "third"):
        release = f"{RELEASES}/{name}"
        machine.run("cp", "-al", first, release)
        unit = machine.output("cat", f"{release}/systemd/{UNIT}")
        machine.run("rm", f"{release}/systemd/{UNIT}")
        marked = unit.replace("[Service]\n", f"[Service]\nEnvironment=IS={name}\n")
        machine.write(f"{release}/systemd/{UNIT}", marked)
        machine.run("tensormask", "release", "activate", name)
        machine.run("tensormask", "release", "wait", name, timeout_s=120)
    machine.run("rm", "-rf", first)
    machine.cut_power()
    machine.boot()
    _wait_until_it_runs(machine)
    assert "IS=third" in machine.output("systemctl", "show", "--property=Environment", UNIT)
    # With nothing on trial, nothing of it runs at a start of the machine.
    assert machine.output("systemctl", "show", "--property=Result", TRIAL_UNIT) == (
        "Result=exec-condition"
    )
    assert machine.output("systemctl", "is-enabled", UNIT) == "enabled"
