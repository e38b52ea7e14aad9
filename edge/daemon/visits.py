"""The service's side of `edge.host.visits`: says who comes to a program that has connected.

The loop itself sends, a few bytes to a socket that is never waited for; without a reader a turn
costs one call that finds nobody.
"""

from __future__ import annotations

import logging
import math
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.clock import SYSTEM_CLOCK, Clock
from edge.daemon.lookout import Glance
from edge.host.local_socket import listening_at
from edge.host.visits import EndedVisit, VisitNews, socket_of
from edge.observers import Observer, Observers
from edge.station import hindrance
from edge.telemetry import CameraState, Telemetry

_log = logging.getLogger(__name__)

SAY_EVERY_S = 0.5
MOST = 4
"""Readers at once."""


class VisitsOutlet:
    """Says who comes. For the loop's thread."""

    def __init__(self, path: Path, observers: Observers, clock: Clock = SYSTEM_CLOCK) -> None:
        """`path` is the socket's."""
        self._path = path
        self._observers = observers
        self._observer: Observer | None = None
        self._clock = clock
        self._listener: socket.socket | None = None
        self._readers: tuple[socket.socket, ...] = ()
        self._in_sight = 0
        self._said = VisitNews(is_watching=False, in_sight=0)
        self._said_s = -math.inf

    def start(self) -> None:
        """Listen. Where that cannot be, only `tensormask qualify` misses it, and says so."""
        try:
            self._listener = listening_at(self._path, socket.SOCK_SEQPACKET, MOST)
            self._listener.setblocking(False)
        except OSError as error:
            _log.warning("%s: %s; no `tensormask qualify`", self._path, error.strerror or error)

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        self._welcome()
        if not self._readers:
            return
        if self._observer is None:
            self._observer, self._in_sight = self._observers.join(), 0
        judged = self._observer.take(0)
        if judged is not None:
            self._in_sight = sum(not each.is_lifeless for each in judged.outcome.standings)
        is_watching = telemetry.camera.state is CameraState.RUNNING and not hindrance(telemetry)
        ended = tuple(
            EndedVisit(each.verdict, round(each.face_px, 1), glance.camera)
            for each in glance.decision.visits
        )
        news = VisitNews(is_watching, self._in_sight if is_watching else 0, ended)
        now_s = self._clock.monotonic_s()
        if ended or news != self._said or now_s - self._said_s >= SAY_EVERY_S:
            self._said, self._said_s = msgspec.structs.replace(news, ended=()), now_s
            self._say(msgspec.json.encode(news))

    def close(self) -> None:
        self._rest()
        for reader in self._readers:
            reader.close()
        self._readers = ()
        if self._listener is not None:
            self._listener.close()
            with suppress(OSError):
                self._path.unlink()

    def _welcome(self) -> None:
        if self._listener is None:
            return
        try:
            reader, _ = self._listener.accept()
        except OSError:  # nobody, or gone again
            return
        if len(self._readers) >= MOST:
            reader.close()
            return
        reader.setblocking(False)
        self._readers = (*self._readers, reader)
        self._said_s = -math.inf  # it has heard nothing yet

    def _say(self, news: bytes) -> None:
        """Send it to each; a reader that has gone, or does not read, has heard the last."""
        left = []
        for reader in self._readers:
            try:
                reader.send(news, socket.MSG_NOSIGNAL)
                left.append(reader)
            except OSError:
                reader.close()
        self._readers = tuple(left)
        if not left:
            self._rest()

    def _rest(self) -> None:
        """Keep no frames for a reader that is not there."""
        if self._observer is not None:
            self._observers.leave(self._observer)
        self._observer = None


def open_visits(state: Path, observers: Observers) -> VisitsOutlet:
    """Return it; `state` is the device's."""
    return VisitsOutlet(socket_of(state), observers)
