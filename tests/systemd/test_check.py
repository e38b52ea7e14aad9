"""`sudo tensormask check` under a real systemd: what it says is what the service meets."""

from __future__ import annotations

import pytest

from tests.systemd.machine import Machine, wait_until
from tests.systemd.test_service import GOOD_SETTINGS, PASSWORD, SETTINGS, UNIT
from tests.waiting import DEADLINE_S


def check(machine: Machine, *options: str) -> tuple[int, str]:
    done = machine.run("/usr/local/bin/tensormask", "check", *options, check=False)
    return done.returncode, done.stdout + done.stderr


def write(machine: Machine, settings: str) -> None:
    """Have the settings, as the installer leaves them."""
    machine.write(SETTINGS, settings)
    machine.run("systemctl", "stop", UNIT)


def test_it_says_for_whom_it_looks_and_all_is_well(machine: Machine) -> None:
    write(machine, GOOD_SETTINGS)
    status, said = check(machine)
    lines = said.splitlines()
    assert lines[0].startswith("as tensormask.service sees it")
    assert [line.split()[:2] for line in lines[1:]] == [
        [part, "ok"] for part in ("configuration", "model", "detector", "camera", "broker")
    ]
    assert status == 0


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/home/somebody/clip.avi", "the service does not see /home: "),
        ("/tmp/clip.avi", "the service does not see /tmp: "),
        ("/srv/secret.avi", "camera         FAULT  "),
    ],
)
def test_a_clip_that_only_root_sees_is_refused(machine: Machine, place: str, reason: str) -> None:
    machine.run("install", "-D", "-m", "600", "/srv/clip.avi", place)
    if not place.startswith("/srv"):
        machine.run("chmod", "a+r", place)
    write(machine, GOOD_SETTINGS.replace("/srv/clip.avi", place))
    status, said = check(machine, "--only", "camera")
    assert (status, reason in said) == (78, True), said
    # Root itself sees it.
    status, said = check(machine, "--only", "camera", "--here")
    assert (status, "camera         ok" in said) == (0, True), said


def test_a_password_file_that_only_root_reads_is_refused(machine: Machine) -> None:
    machine.write("/etc/tensormask/password", f"{PASSWORD}\n")
    machine.run("chmod", "600", "/etc/tensormask/password")
    account = 'username = "door-1"\npassword_file = "/etc/tensormask/password"\n[device]'
    write(machine, GOOD_SETTINGS.replace("[device]", account))
    status, said = check(machine, "--only", "broker")
    assert (status, "broker         FAULT  " in said) == (78, True), said
    assert PASSWORD not in said


def test_a_credential_of_the_service_is_used(machine: Machine) -> None:
    machine.run("mkdir", "-p", "/etc/credstore")
    machine.write("/etc/credstore/mqtt-password", f"{PASSWORD}\n")
    path = f"/etc/systemd/system/{UNIT}.d/credential.conf"
    load = "[Service]\nLoadCredential=mqtt-password:/etc/credstore/mqtt-password\n"
    machine.write(path, load)
    machine.run("systemctl", "daemon-reload")
    account = 'username = "door-1"\npassword_file = "credential:mqtt-password"\n[device]'
    write(machine, GOOD_SETTINGS.replace("[device]", account))
    status, said = check(machine, "--only", "broker")
    assert (status, "broker         ok" in said) == (0, True), said
    status, said = check(machine, "--only", "broker", "--here")
    assert (status, "broker         unknown" in said) == (0, True), said
    machine.run("rm", path)
    machine.run("systemctl", "daemon-reload")


def test_the_running_service_keeps_its_files(machine: Machine) -> None:
    write(machine, GOOD_SETTINGS)
    machine.run("systemctl", "start", UNIT)
    running = machine.output("systemctl", "show", "--value", "--property=MainPID", UNIT)
    status, said = check(machine)
    assert status == 0, said
    assert "broker         ok      in use by the running service: connected to" in said
    assert machine.output("systemctl", "show", "--value", "--property=MainPID", UNIT) == running
    wait_until(
        lambda: (
            "camera running"
            in machine.output("systemctl", "show", "--value", "--property=StatusText", UNIT)
        ),
        DEADLINE_S,
        "it goes on",
    )
