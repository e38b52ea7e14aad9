"""The way of rows from memory to the file: in few transactions, each row once.

A batch gets its number before it is tried, and the file knows the last one that it has. So one
whose fate nobody knows, after a crash or a failure, is simply written again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from edge.clock import RUN, SYSTEM_CLOCK, Clock
from edge.history.database import (
    HistoryError,
    LostHistoryError,
    NewerHistoryError,
    ReadOnlyHistoryError,
)
from edge.history.gathering import Gathering
from edge.history.keeper import HistoryKeeper
from edge.history.standby import Standby
from edge.history.store import HistoryBatch
from edge.history.takeover import take_over
from edge.keeping import HistoryFault, HistoryState

_log = logging.getLogger(__name__)

WRITE_EVERY_S = 600.0
"""Half of it would write half as much again to the card, by `make wear`."""
RETRY_S = 60.0
"""After a failure;"""
AGAIN_S = 10.0
"""or where that ends by itself: time to put another file there."""
MUCH = 500
"""Rows: the file in memory is renewed at each turn up to so many,"""
SELDOM_S = 30.0
"""and else only so often: the disk takes nothing, and they grow."""
FORGET_EVERY_S = 6 * 3600.0
_FAULTS = {
    LostHistoryError: HistoryFault.LOST,
    NewerHistoryError: HistoryFault.NEWER,
    ReadOnlyHistoryError: HistoryFault.READ_ONLY,
}
OnOpen = Callable[[Path], None]
"""Called once, when the file can be read, and has nothing of this run. Raises HistoryError."""


class HistoryRecording:
    """Takes rows from any thread; one thread brings them to the file."""

    def __init__(
        self,
        path: Path,
        days: int,
        standby: Standby,
        on_open: OnOpen,
        clock: Clock = SYSTEM_CLOCK,
        run: str = RUN,
    ) -> None:
        self.state = HistoryState()
        """How it does; any thread may read it."""
        self._path = path
        self._keeper = HistoryKeeper(path, days)
        self._standby = standby
        self._on_open = on_open
        self._clock = clock
        self._run = run
        self._lock = threading.Lock()
        self._number = 1
        self._waiting = Gathering(run, self._number)
        self._sealed: list[HistoryBatch] = []
        """What was tried, and of an earlier run, the oldest first."""
        self._has_begun = self._is_another_file = False
        self._has_left_out = False
        self._due_s = self._standby_due_s = -1e9
        self._forgot_s = clock.monotonic_s()
        self._forget_due_s = -1e9

    def add(self, batch: HistoryBatch) -> None:
        """Take in rows; any thread may."""
        with self._lock:
            self._waiting.add(batch)

    def begin(self) -> None:
        """Take in what a run that crashed has left."""
        self._sealed = self._standby.read()

    def tend(self, *, clock_is_right: bool, is_soon: bool = False) -> None:
        """Do what is due; with `is_soon`, write now, unless the disk takes nothing."""
        now_s = self._clock.monotonic_s()
        self._keep_standby(now_s)
        try:
            self._keeper.verify()
            if now_s >= self._due_s or (is_soon and not self.state.trouble):
                self._write(clock_is_right)
                self._due_s = now_s + WRITE_EVERY_S
        except HistoryError as error:
            self._due_s = now_s + self._fail(error)

    def end(self, *, clock_is_right: bool) -> None:
        """Write all there is, and close. What is damaged or gone now is not waited for."""
        self._keep_standby(self._clock.monotonic_s())
        for _ in range(2):
            try:
                self._write(clock_is_right)
                self._standby.clear()
                break
            except HistoryError as error:
                self._fail(error)
                if not isinstance(error, LostHistoryError):
                    break
        self._keeper.close()

    def _keep_standby(self, now_s: float) -> None:
        with self._lock:
            if self._waiting.left_out and not self._has_left_out:
                self._has_left_out = True
                _log.error("%s: too much waits in memory, the oldest is left out", self._path)
            is_much = self._waiting.rows > MUCH
            if is_much and now_s < self._standby_due_s:
                return
            waiting = self._waiting.batch()
        self._standby_due_s = now_s + SELDOM_S
        self._standby.write([*self._sealed, waiting])

    def _write(self, clock_is_right: bool) -> None:
        """Have all in the file. Raises HistoryError."""
        self._open()
        self._seal()
        while self._sealed:
            self._keeper.write(self._sealed[0])
            del self._sealed[0]
        self._keep_standby(self._clock.monotonic_s())
        self._forget(clock_is_right)
        self.state = HistoryState(written_at=self._clock.utc())

    def _fail(self, error: HistoryError) -> float:
        """Say why nothing is written; return in how many seconds it is tried again."""
        self.state = HistoryState(str(error), _FAULTS.get(type(error), HistoryFault.DISK))
        if not isinstance(error, LostHistoryError):
            return RETRY_S
        self._is_another_file = True
        return AGAIN_S

    def _open(self) -> None:
        self._keeper.open()
        if self._has_begun:
            if self._is_another_file:  # a copy of a day on which other things lasted
                self._keeper.close_left_open(self._clock.utc())
            self._is_another_file = False
            return
        take_over(self._path, self._keeper.write)
        while self._sealed:  # of an earlier run: this one has sealed nothing yet
            self._keeper.write(self._sealed[0])
            del self._sealed[0]
        self._keeper.close_left_open(self._clock.utc())
        self._on_open(self._path)
        self._has_begun, self._is_another_file = True, False

    def _seal(self) -> None:
        """Have what waits be tried under its number; what comes later gets the next one."""
        with self._lock:
            self._sealed.append(self._waiting.batch())
            self._number += 1
            self._waiting = Gathering(self._run, self._number)
            waiting = self._waiting.batch()
        self._standby.write([*self._sealed, waiting])

    def _forget(self, clock_is_right: bool) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._forget_due_s:
            return
        for_s, self._forgot_s = now_s - self._forgot_s, now_s
        self._forget_due_s = now_s + FORGET_EVERY_S
        self._keeper.forget(self._clock.utc(), clock_is_right=clock_is_right, for_s=for_s)
