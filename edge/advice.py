"""What the person before the camera is told at this moment, for all that show it or act on it.

Judging posts, any thread reads. An advice that is not confirmed for STALE_S is none: then
the board itself says `closed`, so a loop that hangs opens no gate.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from edge.clock import SYSTEM_CLOCK, Clock
from edge.records import Advice

STALE_S = 2.0


@dataclass(frozen=True, slots=True)
class Notice:
    """An advice, and since when it holds."""

    number: int
    """Grows with each change."""
    advice: Advice
    since_s: float
    """Of the change, on the monotonic clock."""


class AdviceBoard:
    """Always knows the present advice. Safe in any thread."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._notice = Notice(1, Advice.CLOSED, clock.monotonic_s())
        self._confirmed_s = self._notice.since_s

    def post(self, advice: Advice) -> None:
        """Say this from now on, for STALE_S; to be called again and again."""
        with self._changed:
            self._confirmed_s = self._clock.monotonic_s()
            self._change_to(advice)

    def now(self) -> Notice:
        """Return the present one; `closed` where none was confirmed lately."""
        with self._changed:
            self._expire()
            return self._notice

    def wait(self, after: int, timeout_s: float) -> Notice:
        """Return the present one, as soon as its number is not `after`, or in `timeout_s`."""
        until_s = self._clock.monotonic_s() + timeout_s
        with self._changed:
            while True:
                self._expire()
                now_s = self._clock.monotonic_s()
                left_s = until_s - now_s
                if self._notice.number != after or left_s <= 0:
                    return self._notice
                stale_s = self._confirmed_s + STALE_S - now_s
                is_open = self._notice.advice is not Advice.CLOSED
                self._changed.wait(min(left_s, stale_s) if is_open else left_s)

    def _expire(self) -> None:
        if self._clock.monotonic_s() - self._confirmed_s >= STALE_S:
            self._change_to(Advice.CLOSED)

    def _change_to(self, advice: Advice) -> None:
        if advice is not self._notice.advice:
            number = self._notice.number + 1
            self._notice = Notice(number, advice, self._clock.monotonic_s())
            self._changed.notify_all()
