"""deploy/install.sh on a machine that already has TensorMask: killed, refused, reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.test_venv import KILLED_AT
from tests.systemd.conftest import SOURCES, installed
from tests.systemd.machine import Machine

UNIT = "tensormask.service"
INSTALL = f"{SOURCES}/deploy/install.sh"
SETTINGS = "/etc/tensormask/tensormask.toml"
GOOD_SETTINGS = """
[mqtt]
host = "localhost"
[camera]
source = "/srv/clip.avi"
loop = true
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One of our own: others take the program away, or leave another one."""
    with installed(tmp_path_factory) as machine:
        yield machine


@pytest.fixture
def upgraded(machine: Machine) -> Machine:
    """The machine with the service running, its sources changed, and no way to the registry."""
    machine.write(SETTINGS, GOOD_SETTINGS)
    machine.run("systemctl", "reset-failed", UNIT, check=False)
    machine.run("systemctl", "restart", UNIT)
    machine.run("sh", "-ec", f"echo '# changed' >>{SOURCES}/edge/clock.py")
    return machine


def _active(machine: Machine) -> str:
    return machine.output("systemctl", "is-active", UNIT)


def _releases(machine: Machine) -> set[str]:
    return {*machine.output("ls", "-A", "/opt/tensormask/releases").split()}


# So many installations take minutes on a busy machine.
@pytest.mark.timeout(1200)
@pytest.mark.thorough
@pytest.mark.parametrize("every", [83, 23])
def test_killed_at_any_step_it_leaves_a_program_that_starts(upgraded: Machine, every: int) -> None:
    upgraded.write("/srv/killer", KILLED_AT)
    before, ended = _releases(upgraded), 0
    for kill_at in range(20, 500, every):
        kill = ("env", "BASH_ENV=/srv/killer", f"KILL_AT={kill_at}")
        answer = upgraded.run(*kill, INSTALL, check=False)
        upgraded.run("systemctl", "restart", UNIT)
        assert upgraded.run("tensormask", "--version").stdout.startswith("tensormask ")
        assert _active(upgraded) == "active"
        ended += 1
        if answer.returncode == 0:
            break
    assert answer.returncode == 0
    assert ended > 120 / every
    assert upgraded.output("ls", "/opt/tensormask").split() == ["current", "releases", "watcher"]
    new = upgraded.output("readlink", "-f", "/opt/tensormask/current").rpartition("/")[2]
    assert _releases(upgraded) == before | {new} > before


def test_settings_that_the_new_version_refuses_leave_the_old_one_running(upgraded: Machine) -> None:
    before = upgraded.output("readlink", "/opt/tensormask/current")
    upgraded.write(SETTINGS, GOOD_SETTINGS.replace("loop", "lopp"))
    answer = upgraded.run(INSTALL, check=False)
    assert answer.returncode == 1
    assert "did you mean loop?" in answer.stdout
    assert "nothing is changed, and the former release is still running" in answer.stderr
    assert upgraded.output("readlink", "/opt/tensormask/current") == before
    assert _active(upgraded) == "active"


def test_a_camera_that_is_given_is_not_written_beside_settings_that_are_refused(
    upgraded: Machine,
) -> None:
    wrong = (
        GOOD_SETTINGS.replace('source = "/srv/clip.avi"', "fps = 15.5") + '[detector]\nname = "x"\n'
    )
    upgraded.write(SETTINGS, wrong)
    before = upgraded.output("sha256sum", SETTINGS)
    answer = upgraded.run(INSTALL, "--source", "/srv/clip.avi", check=False)
    assert answer.returncode == 1
    assert "FAULT   [detector] name" in answer.stdout
    assert "nothing is changed, and the former release is still running" in answer.stderr
    assert upgraded.output("sha256sum", SETTINGS) == before
    assert ".checked" not in answer.stdout + upgraded.output("ls", "/etc/tensormask")
    assert _active(upgraded) == "active"


def test_the_check_sees_the_weights_that_the_service_sees(upgraded: Machine) -> None:
    weights = "/var/lib/tensormask/models/face_detection_yunet_2026may.onnx"
    upgraded.run("install", "-D", "-m", "644", "/etc/hostname", weights)
    upgraded.write(SETTINGS, GOOD_SETTINGS + '[detector]\nname = "yunet"\n')
    answer = upgraded.run(INSTALL, check=False)
    upgraded.run("rm", "-r", "/var/lib/tensormask/models")
    assert answer.returncode == 1
    assert f"{weights}: sha256 is" in answer.stdout


@pytest.mark.thorough
def test_where_the_folder_is_a_link_the_packages_in_use_stay(upgraded: Machine) -> None:
    upgraded.run("sh", "-ec", "mv /opt/tensormask /srv/; ln -s /srv/tensormask /opt/tensormask")
    upgraded.run(INSTALL)
    version = upgraded.output("tensormask", "--version")
    upgraded.run("sh", "-ec", "rm /opt/tensormask; mv /srv/tensormask /opt/")
    assert version.startswith("tensormask ")


@pytest.mark.thorough
def test_the_settings_of_the_former_version_are_kept_once(upgraded: Machine) -> None:
    former = upgraded.output("tensormask", "--version").removeprefix("tensormask ")
    upgraded.run("sh", "-ec", f"echo 0000000 >{SOURCES}/edge/commit")
    # Refused ones, of which nothing is kept, those of the upgrade, and those of its repetition.
    for line in ("lopp = true", "# first", "# again"):
        upgraded.write(SETTINGS, f"{GOOD_SETTINGS}{line}\n")
        upgraded.run(INSTALL, check=False)
    assert upgraded.output("tail", "-n1", f"{SETTINGS}.{former}") == "# first"


def test_it_ends_with_an_error_where_the_service_cannot_run(upgraded: Machine) -> None:
    upgraded.run("systemctl", "stop", UNIT)
    upgraded.write(SETTINGS, GOOD_SETTINGS.replace("loop", "lopp"))
    answer = upgraded.run(INSTALL, check=False)
    assert answer.returncode == 1
    assert "not started; correct what the check says" in answer.stderr


def test_without_a_broker_it_is_installed_and_says_that_it_waits_for_its_name(
    upgraded: Machine,
) -> None:
    upgraded.run("systemctl", "stop", UNIT)
    upgraded.write(SETTINGS, GOOD_SETTINGS.replace("localhost", ""))
    answer = upgraded.run(INSTALL)
    assert "not started: no broker named yet" in answer.stdout
    assert _active_or_not(upgraded) == "inactive"


def _active_or_not(machine: Machine) -> str:
    return machine.run("systemctl", "is-active", UNIT, check=False).stdout.strip()


def test_what_root_has_written_into_the_state_is_the_services(upgraded: Machine) -> None:
    outbox = "/var/lib/tensormask/outbox.sqlite"
    upgraded.run("systemctl", "stop", UNIT)
    upgraded.run("sh", "-ec", f"chown root:root {outbox}*; chmod 600 {outbox}*")
    upgraded.run("systemctl", "start", UNIT)
    assert upgraded.output("stat", "--format=%U", outbox) == "tensormask"
    this_start = upgraded.output("systemctl", "show", "-P", "InvocationID", UNIT)
    assert "outbox" not in upgraded.output(
        "journalctl", "--output=cat", "-p", "warning", f"_SYSTEMD_INVOCATION_ID={this_start}"
    )
