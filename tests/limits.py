"""Time limits that hold for whatever a test waits: in C, in leaving a block, in a teardown."""

from __future__ import annotations

import faulthandler
import os

import pytest
import pytest_timeout

RUN_S = 7200.0
"""So long a run may take whose tests run in processes of their own."""
_PATIENCE = 1.2
"""So many times the limit of a test, until its process is ended."""


class Limits:
    """Ends the process of a test that does not heed its `timeout`, with the stacks of its threads.

    pytest-timeout raises an exception at that moment, once. Whatever waits while the exception
    passes, a plain Popen that is left for one, waits for ever; and a fixture's end has no limit
    where the test failed before. Here a thread that needs nothing of Python ends the process, and
    xdist starts another one for the tests that are left.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._stderr = os.dup(2)  # before pytest keeps it
        chosen_s = config.getoption("timeout")
        limit_s = config.getini("timeout") if chosen_s is None else chosen_s
        self._usual_s = self._limit_s = _PATIENCE * float(limit_s or 0)

    def pytest_sessionstart(self) -> None:
        self.end_after(self._usual_s)  # loads the modules of the tests

    def end_after(self, limit_s: float) -> None:
        """End this process so long from now; 0: do not."""
        faulthandler.cancel_dump_traceback_later()
        if limit_s > 0:
            faulthandler.dump_traceback_later(limit_s, file=self._stderr, exit=True)

    def pytest_collection_finish(self) -> None:
        self.end_after(0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, settings: pytest_timeout.Settings) -> None:
        self._limit_s = _PATIENCE * settings.timeout
        self.end_after(self._limit_s)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        self.end_after(self._limit_s)  # a failure has taken the limit back

    def pytest_runtest_logfinish(self) -> None:
        self._limit_s = self._usual_s
        self.end_after(0)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self.end_after(self._usual_s)  # Python itself waits for threads
