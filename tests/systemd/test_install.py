"""deploy/install.sh and uninstall.sh on a machine that has never had TensorMask, in people's hands.

One download: the release of the first test is kept beside, and is there already for the others.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.test_venv import KILLED_AT
from tests.deploy.wheels import digest, write_wheel
from tests.needs import lacking
from tests.systemd.conftest import INSTALLED_FROM, ROOT, write_clip
from tests.systemd.machine import Machine, wait_until

UNIT = "tensormask.service"
SETTINGS = "/etc/tensormask/tensormask.toml"
STICK = "/mnt/Zoë's stick/tensormask"
SOURCES = "/usr/src/tensormask"
INSTALL = f"{SOURCES}/deploy/install.sh"
UNINSTALL = f"{SOURCES}/deploy/uninstall.sh"
PASSWORD = "Xyzzy-plugh-42"
PATIENCE_S = 300.0
"""An installation may take so long on a busy machine."""
# As from a stick that somebody has pulled from another machine, by a shell that leads elsewhere.
FROM_A_STICK = f"""
umask 077
cd "{STICK}"
find . -exec touch --date=2040-01-01 {{}} +
find . -type f -exec chmod 600 {{}} +
find . -type d -exec chmod 700 {{}} +
mount --bind . . && mount -o remount,ro,bind . && cd .
mount -t tmpfs -o noexec,size=5m tmpfs /tmp
export PYTHONPATH=/nowhere PYTHONHOME=/nowhere VIRTUAL_ENV=/nowhere PIP_TARGET=/nowhere PIP_USER=1
export PIP_NO_BINARY=:all: GIT_DIR=/nowhere CDPATH=/srv TAR_OPTIONS=--exclude=edge LANG=C
unset HOME
PATH=/usr/bin:/bin bash deploy/install.sh
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, str, str]]:
    """A booted machine with the sources and a broker, and what the first installation said."""
    if os.geteuid() != 0:
        lacking("no systemd can be booted without root", "sudo make systemd-test")
    if shutil.which("systemd-nspawn") is None:
        lacking("no systemd-nspawn", "sudo apt-get install systemd-container")
    folder = tmp_path_factory.mktemp("machine")
    clip = folder.with_suffix(".avi")
    write_clip(clip)
    with Machine(folder, f"tensormask-{os.getpid()}-first") as machine:
        for part in INSTALLED_FROM:
            machine.copy(ROOT / part, f"{SOURCES}/{part}")
            machine.copy(ROOT / part, f"{STICK}/{part}")
        machine.copy(clip, "/srv/clip.avi")
        machine.write("/srv/from-a-stick", FROM_A_STICK)
        answer = machine.install("bash", "/srv/from-a-stick")
        machine.boot()
        machine.run("systemctl", "start", "mosquitto.service")
        machine.run("cp", "-al", "/opt/tensormask/releases", "/srv/releases")
        yield machine, answer.stdout, answer.stderr


@pytest.fixture
def machine(first: tuple[Machine, str, str]) -> Machine:
    """The machine without TensorMask, but for the packages, which take a download."""
    machine, _, _ = first
    _restore(machine)
    return machine


def _restore(machine: Machine) -> None:
    machine.run(UNINSTALL, "--purge")
    machine.run("sh", "-ec", "mkdir /opt/tensormask; cp -al /srv/releases /opt/tensormask/")


def _runs(machine: Machine) -> bool:
    """Wait for it: its start takes as long as the machine lets it."""
    state = ("systemctl", "is-active", UNIT)
    wait_until(lambda: machine.run(*state, check=False).stdout == "active\n", 60, "it runs")
    return True


def _installed(machine: Machine, *options: str) -> tuple[int, str, str]:
    answer = machine.run(INSTALL, *options, check=False, timeout_s=PATIENCE_S)
    return answer.returncode, answer.stdout, answer.stderr


def test_a_first_installation_says_what_it_does_and_nothing_else(
    first: tuple[Machine, str, str],
) -> None:
    machine, said, complained = first
    assert complained == ""
    release = machine.output("ls", "/srv/releases")
    assert said.splitlines() == [
        f"== making the release {release} in /opt/tensormask",
        "== installing the packages of requirements-pi.txt: this takes minutes",
        "== installed, not started: no broker and no camera named yet; next: "
        f"sudo {STICK}/deploy/install.sh --broker HOST --source CAMERA",
    ]


def test_what_comes_from_a_stick_anybody_may_run_and_read(
    first: tuple[Machine, str, str],
) -> None:
    machine, _, _ = first
    # With the caller's Python led elsewhere, too.
    as_nobody = ("runuser", "-u", "nobody", "--", "env", "PYTHONHOME=/nowhere", "PYTHONPATH=/srv")
    answer = machine.output(*as_nobody, "/usr/bin/env", "sh", "-c", "cd /; tensormask --version")
    assert answer.startswith("tensormask ")
    places = ("/opt/tensormask", "/usr/local/bin/tensormask", "/usr/local/lib/systemd")
    assert machine.output("find", *places, "!", "-type", "l", "!", "-perm", "-o+r") == ""
    scripts = "/srv/releases/*/deploy/*.sh"
    assert machine.output("sh", "-c", f"find {scripts} ! -perm 755") == ""


def test_a_named_clip_is_watched_over_and_over(machine: Machine) -> None:
    from_there = f"cd /srv; {INSTALL} --broker=localhost --source clip.avi"
    said = machine.run("sh", "-ec", from_there, timeout_s=PATIENCE_S)
    assert said.stderr == ""
    assert said.stdout.splitlines()[-1].startswith("== running; see: ")
    assert "as you see it" not in said.stdout, "that is for somebody without sudo"
    assert _runs(machine)
    written = machine.output("grep", "-E", "^(host|source|loop) ", SETTINGS)
    assert written == 'host = "localhost"\nsource = "/srv/clip.avi"\nloop = true'
    again = machine.run(INSTALL, "--broker", "localhost", "--source", "/srv/clip.avi")
    assert "running, and nothing has changed" in again.stdout


def test_a_cameras_password_is_in_the_settings_and_nowhere_else(machine: Machine) -> None:
    # Nothing listens there: a camera that is away is waited for.
    source = f"rtsp://door:{PASSWORD}@127.0.0.1:8554/stream1"
    status, said, complained = _installed(machine, "--broker", "localhost", "--source", source)
    assert (status, complained) == (0, "")
    assert "camera         FAULT  " in said
    assert PASSWORD not in said
    found = machine.output(
        "grep", "-rl", PASSWORD, "/etc", "/opt/tensormask", "/var/lib/tensormask"
    )
    assert found == SETTINGS
    assert machine.output("stat", "--format=%a %U:%G", SETTINGS) == "640 root:tensormask"


def test_on_a_terminal_it_asks_for_what_is_not_named(machine: Machine) -> None:
    typed = "/dev/vidoe0\\n/srv/clip.avi\\nmqtt://localhost\\nlocalhost\\n"
    on_a_terminal = f"printf '{typed}' | script --quiet --return --command '{INSTALL}' /dev/null"
    said = machine.run("sh", "-ec", on_a_terminal, timeout_s=PATIENCE_S).stdout
    assert "Which camera? None is connected to this machine." in said
    assert "there is no /dev/vidoe0; the cameras of this machine: none" in said
    assert "without mqtt:// before it" in said
    assert "== running" in said
    assert _runs(machine)


def test_an_empty_answer_is_for_later(machine: Machine) -> None:
    on_a_terminal = f"printf '\\n\\n' | script --quiet --return --command '{INSTALL}' /dev/null"
    said = machine.run("sh", "-ec", on_a_terminal, timeout_s=PATIENCE_S).stdout
    assert "installed, not started: no broker and no camera named yet" in said
    # What is needed before a start, said by whatever is asked.
    named = "sudo deploy/install.sh --broker HOST"
    assert named in machine.run("tensormask", "status", check=False).stderr
    assert machine.run("systemctl", "start", UNIT, check=False).returncode != 0
    assert named in machine.output("journalctl", "--no-pager", "--unit", UNIT, "--lines=20")
    machine.run("systemctl", "reset-failed", UNIT)
    visitor = ("runuser", "-u", "nobody", "--", "tensormask", "status")
    assert "see what it lacks: sudo tensormask check" in machine.run(*visitor, check=False).stderr
    # The one is given by an option, and the other still lacks.
    status, said, complained = _installed(machine, "--broker", "localhost")
    assert (status, complained) == (0, "")
    assert re.search(r"no camera named yet; next: sudo .*install.sh --source CAMERA$", said)


@pytest.mark.parametrize(
    "reason", ["CI=1", pytest.param("DEBIAN_FRONTEND=noninteractive", marks=pytest.mark.thorough)]
)
def test_nobody_is_asked_where_nobody_is(machine: Machine, reason: str) -> None:
    on_a_terminal = f"script --quiet --return --command 'env {reason} {INSTALL}' /dev/null"
    said = machine.run("sh", "-ec", f"{on_a_terminal} </dev/null", timeout_s=PATIENCE_S).stdout
    assert "Which" not in said
    assert "installed, not started" in said


def test_one_that_is_under_way_is_waited_for_and_not_disturbed(machine: Machine) -> None:
    held = "exec 8>/run/tensormask-install.lock; flock 8; "
    for script in (INSTALL, UNINSTALL):
        answer = machine.run("sh", "-ec", f"{held}{script}", check=False)
        assert answer.returncode == 1
        assert "another install.sh or uninstall.sh is running; wait" in answer.stderr


@pytest.mark.parametrize(
    ("program", "prints", "refused"),
    [
        ("dpkg", "armhf", "this system is 32-bit (armhf)"),
        pytest.param(
            *("dpkg", "riscv64", "there are no packages for riscv64"), marks=pytest.mark.thorough
        ),
    ],
)
def test_a_system_without_packages_is_reported_so_before_anything_is_done(
    machine: Machine, program: str, prints: str, refused: str
) -> None:
    machine.write(f"/usr/local/bin/{program}", f"#!/bin/sh\necho {prints}\n")
    machine.run("chmod", "755", f"/usr/local/bin/{program}")
    status, said, complained = _installed(machine)
    machine.run("rm", f"/usr/local/bin/{program}")
    assert (status, said) == (1, "")
    assert refused in complained
    assert len(complained.splitlines()) == 1


@pytest.mark.parametrize(
    ("missing", "refused"),
    [
        ("apt-get", "neither Raspberry Pi OS nor Debian"),
        pytest.param(*("systemd-sysusers", "there is no systemd here"), marks=pytest.mark.thorough),
    ],
)
def test_a_system_of_another_kind_is_refused(machine: Machine, missing: str, refused: str) -> None:
    machine.run("mv", f"/usr/bin/{missing}", "/srv/")
    status, said, complained = _installed(machine)
    machine.run("mv", f"/srv/{missing}", "/usr/bin/")
    assert (status, said) == (1, "")
    assert refused in complained


def test_a_small_disk_is_reported_before_anything_is_fetched(machine: Machine) -> None:
    machine.run("mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", "/opt")
    status, _, complained = _installed(machine)
    left = machine.output("find", "/opt/tensormask/releases", "-mindepth", "1")
    machine.run("umount", "/opt")
    assert status == 1
    assert re.search(
        r"the packages need 650 MB in /opt, where \d+ MB are free; make room", complained
    )
    assert left == ""


def test_a_disk_that_fills_on_the_way_is_named_and_nothing_stays(
    machine: Machine, tmp_path: Path
) -> None:
    wheel = write_wheel(tmp_path, "tmx", "1.0", os.urandom(30_000_000))
    machine.copy(wheel, f"/srv/{wheel.name}")
    machine.write("/srv/list.txt", f"/srv/{wheel.name} --hash=sha256:{digest(wheel)}\n")
    machine.run("mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", "/mnt")
    making = (f"{SOURCES}/deploy/venv.sh", "/mnt/venv", "/srv/list.txt")
    try:
        answer = machine.run(*making, check=False, timeout_s=PATIENCE_S)
        left = machine.output("ls", "-A", "/mnt")
    finally:
        machine.run("umount", "--lazy", "/mnt")
    assert answer.returncode == 1
    assert "installing the Python packages failed: the disk is full" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert left == ""


def _left(machine: Machine) -> str:
    """Return what is left of it but for the sources, and what systemd still knows of."""
    places = ("/etc", "/opt", "/usr/local", "/var/lib", "/run")
    found = machine.output("find", *places, "-name", "*tensormask*", "!", "-name", "*.lock")
    known = machine.output("systemctl", "list-units", "--all", "--plain", "--no-legend", "tensorm*")
    users = machine.run("sh", "-c", "getent passwd tensormask; getent group tensormask || :").stdout
    return found + known + users


# So many installations take minutes on a busy machine.
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("every", [97, pytest.param(29, marks=pytest.mark.thorough)])
def test_whatever_an_installation_was_cut_off_at_is_removed_wholly(
    machine: Machine, every: int
) -> None:
    machine.write("/srv/killer", KILLED_AT)
    cut_off = 0
    for kill_at in range(60, 500, every):
        killed = ("env", "BASH_ENV=/srv/killer", f"KILL_AT={kill_at}")
        done = machine.run(*killed, INSTALL, check=False, timeout_s=PATIENCE_S).returncode == 0
        # The removal too is cut off, and done again.
        machine.run(*killed[:2], f"KILL_AT={kill_at // 3}", UNINSTALL, "--purge", check=False)
        machine.run(UNINSTALL, "--purge")
        assert _left(machine) == "", f"cut off at command {kill_at}"
        _restore(machine)
        cut_off += 1
        if done:
            break
    assert done
    assert cut_off > 150 / every
    assert _installed(machine, "--broker", "localhost", "--source", "/srv/clip.avi")[0] == 0
    assert _runs(machine)


def test_masked_failed_and_overridden_units_leave_no_trace(machine: Machine) -> None:
    assert _installed(machine)[0] == 0
    machine.run("systemctl", "start", UNIT, check=False)  # no broker: it fails
    machine.write(f"/etc/systemd/system/{UNIT}.d/own.conf", "[Service]\nNice=1\n")
    machine.run("systemctl", "add-requires", "graphical.target", UNIT)
    machine.run("systemctl", "mask", UNIT)
    machine.run(UNINSTALL, "--purge")
    assert _left(machine) == ""


def test_where_it_was_never_installed_there_is_nothing_to_remove(machine: Machine) -> None:
    machine.run(UNINSTALL, "--purge")
    for options in ([], ["--purge"]):
        said = machine.run(UNINSTALL, *options)
        assert (said.stdout, said.stderr) == ("== TensorMask is not installed here\n", "")
    machine.write(SETTINGS, "# mine\n")
    kept = machine.run(UNINSTALL).stdout
    assert kept == (
        "== TensorMask is not installed here; kept (--purge removes it): /etc/tensormask\n"
    )
    assert _left(machine) != ""
    removed = machine.run(UNINSTALL, "--purge").stdout
    assert removed == "== TensorMask is removed, with its settings and its state\n"
    assert _left(machine) == ""


def test_without_purge_the_settings_serve_the_next_installation(machine: Machine) -> None:
    _installed(machine, "--broker", "localhost", "--source", "/srv/clip.avi")
    machine.run(UNINSTALL)
    machine.run("sh", "-ec", "mkdir /opt/tensormask; cp -al /srv/releases /opt/tensormask/")
    status, said, complained = _installed(machine)
    assert (status, complained) == (0, "")
    assert said.splitlines()[-1].startswith("== running; see: ")
    assert _runs(machine)


@pytest.mark.thorough
def test_a_camera_that_was_mistyped_is_corrected_by_the_same_command(machine: Machine) -> None:
    _installed(machine, "--broker", "localhost", "--source", "/dev/video7")
    status, said, complained = _installed(
        machine, "--broker", "localhost", "--source", "/srv/clip.avi"
    )
    assert status == 0, said
    assert complained == "== [camera] source: /dev/video7 is replaced, as --source says\n"
    assert said.splitlines()[-1].startswith("== running; see: ")
    assert _runs(machine)
    written = machine.output("grep", "-E", "^(host|source|loop) ", SETTINGS)
    assert written == 'host = "localhost"\nsource = "/srv/clip.avi"\nloop = true'


@pytest.mark.thorough
def test_another_broker_than_somebody_has_written_is_refused(machine: Machine) -> None:
    _installed(machine, "--broker", "localhost", "--source", "/srv/clip.avi")
    machine.run("sh", "-ec", f"echo '# mine' >>{SETTINGS}")
    status, said, complained = _installed(machine, "--broker", "elsewhere")
    assert (status, said) == (1, "")
    assert f"--broker: nothing is changed: {SETTINGS} names localhost already" in complained


@pytest.mark.thorough
def test_what_a_broker_that_is_away_keeps_is_said_with_what_clears_it(machine: Machine) -> None:
    _installed(machine, "--broker", "localhost", "--source", "/srv/clip.avi")
    assert _runs(machine)
    machine.run("systemctl", "stop", "mosquitto.service")
    try:
        answer = machine.run(UNINSTALL, "--purge", check=False)
    finally:
        machine.run("systemctl", "start", "mosquitto.service")
    assert answer.returncode == 0, answer.stderr
    device = machine.output("hostname")
    assert re.search(
        "clear them later, on this machine, .*: "
        f"for topic in tensormask/{device}/availability .*; "
        f"do mosquitto_pub -h localhost -p 1883 -r -n -t [$]topic; done$",
        answer.stderr.strip(),
    ), answer.stderr
    assert "the line above says why, and how to clear them later" in answer.stdout


@pytest.mark.thorough
def test_a_unit_that_only_the_new_release_has_comes_and_goes_with_it(machine: Machine) -> None:
    _installed(machine, "--broker", "localhost", "--source", "/srv/clip.avi")
    former = machine.output("ls", "/opt/tensormask/releases")
    extra = "tensormask-extra.service"
    machine.write(
        f"{SOURCES}/systemd/{extra}",
        "[Unit]\nDescription=Extra\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
    )
    status, said, complained = _installed(machine)
    machine.run("rm", f"{SOURCES}/systemd/{extra}")
    assert status == 0
    assert complained.endswith(" judges a clip of drawn people first; that takes a while\n")
    assert complained.count("\n") == 1
    assert "on trial" in said
    assert machine.output("sh", "-c", f"systemctl is-enabled {extra} || :") == "static"
    machine.run("systemctl", "start", extra)
    # The former release does not have it, and does not miss it.
    machine.run("tensormask", "release", "rollback")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)
    assert machine.output("tensormask", "release").split()[1].rstrip(";") == former
    assert _runs(machine)
    machine.run(UNINSTALL, "--purge")
    assert _left(machine) == ""


@pytest.mark.thorough
def test_an_older_release_over_a_newer_one_says_so_and_runs(machine: Machine) -> None:
    _installed(machine, "--broker", "localhost", "--source", "/srv/clip.avi")
    version = f"{SOURCES}/edge/version.py"
    machine.run("cp", version, "/srv/version.py")
    machine.run("sed", "-i", 's/^RELEASE = .*/RELEASE = "0.2.9"/', version)
    # The settings and the outbox as a newer program would have left them.
    newer = f"sed -i '1s/.*/# tensormask settings 99/; $a [tomorrow]\\nkey = 1' {SETTINGS}"
    machine.run("sh", "-ec", newer)
    outbox = "/var/lib/tensormask/outbox.sqlite"
    raise_schema = f"import sqlite3; sqlite3.connect('{outbox}').execute('PRAGMA user_version=99')"
    machine.run("systemctl", "stop", UNIT)
    machine.run("python3", "-c", raise_schema)
    status, said, complained = _installed(machine)
    machine.run("mv", "/srv/version.py", version)
    assert status == 0, complained
    assert re.search(r"0\.2\.9 is older than 0\.\S+, which is installed: settings and", said)
    assert "written for a newer program; ignored: [tomorrow]" in said + complained
    assert _runs(machine)
    assert "damaged" not in machine.output("journalctl", "--output=cat", "-u", UNIT)
