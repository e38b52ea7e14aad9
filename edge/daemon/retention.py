"""Where nothing is recorded any more: what was recorded goes when it is too old, all the same."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from edge.clock import SYSTEM_CLOCK, Clock
from edge.daemon.lookout import Glance
from edge.daemon.side_thread import SideThread
from edge.history.keeper import HistoryKeeper
from edge.history.recording import FORGET_EVERY_S
from edge.history.store import HistoryError
from edge.keeping import HistoryState
from edge.telemetry import Telemetry

_log = logging.getLogger(__name__)

CLOSING_S = 0.5


class Retention:
    """An `Outlet` that takes nothing."""

    state: HistoryState | None = None

    def __init__(self, path: Path, days: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._keeper = HistoryKeeper(path, days)
        self._clock = clock
        self._clock_is_right = False
        self._has_failed = False
        self._known = threading.Event()
        """Whether the clock is right is known."""
        self._thread = SideThread("history", self._run)

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        self._clock_is_right = telemetry.clock.is_synchronised
        self._known.set()

    def close(self) -> None:
        self._thread.ask_to_end()
        self._known.set()
        self._thread.end(CLOSING_S)

    def _run(self) -> None:
        self._known.wait()
        for_s = 0.0
        while not self._thread.is_ending():
            if self._path.exists():
                self._forget(for_s)
            self._thread.rest(FORGET_EVERY_S)
            for_s = FORGET_EVERY_S

    def _forget(self, for_s: float) -> None:
        try:
            now = self._clock.utc()
            self._keeper.forget(now, clock_is_right=self._clock_is_right, for_s=for_s)
        except HistoryError as error:
            if not self._has_failed:
                _log.warning("%s; what is too old stays there", error)
            self._has_failed = True
        finally:
            self._keeper.close()
