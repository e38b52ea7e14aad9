"""The time, brought in from outside so that a test can turn the hands."""

from __future__ import annotations

import time
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
