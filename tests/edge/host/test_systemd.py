from __future__ import annotations

import io
import json
import logging
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.host.systemd import (
    Notifier,
    PriorityFormatter,
    complain,
    configure_logging,
    watchdog_interval_s,
)
from tests.needs import lacking
from tests.waiting import DEADLINE_S


@pytest.fixture
def socket_address(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(DEADLINE_S)
        manager.bind(str(tmp_path / "notify"))
        yield manager, str(tmp_path / "notify")


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_systemd_is_told_of_start_life_and_stop(
    socket_address: tuple[socket.socket, str],
) -> None:
    manager, address = socket_address
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    notifier.ready("watching")
    notifier.alive("watching, 14.9 fps")
    notifier.stopping("goodbye")
    assert [manager.recv(4096) for _ in range(3)] == [
        b"READY=1\nSTATUS=watching",
        b"WATCHDOG=1\nSTATUS=watching, 14.9 fps",
        b"STOPPING=1\nSTATUS=goodbye",
    ]


def test_an_abstract_socket_is_reached() -> None:
    name = f"tensormask-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(DEADLINE_S)
        manager.bind("\0" + name)
        Notifier("@" + name).alive("ok")
        assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=ok"


def test_a_status_cannot_smuggle_in_another_line(
    socket_address: tuple[socket.socket, str],
) -> None:
    manager, address = socket_address
    Notifier(address).alive("lost\nMAINPID=1")
    assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=lost MAINPID=1"


def test_outside_systemd_nothing_is_sent() -> None:
    notifier = Notifier.from_environment({})
    notifier.ready("watching")
    assert notifier == Notifier(address="")


def test_a_vanished_socket_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier(str(tmp_path / "gone")).alive("ok")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "20000000"}, 10.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "42"}, 10.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(
    environment: dict[str, str], interval_s: float | None
) -> None:
    assert watchdog_interval_s(environment, pid=42) == interval_s


def test_on_a_terminal_lines_are_for_eyes() -> None:
    stream = io.StringIO()
    configure_logging("info", {}, stream)
    logging.getLogger("edge.daemon.service").warning("camera lost")
    logging.getLogger("edge.daemon.service").debug("nobody asked")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(" WARNING camera lost")


def test_configuring_twice_logs_once() -> None:
    stream = io.StringIO()
    configure_logging("info", {}, stream)
    configure_logging("info", {}, stream)
    logging.getLogger("edge").info("watching")
    assert len(stream.getvalue().splitlines()) == 1


def test_each_line_of_a_traceback_keeps_its_priority() -> None:
    record = logging.LogRecord("edge", logging.ERROR, "f.py", 1, "broken:\nhere", (), None)
    assert PriorityFormatter("%(message)s").format(record) == "<3>broken:\n<3>here"


_UNDER_JOURNAL = """
import logging, os, sys
if sys.argv[1] == "without":
    sys.modules["systemd"] = None
from edge.host.systemd import configure_logging
here = os.fstat(2)
configure_logging("debug", {"JOURNAL_STREAM": f"{here.st_dev}:{here.st_ino}"})
print(type(logging.root.handlers[0]).__name__)
for level in (10, 20, 30, 40, 50):
    logging.log(level, "level %d", level)
"""
_SYSTEM_PYTHON = "/usr/bin/python3"
"""Has systemd-python where the Debian package python3-systemd is installed."""


def _under_journal(python: str, systemd_python: str) -> subprocess.CompletedProcess[str]:
    """Log with standard error, a pipe, made out to be the journal."""
    return subprocess.run(
        [python, "-c", _UNDER_JOURNAL, systemd_python],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )


def test_without_systemd_python_lines_carry_their_priority() -> None:
    answer = _under_journal(sys.executable, "without")
    assert answer.stderr.splitlines() == [
        "<7>level 10",
        "<6>level 20",
        "<4>level 30",
        "<3>level 40",
        "<2>level 50",
    ]


def test_with_systemd_python_the_journal_is_written_natively() -> None:
    there = subprocess.run(
        [_SYSTEM_PYTHON, "-c", "import systemd.journal"], capture_output=True, check=False
    )
    if there.returncode != 0:
        lacking("no systemd module in the system's Python", "sudo apt-get install python3-systemd")
    answer = _under_journal(_SYSTEM_PYTHON, "with")
    assert (answer.stdout, answer.stderr) == ("JournalHandler\n", "")


def test_why_the_program_ends_is_an_error_in_the_journal_and_plain_elsewhere(
    tmp_path: Path,
) -> None:
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        here = os.fstat(stream.fileno())
        complain("no broker", {"JOURNAL_STREAM": f"{here.st_dev}:{here.st_ino}"}, stream)
        complain("no broker", {}, stream)
    assert path.read_text() == "<3>tensormask: no broker\ntensormask: no broker\n"


def test_a_crash_has_its_priority_on_each_line() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _UNDER_JOURNAL + "raise KeyError(1)", "without"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = answer.stderr.splitlines()[5:]
    assert lines[0] == "<2>crashed"
    assert lines[-1] == "<2>KeyError: 1"
    assert all(line.startswith("<2>") for line in lines)


def test_a_redirected_stream_is_not_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as stream:
        configure_logging("info", {"JOURNAL_STREAM": "1:2"}, stream)
        logging.getLogger("edge").info(json.dumps({"a": 1}))
        stream.seek(0)
        assert not stream.read().startswith("<")
