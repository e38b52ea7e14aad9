"""What the person before the camera is told, kept up to date beside the loop.

A thread of its own takes each judged frame: neither the loop nor a reader of the board waits.
"""

from __future__ import annotations

import logging

from edge.advice import AdviceBoard
from edge.config import Settings
from edge.daemon.lookout import Glance
from edge.daemon.side_thread import SideThread
from edge.observers import Judged, Observers
from edge.records import Advice
from edge.station import Adviser, Station
from edge.telemetry import Telemetry

_log = logging.getLogger(__name__)

ROOM = 8
"""Judged frames that may wait, each with its pixels: more than half a second of them."""
WAIT_S = 0.2
CLOSE_S = 0.4


class StationOutlet:
    """Posts each advice on `board`, and nothing more: a frame that does not come is no advice."""

    def __init__(self, adviser: Adviser, observers: Observers, board: AdviceBoard) -> None:
        self.board = board
        self._adviser = adviser
        self._observers = observers
        self._telemetry: Telemetry | None = None
        self._has_failed = False
        self._thread = SideThread("station", self._run)

    def start(self) -> None:
        self._thread.start()

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        """Take note of how the camera does."""
        self._telemetry = telemetry

    def close(self) -> None:
        self._thread.end(CLOSE_S)
        self.board.post(Advice.CLOSED)

    def _run(self) -> None:
        observer = self._observers.join(ROOM)
        while not self._thread.is_ending():
            judged = observer.take(WAIT_S)
            if judged is not None:
                self.board.post(self._advice(judged))
        self._observers.leave(observer)

    def _advice(self, judged: Judged) -> Advice:
        try:
            return self._adviser.take(judged.frame, judged.outcome, self._telemetry)
        except Exception:  # noqa: BLE001 - a fault of ours in one frame must not close it for good
            if not self._has_failed:
                _log.exception("the person before the camera cannot be advised")
            self._has_failed = True
            return Advice.CLOSED


def open_station(settings: Settings, observers: Observers) -> StationOutlet | None:
    """Return it; None where neither a station nor a sign is wanted: then nothing is computed."""
    if not settings.station.enabled:
        return None
    return StationOutlet(Station.of(settings), observers, AdviceBoard())
