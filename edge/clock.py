"""The time, brought in from outside so that a test can turn the hands."""

from __future__ import annotations

import ctypes
import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def utc(self) -> datetime:
        """Return the wall time, aware. It may step, and on a Pi it is wrong until NTP answers."""

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never steps; its zero means nothing."""

    def sleep(self, duration_s: float) -> None:
        """Wait that long."""


class SystemClock:
    """The machine's own clocks."""

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)


SYSTEM_CLOCK: Clock = SystemClock()

Timed = Callable[[str], AbstractContextManager[None]]
"""Opens a context that measures the step of that name."""


def untimed(step: str) -> AbstractContextManager[None]:
    """Measure nothing."""
    return nullcontext()


class FrameInterval:
    """How far apart a source's frames are: the least of the last gaps, so that an outage is none.

    Never more than MAX_S: what is farther apart does not show the same scene.
    """

    MAX_S = 10.0

    def __init__(self) -> None:
        self.seconds = 0.0
        """0 before the second frame."""
        self._at_s: float | None = None
        self._gaps_s: deque[float] = deque(maxlen=3)

    def note(self, now_s: float) -> None:
        """A frame of that time came."""
        if self._at_s is not None:
            self._gaps_s.append(now_s - self._at_s)
            self.seconds = min(self.MAX_S, *self._gaps_s)
        self._at_s = now_s


class SteppedClock:
    """Notices when somebody sets the wall clock."""

    NOTICED_S = 0.5
    """More between two looks is a step: what steers a clock by its rate changes it by 0.5 ms a
    second."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.steps = 0
        self.last_step_s: float | None = None
        self._clock = clock
        self._offset_s = self._wall_ahead_s()

    def look(self) -> bool:
        """Return whether the clock was set since the last look."""
        before_s, self._offset_s = self._offset_s, self._wall_ahead_s()
        step_s = self._offset_s - before_s
        if abs(step_s) < self.NOTICED_S:
            return False
        self.steps += 1
        self.last_step_s = step_s
        return True

    def _wall_ahead_s(self) -> float:
        return self._clock.utc().timestamp() - self._clock.monotonic_s()


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was, as well as a box without a clock battery can tell."""

    at: datetime
    """The wall clock, aware."""
    clock_is_right: bool
    """Whether the wall clock followed a time server."""
    run: str
    """Which run of the program: the clock of the next field is its own."""
    run_s: float
    """Seconds on a clock that never steps, and that goes on while the machine sleeps."""

    def age_s(self, now: Moment) -> float:
        """Return how long ago it was, at least; never negative.

        Within one run that is exact, whatever the wall clock does. Over a restart the wall clock
        counts where it was right then and is right now; otherwise only this run's time is certain.
        """
        if self.run == now.run:
            return now.run_s - self.run_s
        by_wall_s = (now.at - self.at).total_seconds()
        return max(now.run_s, by_wall_s if self.clock_is_right and now.clock_is_right else 0.0)


RUN = os.urandom(4).hex()
"""Which run of the program this is: no other has the same."""
_BEGUN_S = time.clock_gettime(time.CLOCK_BOOTTIME)


def this_moment(*, clock_is_right: bool = False) -> Moment:
    """Return now."""
    run_s = time.clock_gettime(time.CLOCK_BOOTTIME) - _BEGUN_S
    return Moment(datetime.now(UTC), clock_is_right, RUN, run_s)


class Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2), as glibc lays it out on 32 and 64 bits."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        # More follows that we do not read: 208 bytes in all with 64 bits, 128 with 32.
        ("rest", ctypes.c_char * 256),
    ]


MAX_CLOCK_ERROR_US = 16_000_000
"""NTP_PHASE_LIMIT of the kernel: the error that it states when nobody disciplines its clock."""


def _adjtimex(timex: Timex) -> int:
    return int(ctypes.CDLL(None).adjtimex(ctypes.byref(timex)))


def clock_synchronised(adjtimex: Callable[[Timex], int] = _adjtimex) -> bool:
    """Return whether the wall clock follows a time server. False where it cannot be known.

    Asks the kernel, whom timesyncd, chrony and ntpd all tell, for the clock's greatest error, as
    timedatectl does. The flag STA_UNSYNC is no answer: timesyncd leaves it set where the hardware
    clock runs in local time. The kernel lets the error grow by 0.5 ms a second, so the answer
    outlives the last time server by about nine hours.
    """
    timex = Timex()  # modes = 0: read only, which needs no privilege
    return adjtimex(timex) >= 0 and timex.maxerror < MAX_CLOCK_ERROR_US
