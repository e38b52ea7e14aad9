"""The installed unit under a real systemd: start, status, watchdog, stop, sandbox, removal."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator

import pytest

from tests.systemd.conftest import SOURCES
from tests.systemd.machine import Machine, wait_until
from tests.waiting import DEADLINE_S, Stopwatch

UNIT = "tensormask.service"
SETTINGS = "/etc/tensormask/tensormask.toml"
PASSWORD = "Xyzzy-plugh-42"
GOOD_SETTINGS = """
[mqtt]
host = "localhost"
[device]
id = "box"
[camera]
source = "/srv/clip.avi"
loop = true
"""


@pytest.fixture
def running(machine: Machine) -> Machine:
    """The machine with the service just started."""
    machine.write(SETTINGS, GOOD_SETTINGS)
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "reset-failed", UNIT, check=False)
    machine.run("systemctl", "start", UNIT)
    return machine


def _show(machine: Machine, name: str) -> str:
    return machine.output("systemctl", "show", "--value", "--property", name, UNIT)


def _journal(machine: Machine) -> str:
    return machine.output("journalctl", "--no-pager", "--unit", UNIT)


def _availability(machine: Machine) -> str:
    """Return the retained state, as a subscriber that comes now receives it."""
    command = "mosquitto_sub -h localhost -t tensormask/box/availability -C 1 -W 5"
    answer = machine.run(*command.split(), check=False).stdout
    return str(json.loads(answer)["state"]) if answer.strip() else ""


def test_start_returns_when_it_watches_and_status_tells_how(running: Machine) -> None:
    assert _show(running, "ActiveState") == "active"
    wait_until(
        lambda: re.search(r"camera running, [1-9].* fps", _show(running, "StatusText")) is not None,
        DEADLINE_S,
        "the status line tells of frames",
    )
    status = running.output("systemctl", "status", "--no-pager", UNIT)
    assert 'Status: "camera running' in status


def test_it_runs_as_its_own_user_without_privileges(running: Machine) -> None:
    assert _show(running, "User") == "tensormask"
    status = running.output("cat", f"/proc/{_show(running, 'MainPID')}/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


def test_the_journal_knows_level_and_source_line(running: Machine) -> None:
    def entries() -> list[dict[str, str]]:
        lines = running.output("journalctl", "--output=json", "_COMM=tensormask").splitlines()
        return [json.loads(line) for line in lines]

    wait_until(
        lambda: any("CODE_FUNC" in entry for entry in entries()), DEADLINE_S, "a native entry"
    )
    entry = next(entry for entry in entries() if "CODE_FUNC" in entry)
    assert entry["SYSLOG_IDENTIFIER"] == "tensormask"
    assert entry["PRIORITY"] in set("34567")
    assert entry["LOGGER"].startswith("edge")


def test_subscribers_see_it_online(running: Machine) -> None:
    wait_until(lambda: _availability(running) == "online", DEADLINE_S, "online")


def test_a_hang_is_ended_by_the_watchdog_and_leaves_its_stacks(running: Machine) -> None:
    restarts = int(_show(running, "NRestarts"))
    hung = _show(running, "MainPID")
    running.run("kill", "-STOP", hung)
    wait_until(
        lambda: (
            int(_show(running, "NRestarts")) == restarts + 1
            and _show(running, "ActiveState") == "active"
        ),
        DEADLINE_S,
        "it is restarted",
    )
    assert _show(running, "MainPID") != hung
    journal = _journal(running)
    assert "Watchdog timeout" in journal
    assert "Fatal Python error: Aborted" in journal
    assert "edge/daemon/service.py" in journal


def test_an_outage_of_the_camera_is_no_hang(machine: Machine) -> None:
    machine.write(SETTINGS, GOOD_SETTINGS.replace("/srv/clip.avi", "/dev/video9"))
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "start", UNIT)
    wait_until(lambda: "camera lost" in _show(machine, "StatusText"), DEADLINE_S, "camera lost")
    begun_us = int(_show(machine, "ExecMainStartTimestampMonotonic"))
    # Longer than the watchdog waits, and still fed by the same process.
    wait_until(
        lambda: int(_show(machine, "WatchdogTimestampMonotonic")) > begun_us + 12_000_000,
        DEADLINE_S,
        "the watchdog is fed",
    )
    assert int(_show(machine, "ExecMainStartTimestampMonotonic")) == begun_us


def test_a_killed_daemon_is_restarted(running: Machine) -> None:
    restarts = int(_show(running, "NRestarts"))
    running.run("kill", "-KILL", _show(running, "MainPID"))
    wait_until(
        lambda: (
            int(_show(running, "NRestarts")) == restarts + 1
            and _show(running, "ActiveState") == "active"
        ),
        DEADLINE_S,
        "it is restarted",
    )


def test_a_restart_by_command_is_a_new_start(machine: Machine) -> None:
    machine.write(SETTINGS, GOOD_SETTINGS + '[commands]\nallowed = ["restart"]\n')
    machine.run("systemctl", "restart", UNIT)
    restarts = int(_show(machine, "NRestarts"))
    # It is refused right after a start, which takes seconds on a machine with other work.
    begun_us = int(_show(machine, "ActiveEnterTimestampMonotonic"))
    wait_until(
        lambda: time.monotonic() * 1e6 > begun_us + 12e6, DEADLINE_S, "the time for a restart"
    )
    publish = "mosquitto_pub -h localhost -t tensormask/box/command/restart -m"
    machine.run(*publish.split(), '{"request_id":"a"}')
    wait_until(
        lambda: (
            int(_show(machine, "NRestarts")) == restarts + 1
            and _show(machine, "ActiveState") == "active"
        ),
        DEADLINE_S,
        "it is restarted",
    )
    assert _availability(machine) == "online"


def test_stop_takes_less_than_five_seconds_and_is_announced(running: Machine) -> None:
    wait_until(lambda: _availability(running) == "online", DEADLINE_S, "online")
    stopwatch = Stopwatch()
    running.run("systemctl", "stop", UNIT)
    assert stopwatch.elapsed_s < 5
    assert (_show(running, "ActiveState"), _show(running, "Result")) == ("inactive", "success")
    assert _availability(running) == "stopped"


@pytest.mark.parametrize(
    ("written", "said"), [("lopp = true", "did you mean loop?"), ("", "set loop = true")]
)
def test_a_wrong_configuration_is_not_tried_again(
    running: Machine, written: str, said: str
) -> None:
    """Without `loop` the clip would come to its end, and the service with it."""
    running.run("systemctl", "stop", UNIT)
    running.write(SETTINGS, GOOD_SETTINGS.replace("loop = true", written))
    running.run("systemctl", "start", UNIT, check=False)
    # Were it to be restarted, the state would be "activating".
    wait_until(lambda: _show(running, "ActiveState") == "failed", DEADLINE_S, "it has failed")
    assert _show(running, "ExecMainStatus") == "78"
    assert _show(running, "NRestarts") == "0"
    errors = running.output("journalctl", "--no-pager", "--priority=err", "--unit", UNIT)
    assert said in errors
    assert said in running.run("/usr/local/bin/tensormask", "check", check=False).stdout


def test_start_fails_where_picamera2_is_missing(machine: Machine) -> None:
    machine.write(SETTINGS, GOOD_SETTINGS.replace("/srv/clip.avi", "picamera2"))
    machine.run("systemctl", "stop", UNIT)
    machine.run("systemctl", "reset-failed", UNIT, check=False)
    assert machine.run("systemctl", "start", UNIT, check=False).returncode != 0
    assert _show(machine, "ExecMainStatus") == "72"
    errors = machine.output("journalctl", "--no-pager", "--priority=err", "--unit", UNIT)
    assert "apt install" in errors


def test_the_broker_may_come_later(machine: Machine) -> None:
    machine.write(SETTINGS, GOOD_SETTINGS)
    machine.run("systemctl", "stop", UNIT, "mosquitto.service")
    machine.run("systemctl", "start", UNIT)
    wait_until(lambda: "broker away" in _show(machine, "StatusText"), DEADLINE_S, "broker away")
    machine.run("systemctl", "start", "mosquitto.service")
    wait_until(
        lambda: "broker connected" in _show(machine, "StatusText"), 2 * DEADLINE_S, "connected"
    )


@pytest.fixture
def drop_in(machine: Machine) -> Iterator[Callable[[str], None]]:
    """Adds to the unit what an operator would by `systemctl edit`, until the test is over."""
    path = f"/etc/systemd/system/{UNIT}.d/tested.conf"

    def add(text: str) -> None:
        machine.write(path, f"[Service]\n{text}\n")
        machine.run("systemctl", "daemon-reload")

    yield add
    machine.run("systemctl", "stop", UNIT)
    machine.run("rm", "-f", path)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "reset-failed", UNIT, check=False)


def test_a_password_that_only_systemd_can_read_lets_us_in(
    running: Machine, drop_in: Callable[[str], None]
) -> None:
    running.run("systemctl", "stop", UNIT)
    running.run("mkdir", "-p", "/etc/credstore")
    running.write("/etc/credstore/mqtt-password", f"{PASSWORD}\n")
    running.run("chmod", "-R", "go=", "/etc/credstore")
    running.run("mosquitto_passwd", "-c", "-b", "/srv/passwords", "door-1", PASSWORD)
    running.run("chmod", "644", "/srv/passwords")
    running.write(
        "/srv/guarded.conf", "listener 1884\nallow_anonymous false\npassword_file /srv/passwords\n"
    )
    running.run("systemd-run", "--unit=guarded", "mosquitto", "-c", "/srv/guarded.conf")
    running.write(
        SETTINGS,
        GOOD_SETTINGS.replace(
            'host = "localhost"',
            'host = "localhost"\nport = 1884\nusername = "door-1"\n'
            'password_file = "credential:mqtt-password"',
        ),
    )
    running.run("systemctl", "start", UNIT, check=False)
    wait_until(lambda: _show(running, "ActiveState") == "failed", DEADLINE_S, "it has failed")
    assert _show(running, "ExecMainStatus") == "78"
    assert "systemd gives no credential mqtt-password; add LoadCredential=" in _journal(running)
    drop_in("LoadCredential=mqtt-password:/etc/credstore/mqtt-password")
    running.run("systemctl", "start", UNIT)
    wait_until(lambda: "broker connected" in _show(running, "StatusText"), DEADLINE_S, "connected")
    # Nobody else can read it, and it is reported nowhere.
    credential = f"/run/credentials/{UNIT}/mqtt-password"
    stat = running.output("stat", "--format=%a %U", credential)
    assert stat.split()[0] in {"400", "440"}
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat")
    for secret in (credential, "/etc/credstore/mqtt-password"):
        assert running.run(*nobody, secret, check=False).returncode == 1
    assert PASSWORD not in running.output("journalctl", "--no-pager")
    assert PASSWORD not in running.output("systemctl", "show", UNIT)
    assert PASSWORD not in running.output("ps", "axeww")
    running.run("systemctl", "stop", "guarded.service")


def test_a_daemon_that_dies_at_once_is_started_at_a_steady_pace_for_ever(
    running: Machine, drop_in: Callable[[str], None]
) -> None:
    running.run("systemctl", "stop", UNIT)
    installed = running.output("systemctl", "cat", UNIT)
    assert "\nRestartSec=5s\n" in installed
    assert "\nStartLimitIntervalSec=0\n" in installed
    drop_in("RestartSec=500ms\nType=exec\nExecStart=\nExecStart=/bin/false")
    running.run("systemctl", "reset-failed", UNIT, check=False)
    begun_s = time.monotonic()
    running.run("systemctl", "start", UNIT, check=False)
    # systemd's own limit, five starts in ten seconds, would have ended it.
    wait_until(lambda: int(_show(running, "NRestarts")) >= 8, DEADLINE_S, "eight restarts")
    assert time.monotonic() - begun_s > 8 * 0.5, "a pause before each of them"
    assert _show(running, "ActiveState") in {"activating", "active", "deactivating"}


SEND = """
import socket
for address in ("127.0.0.1", "127.0.0.2", "::1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (address, 9))
        print(address, "sent", flush=True)
    except PermissionError:
        print(address, "refused", flush=True)
"""


@pytest.mark.parametrize(
    ("edited", "found"),
    [
        ("", ["127.0.0.1 sent", "127.0.0.2 sent", "::1 sent"]),
        (
            "IPAddressDeny=any\nIPAddressAllow=127.0.0.1",
            ["127.0.0.1 sent", "127.0.0.2 refused", "::1 refused"],
        ),
    ],
)
def test_the_network_can_be_closed_but_for_the_broker(
    running: Machine, drop_in: Callable[[str], None], edited: str, found: list[str]
) -> None:
    running.run("systemctl", "stop", UNIT)
    running.write("/srv/send.py", SEND)
    program = "ExecStart=\nExecStart=/usr/bin/python3 /srv/send.py"
    drop_in(f"Type=oneshot\nRestart=no\nWatchdogSec=0\n{program}\n{edited}")
    running.run("systemctl", "start", UNIT)
    invocation = _show(running, "InvocationID")
    said = running.output(
        "journalctl", "--output=cat", f"_SYSTEMD_INVOCATION_ID={invocation}", "_COMM=python3"
    )
    assert said.splitlines() == found


def test_memory_is_bounded_and_never_swapped(machine: Machine) -> None:
    """As systemd reads the unit; tests/systemd/limits.py shows that it is so."""
    names = ("MemoryMax", "MemorySwapMax", "TasksMax", "LimitCORE")
    assert [_show(machine, name) for name in names] == [str(512 * 2**20), "0", "128", "0"]


def test_the_sandbox_gives_what_is_needed_and_nothing_else(machine: Machine) -> None:
    machine.run("sh", "-ec", "mkdir -p /srv/open /home/somebody; chmod 777 /srv/open")
    machine.write("/home/somebody/diary", "dear diary")
    machine.write("/srv/camera", "picture")
    machine.run("sh", "-ec", "chown root:video /srv/camera; chmod 640 /srv/camera")
    # /dev/fuse by another name: a device that nspawn lets its machines have, and the unit does not.
    machine.run("sh", "-ec", "test -e /srv/device || mknod -m 666 /srv/device c 10 229")
    # What is refused below is refused by the sandbox: outside of it, it can be done.
    machine.run("sh", "-ec", ": <>/srv/device; : >/srv/open/file; : </home/somebody/diary")
    machine.write("/etc/systemd/system/probe.service", _probe_unit(machine))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "probe.service")
    found = json.loads(
        machine.output("journalctl", "--output=cat", "--unit=probe.service", "_COMM=python")
    )
    assert found == {
        "write its state": "ok",
        "write a world-writable folder": "EROFS",
        "write the settings": "EACCES",
        "write the program": "EROFS",
        "read the settings": "ok",
        "read a home": "EACCES",
        "read what belongs to video": "ok",
        "read /proc/cpuinfo": "ok",
        "see other processes": "ENOENT",
        "open /dev/null": "ok",
        "open another device": "EPERM",
        "make memory executable": "EPERM",
        "open an IP socket": "ok",
        "open a netlink socket": "ok",
        "open a packet socket": "EAFNOSUPPORT",
        "make a namespace": "EPERM",
        "make a set-user-id file": "EPERM",
        "ask about the clock": "ok",
        "set the clock": "EPERM",
        "mount": "EPERM",
        "trace a process": "EPERM",
        "run a program": "ok",
    }


def _probe_unit(machine: Machine) -> str:
    """The installed unit, with the probe in the daemon's place."""
    kept = [
        line
        for line in machine.output("cat", f"/opt/tensormask/current/systemd/{UNIT}").splitlines()
        if not line.startswith(("Type=", "ExecStart=", "WatchdogSec=", "Restart"))
    ]
    kept.insert(
        kept.index("[Service]") + 1,
        "Type=oneshot\n"
        f"ExecStart=/opt/tensormask/current/packages/bin/python {SOURCES}/tests/systemd/probe.py",
    )
    return "\n".join(kept)


def test_installing_again_changes_nothing(running: Machine) -> None:
    before = _show(running, "MainPID")
    answer = running.run(f"{SOURCES}/deploy/install.sh", "--broker", "localhost")
    assert "running, and nothing has changed" in answer.stdout
    assert running.output("cat", SETTINGS) == GOOD_SETTINGS.strip()
    assert _show(running, "ActiveState") == "active"
    assert _show(running, "MainPID") == before
