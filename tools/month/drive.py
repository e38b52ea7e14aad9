"""Runs the box through its month: one process after the other, each killed by chance."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from edge.history.store import FILE
from tools.month.box import Folders, SimulatedBox, totals
from tools.month.ledger import MonthLedger
from tools.month.world import STAY, World

FOLDER = Path("/dev/shm")
KILLED_EARLY = 0.1
"""So many runs are killed while they start,"""
EARLY_S = 0.05
"""after so long at most. The others are killed where they are so long at most after a turn:"""
LATE_S = 0.001
_PIPE_BYTES = 4096
"""So far a box may be ahead of what was heard of it."""


class BoxProcess:
    """One run of the box, in a process of its own."""

    def __init__(self, world: World, folders: Folders, run: str, first: int) -> None:
        self._reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._rest = b""
        self._pid = os.fork()
        if self._pid == 0:
            status = 1
            try:
                SimulatedBox(world, folders, run, first, writing).live()
                status = 0
            except BaseException:  # noqa: BLE001 - of a process that ends here
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writing)

    def lines(self) -> Iterator[str]:
        """Give what it says until it ends."""
        while more := os.read(self._reading, _PIPE_BYTES):
            *lines, self._rest = (self._rest + more).split(b"\n")
            yield from (line.decode() for line in lines)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        """Return its exit status, or minus its signal."""
        os.close(self._reading)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def drive(world: World, folder: Path, seed: int) -> MonthLedger:
    """Let the box live through `world`; return the ledger. Its disks stay in `folder`.

    Raises LedgerError, and RuntimeError where the box fails by itself.
    """
    chance = random.Random(seed)
    ledger = MonthLedger(world)
    folders = _new_disk(folder, 0)
    first, cuts, run = 1, list(world.cuts), 0
    while True:
        run += 1
        process = BoxProcess(world, folders, f"run-{run}", first)
        if chance.random() < KILLED_EARLY:
            last = _live(process, ledger, first - 1, kill_after_s=chance.random() * EARLY_S)
            first = ledger.killed(last, is_of_power=False) + 1 + STAY
            continue
        cut = cuts.pop(0) if cuts else None
        until = world.turns + 1 if cut is None else cut.begin
        last = _live(process, ledger, first - 1, until, chance.random() * LATE_S)
        if cut is None:
            return ledger
        turn = ledger.killed(last, is_of_power=cut.is_of_power)
        if cut.is_of_power:
            shutil.rmtree(folders.memory)
            folders.memory.mkdir()
        if cut.is_replaced:
            ledger.replaced(totals(folders.disk / FILE), turn)
            folders = _new_disk(folder, len(ledger.disks))
        first = max(cut.end, turn + 1 + STAY)


def _live(
    process: BoxProcess, ledger: MonthLedger, last: int, until: int = -1, kill_after_s: float = 0.0
) -> int:
    """Let a run live until it says that turn `until` is over, and then so long; kill it, and return
    the last turn that it said to be over. One that comes to the end of the world is left alone."""
    is_killed = False
    if until < 0:
        time.sleep(kill_after_s)
        process.kill()
        is_killed = True
    for line in process.lines():
        ledger.hear(line)
        if line[0] in "TC":
            last = int(line[2:])
        if last >= until and not is_killed:
            time.sleep(kill_after_s)
            process.kill()
            is_killed = True
    status = process.wait()
    if status != (-signal.SIGKILL if is_killed else 0):
        raise RuntimeError(f"a run ended by itself with status {status} after turn {last}")
    return last


def _new_disk(folder: Path, number: int) -> Folders:
    folders = Folders(folder / f"disk-{number}", folder / "memory")
    shutil.rmtree(folders.memory, ignore_errors=True)
    folders.disk.mkdir(parents=True)
    folders.memory.mkdir()
    return folders
