"""`sudo tensormask doctor` under a real systemd: its own fixes work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.systemd.machine import Machine, says_all_is_well, wait_until
from tests.systemd.test_service import GOOD_SETTINGS, SETTINGS, UNIT
from tests.waiting import DEADLINE_S

INSTALLED_UNIT = f"/usr/local/lib/systemd/system/{UNIT}"
OLD_UNIT = f"/etc/systemd/system/{UNIT}"
AT_ONCE = {
    f"cp {INSTALLED_UNIT} {OLD_UNIT}; systemctl daemon-reload": f"{OLD_UNIT} hides the installed",
    "echo {} >/var/lib/tensormask/area.json": "/var/lib/tensormask/area.json does not belong to",
    f"chown root: {SETTINGS}; chmod 600 {SETTINGS}": "Permission denied for the service's user",
    "gpasswd -d tensormask video": "tensormask is not in the group video",
    "mkdir /opt/tensormask/venv": "/opt/tensormask/venv is of an older version",
}
"""What goes wrong, and what is said of it."""


PROGRAM = "/usr/local/bin/tensormask"
NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
ONLY_ROOT_SEES = {
    '[camera]\nsource = "/home/clip.avi"': "the service does not see /home",
    '[camera]\nsource = "/srv/secret.avi"': "Permission denied",
    '[mqtt]\nusername = "x"\npassword_file = "/root/secret"': "the service does not see /root",
    '[mqtt]\nusername = "x"\npassword_file = "/srv/password"': "Permission denied",
}
"""Settings, and what is said of them."""


def _examine(machine: Machine, *options: str) -> list[dict[str, Any]]:
    """Return the faults that are reported with a fix."""
    answer = machine.run(PROGRAM, "doctor", "--json", *options, check=False)
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    assert answer.returncode == any(each["severity"] == "fault" for each in found), answer.stderr
    # The machine has the clock of the one that it runs on, which may be wrong.
    return [
        each for each in found if each["severity"] in ("fault", "hint") and each["part"] != "clock"
    ]


def _fix(machine: Machine, found: dict[str, Any]) -> None:
    """Do what it says, word for word."""
    machine.run("sh", "-ec", found["fix"].replace("sudo ", ""))


def _one(found: list[dict[str, Any]], text: str) -> dict[str, Any]:
    (fitting,) = [each for each in found if text in each["text"]]
    return fitting


def _wait_until_well(machine: Machine) -> None:
    """Give it time for the first frames and the broker."""
    try:
        wait_until(lambda: not _examine(machine), DEADLINE_S, "nothing is wrong")
    except TimeoutError:
        pytest.fail(f"still wrong: {_examine(machine)}")


def _start(machine: Machine) -> None:
    machine.write(SETTINGS, GOOD_SETTINGS)
    machine.run("systemctl", "restart", UNIT)
    _wait_until_well(machine)


def test_many_faults_are_reported_at_once_and_fixed_by_its_own_commands(machine: Machine) -> None:
    _start(machine)
    status = ("/usr/local/bin/tensormask", "status")
    # Not before it has run for a while.
    wait_until(lambda: says_all_is_well(machine.output(*status)), DEADLINE_S, "all is well")
    for breaks in AT_ONCE:
        machine.run("sh", "-ec", breaks)
    found = _examine(machine)
    for text in AT_ONCE.values():
        _one(found, text)
    assert len(found) == len(AT_ONCE), found
    for each in found:
        _fix(machine, each)
    _wait_until_well(machine)


def test_a_service_that_was_forbidden_to_start_runs_again(machine: Machine) -> None:
    _start(machine)
    machine.run("systemctl", "disable", UNIT)
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "mask", UNIT)
    _fix(machine, _one(_examine(machine), "masked: nothing may start it"))
    _wait_until_well(machine)
    machine.run("systemctl", "stop", UNIT)
    assert machine.run("/usr/local/bin/tensormask", "status", check=False).returncode == 3
    _fix(machine, _one(_examine(machine), "stopped"))
    assert machine.output("systemctl", "is-active", UNIT) == "active"


def test_settings_that_the_service_refused_are_named_beside_what_became_of_it(
    machine: Machine,
) -> None:
    _start(machine)
    machine.write(SETTINGS, GOOD_SETTINGS.replace("loop", "lopp"))
    machine.run("systemctl", "restart", UNIT, check=False)
    found = _examine(machine)
    assert "it refuses the configuration" in _one(found, "exit status 78")["text"]
    assert "did you mean loop?" in _one(found, "lopp")["text"]
    _start(machine)


@pytest.mark.parametrize("settings", ONLY_ROOT_SEES)
def test_files_that_only_root_sees_are_faults(machine: Machine, settings: str) -> None:
    _start(machine)
    machine.run("systemctl", "stop", UNIT)
    for place in ("/home/clip.avi", "/srv/secret.avi"):
        machine.run("install", "-m", "600", "/srv/clip.avi", place)
    for place in ("/root/secret", "/srv/password"):
        machine.write(place, "a password\n")
        machine.run("chmod", "600", place)
    section, _, lines = settings.partition("\n")
    text = (
        GOOD_SETTINGS.replace('source = "/srv/clip.avi"\n', "")
        if "source" in lines
        else (GOOD_SETTINGS)
    )
    machine.write(SETTINGS, text.replace(section, settings))
    said = ONLY_ROOT_SEES[settings]
    fault = _one(_examine(machine), said)
    assert fault["severity"] == "fault"
    if said == "Permission denied":
        _fix(machine, fault)
    assert not [each for each in _examine(machine, "--here") if said in each["text"]]
    assert bool([each for each in _examine(machine) if said in each["text"]]) is (
        said != "Permission denied"
    )


def test_a_service_that_is_restarted_is_not_said_to_be_stopped(machine: Machine) -> None:
    _start(machine)
    unit, drop_in = "/etc/systemd/system/slow.service", f"/etc/systemd/system/{UNIT}.d/slow.conf"
    machine.write(unit, "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 5\n")
    # It has ended, and its start waits for another unit's, as when the machine boots.
    machine.write(drop_in, "[Unit]\nWants=slow.service\nAfter=slow.service\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "--no-block", "restart", UNIT)
    said: list[str] = []
    was_away, is_back = False, False
    while not is_back and len(said) < 100:
        answer = machine.run(PROGRAM, "status", check=False)
        said.append(answer.stdout + answer.stderr)
        is_back = was_away and answer.returncode != 3
        was_away |= answer.returncode == 3
    machine.run("rm", unit, drop_in)
    machine.run("systemctl", "daemon-reload")
    assert [each for each in said if "is starting" in each], said
    assert not [each for each in said if "is not running" in each], said
    _wait_until_well(machine)


def test_a_user_who_may_not_read_the_settings_is_told_who_may(machine: Machine) -> None:
    _start(machine)
    answer = machine.run(*NOBODY, PROGRAM, "doctor", "--json", check=False)
    assert (answer.returncode, answer.stderr) == (0, ""), "that is no fault of the box"
    found = _one(json.loads(answer.stdout), SETTINGS)
    assert (found["severity"], found["fix"]) == ("unknown", "sudo tensormask doctor")
