from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.needs import lacking
from tests.processes import Running
from tests.waiting import Stopwatch, until


def test_what_does_not_come_true_is_named() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"waited 0\.1 s in vain: the end of the world"):
        until(lambda: False, "the end of the world", 0.1)


def test_a_stopwatch_does_not_count_while_processes_wait_for_a_processor() -> None:
    if not Path("/proc/pressure/cpu").exists():
        lacking("the kernel does not count who waits for a processor", "boot it with psi=1")
    with ExitStack() as load:
        for _ in range(3 * (os.cpu_count() or 1)):
            busy = load.enter_context(Running([sys.executable, "-c", "while True: pass"]))
            load.callback(busy.kill)
        stopwatch = Stopwatch()
        begun_s = time.monotonic()
        until(lambda: time.monotonic() - begun_s > 2, "two seconds")
        # They take a moment to start.
        assert stopwatch.elapsed_s < 1.5
