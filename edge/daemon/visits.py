"""The service's side of `edge.host.visits`: says who comes to a program that has connected.

The loop itself sends, a few bytes to a socket that is never waited for; without a reader a turn
costs one call that finds nobody.
"""

from __future__ import annotations

import logging
import math
import socket
from collections.abc import Mapping
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


class _Scene:
    """What is said of one camera. For the loop's thread."""

    def __init__(self, camera: str, observers: Observers, clock: Clock) -> None:
        self._camera = camera
        self._observers = observers
        self._clock = clock
        self._observer: Observer | None = None
        self._in_sight = 0
        self._said = VisitNews(is_watching=False, in_sight=0)
        self._said_s = -math.inf

    def news(self, glance: Glance, telemetry: Telemetry) -> VisitNews | None:
        """Return what is to be said now; None: that has been said lately."""
        if self._observer is None:
            self._observer, self._in_sight = self._observers.join(), 0
        judged = self._observer.take(0)
        if judged is not None:
            self._in_sight = sum(not each.is_lifeless for each in judged.outcome.standings)
        own = telemetry.of(self._camera)
        is_watching = own.camera.state is CameraState.RUNNING and not hindrance(own)
        visits = glance.decision.visits if glance.camera == self._camera else ()
        ended = tuple(EndedVisit(each.verdict, round(each.face_px, 1)) for each in visits)
        in_sight = self._in_sight if is_watching else 0
        news = VisitNews(is_watching, in_sight, ended, self._camera)
        now_s = self._clock.monotonic_s()
        if not ended and news == self._said and now_s - self._said_s < SAY_EVERY_S:
            return None
        self._said, self._said_s = msgspec.structs.replace(news, ended=()), now_s
        return news

    def repeat(self) -> None:
        """Say it again: somebody has heard nothing yet."""
        self._said_s = -math.inf

    def rest(self) -> None:
        """Keep no frames for a reader that is not there."""
        if self._observer is not None:
            self._observers.leave(self._observer)
        self._observer = None


class VisitsOutlet:
    """Says who comes. For the loop's thread."""

    def __init__(
        self, path: Path, observers: Mapping[str, Observers], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """`path` is the socket's; `observers` are those of each camera, by its name."""
        self._path = path
        self._scenes = tuple(_Scene(name, each, clock) for name, each in observers.items())
        self._listener: socket.socket | None = None
        self._readers: tuple[socket.socket, ...] = ()

    def start(self) -> None:
        """Listen. Where that cannot be, only `tensormask qualify` misses it, and says so."""
        try:
            self._listener = listening_at(self._path, socket.SOCK_SEQPACKET, MOST)
            self._listener.setblocking(False)
        except OSError as error:
            _log.warning("%s: %s; no `tensormask qualify`", self._path, error.strerror or error)

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        self._welcome()
        for scene in self._scenes if self._readers else ():
            if (news := scene.news(glance, telemetry)) is not None:
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
        for scene in self._scenes:
            scene.repeat()

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
        for scene in self._scenes:
            scene.rest()


def open_visits(state: Path, observers: Mapping[str, Observers]) -> VisitsOutlet:
    """Return it; `state` is the device's."""
    return VisitsOutlet(socket_of(state), observers)
