"""Calls of the operating system that fail, below SQLite, in a process that is killed afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.publish.outbox.outbox import Outbox
from edge.publish.outbox.sequence import SequenceReserve
from tests.needs import lacking
from tools.soak.rig import FaultyCalls

_LIFE = """
import os
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from edge.clock import this_moment
from edge.publish.outbox.file import _WAL_PAGES
from edge.publish.outbox.outbox import RETRY_S, Outbox

ahead_s = 0.0
def now():
    moment = this_moment()
    return replace(moment, run_s=moment.run_s + ahead_s)

def fail(syncs, writes):
    Path(os.environ["FAULTY_DISK"]).write_bytes(bytes((syncs, writes)))

def append(size):
    number = outbox.append("t/violation", lambda sequence: bytes(size))
    print(number)
    return number

outbox = Outbox(Path(os.environ["FAULTY_DISK_BELOW"], "outbox.sqlite"), now=now)
"""


@pytest.fixture
def calls(tmp_path: Path) -> FaultyCalls:
    if shutil.which("cc") is None:
        lacking("no cc", "sudo apt-get install gcc")
    return FaultyCalls(tmp_path, tmp_path / "state")


_LIVES = """
base = Path(os.environ["FAULTY_DISK_BELOW"], "base")
if os.fork() == 0:
    outbox = Outbox(base / "outbox.sqlite")
    for _ in range(2 * _WAL_PAGES - 100):  # the log is written over: behind its end are old frames
        outbox.acknowledge([outbox.append("t/violation", lambda sequence: bytes(500)) - 1])
    os.kill(os.getpid(), 9)
os.wait()
for first in range(60):
    path = base.with_name(str(first)) / "outbox.sqlite"
    shutil.copytree(base, path.parent)
    if os.fork() == 0:
        Path(os.environ["FAULTY_DISK"]).write_bytes(struct.pack("=2x2H", first, 60_000))
        outbox = Outbox(path)
        for size in (500, 5000, 500, 500):
            number = outbox.append("t/violation", lambda sequence: bytes(size))
            print(first, number, outbox.state().in_memory)
        os.kill(os.getpid(), 9)
    os.wait()
    Path(os.environ["FAULTY_DISK"]).write_bytes(bytes(6))
"""


def live(calls: FaultyCalls, life: str) -> list[int]:
    """Return what a process prints that lives like that, and is killed then."""
    done = subprocess.run(
        [sys.executable, "-c", f"{_LIFE}{life}\nos.kill(os.getpid(), 9)"],
        env={**os.environ, **calls.environment, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_a_write_that_failed_is_no_damage_of_the_log(calls: FaultyCalls, tmp_path: Path) -> None:
    numbers = live(
        calls,
        """
append(500)
fail(255, 0)
number = append(30_000)  # it is in the log, all of it, when that cannot be synced
fail(0, 0)
outbox.acknowledge([number])
ahead_s = RETRY_S
append(500)
append(500)
""",
    )
    assert numbers[2:] == [numbers[2], numbers[2] + 1]
    outbox = Outbox(tmp_path / "state" / "outbox.sqlite")
    assert outbox.state().set_aside == 0
    assert [each.sequence for each in outbox.pending(10)][-2:] == numbers[2:]
    outbox.close()


def test_no_call_that_fails_and_is_followed_by_a_kill_damages_an_outbox(
    calls: FaultyCalls, tmp_path: Path
) -> None:
    said = live(calls, _LIVES)
    lives: dict[int, list[tuple[int, int]]] = {}
    for first, number, in_memory in zip(said[::3], said[1::3], said[2::3], strict=True):
        lives.setdefault(first, []).append((number, in_memory))
    assert len(lives) == 60
    for first, numbers in lives.items():
        outbox = Outbox(tmp_path / "state" / str(first) / "outbox.sqlite")
        assert outbox.state().set_aside == 0, f"from call {first} on"
        on_disk = {number for number, in_memory in numbers if not in_memory}
        assert on_disk <= {each.sequence for each in outbox.pending(1000)}, f"from call {first} on"
        given = outbox.append("t/violation", lambda sequence: b"")
        assert given not in dict(numbers), f"from call {first} on"
        outbox.close()


def test_a_start_that_failed_keeps_no_lock(calls: FaultyCalls, tmp_path: Path) -> None:
    assert live(calls, "append(500)") == [1]
    calls.fail(syncs=255)
    life = """
fail(0, 0)
ahead_s = RETRY_S
append(500)
"""
    (number,) = live(calls, life)
    outbox = Outbox(tmp_path / "state" / "outbox.sqlite")
    assert [each.sequence for each in outbox.pending(10)] == [1, number]
    outbox.close()


def test_a_reserve_of_which_one_file_failed_is_written_again(tmp_path: Path) -> None:
    path, copy = tmp_path / "sequence", tmp_path / "sequence-copy"
    reserve = SequenceReserve(path)
    reserve.cover(1, live=False)
    copy.unlink()
    copy.mkdir()
    with pytest.raises(IsADirectoryError):
        reserve.cover(2, live=True)
    copy.rmdir()
    reserve.cover(2, live=False)
    found = SequenceReserve(path)
    found.load()
    assert (found.limit, found.is_live) == (reserve.limit, False)
    assert path.read_bytes() == copy.read_bytes()
