"""Waiting for what is asserted, and measuring how long it took, on a machine that may be busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

DEADLINE_S = 60.0
"""Long enough for a busy machine; nothing takes it unless it fails."""
_PRESSURE = Path("/proc/pressure/cpu")


def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait until `condition` is true; fail where it does not come true."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            pytest.fail(f"waited {deadline_s:g} s in vain: {what}")
        time.sleep(0.01)


class Stopwatch:
    """Measures how long something takes, for a promise in seconds."""

    def __init__(self) -> None:
        self._begun_s, self._stalled_s = time.monotonic(), _stalled_s()

    @property
    def elapsed_s(self) -> float:
        """Seconds, without those in which something on this machine waited for a processor.

        A promise is kept or broken by us; what else runs here proves nothing. A kernel that does
        not count them (PSI) leaves all seconds in.
        """
        return time.monotonic() - self._begun_s - (_stalled_s() - self._stalled_s)


def _stalled_s() -> float:
    if not _PRESSURE.exists():
        return 0.0
    return int(_PRESSURE.read_text().partition("total=")[2].split()[0]) / 1e6
