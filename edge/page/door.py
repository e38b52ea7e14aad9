"""Which connections the page keeps: how many of one source, how many together, and for how long.

A connection that sends no request, sends one slowly, or reads its answer slowly costs memory, and a
hundred of them shut out everybody else. So:

- Each step of a connection has a deadline: handshake, request, answer. That of a stranger's answer
  is shorter, and his connection carries one request: a hundred at once would take all of a core.
- Where there are too many, of one source or together, a stranger is ended for the next: one of the
  source that has most strangers, and of these the one that is at its step for longest, whatever
  step that is. Who is let in is never ended for another.
- A source is a network, see `network_of`. Behind a reverse proxy it is that of the request's
  sender; until there is a request, each connection of a proxy is a source by itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

from uvicorn import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from edge.clock import SYSTEM_CLOCK, Clock
from edge.page.guard import network_of

_log = logging.getLogger(__name__)

MOST = 80
"""Connections together. Over TLS each takes some 500 kB, even before its handshake is over."""
MOST_OF_ONE = 32
"""Connections of strangers from one source."""
HANDSHAKE_S = 5.0
REQUEST_S = 10.0
"""How long a request may take to arrive, or the next one to begin."""
RESPONSE_S = 30.0
"""How long an answer may take, the wait for a newer scene included."""
STRANGER_S = 10.0
"""How long a stranger's step may take, whatever it is."""
SWEEP_S = 1.0
LOOKED_S = 0.02
"""How often it is looked whether the last ones have their answers."""
FULL_S = 0.2
"""After this the next connection is looked at, where the system has no file or memory left."""
UNCOLLECTED = 16
"""How many ended connections may wait for the garbage collector: what is refused as no TLS or no
HTTP is part of a cycle, with its exception."""
CONNECTION = "tensormask.connection"
"""The key in an ASGI scope under which a request's `Caller` is."""


class Phase(Enum):
    HANDSHAKE = "handshake"
    REQUEST = "request"
    RESPONSE = "response"


DEADLINES_S = {
    Phase.HANDSHAKE: HANDSHAKE_S + SWEEP_S,  # asyncio ends it first
    Phase.REQUEST: REQUEST_S,
    Phase.RESPONSE: RESPONSE_S,
}


class Caller:
    """One connection, from before its TLS handshake."""

    def __init__(self, source: str, clock: Clock) -> None:
        self.source = source
        self.is_stranger = True
        self._clock = clock
        self.since_s = clock.monotonic_s()
        """Since when it is at its present step."""
        self.task: asyncio.Task[None] | None = None
        self.protocol: H11Protocol | None = None
        self._phase = Phase.HANDSHAKE

    def serves(self, address: str, *, is_known: bool) -> None:
        """Take note of a request: from where it is, and whether its sender is let in."""
        self.source, self.is_stranger = network_of(address), not is_known
        self.since_s = self._clock.monotonic_s()

    @property
    def phase(self) -> Phase:
        if self.protocol is None or self.protocol.transport is None:
            return Phase.HANDSHAKE
        cycle = self.protocol.cycle
        is_sending = self.protocol.transport.get_write_buffer_size() > 0
        if is_sending or not (cycle is None or cycle.response_complete or cycle.more_body):
            return Phase.RESPONSE
        return Phase.REQUEST

    @property
    def is_idle(self) -> bool:
        """Return whether it has had an answer to all that it has asked."""
        return self.phase is Phase.REQUEST and getattr(self.protocol, "cycle", None) is not None

    def is_late(self) -> bool:
        """Return whether its deadline has passed; to be asked now and then to see phases change."""
        now_s = self._clock.monotonic_s()
        if self.phase is not self._phase:
            self._phase, self.since_s = self.phase, now_s
        most_s = DEADLINES_S[self._phase]
        return now_s - self.since_s > (min(most_s, STRANGER_S) if self.is_stranger else most_s)

    def end(self) -> None:
        if self.protocol is not None and self.protocol.transport is not None:
            self.protocol.transport.abort()
        elif self.task is not None:
            self.task.cancel()


class _Protocol(H11Protocol):
    """uvicorn's, with its connection in the scope of each request."""

    def __init__(self, connection: Caller, done: Callable[[Caller], None], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connection = connection
        self._done = done
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope[CONNECTION] = connection
            await inner(scope, receive, send)

        self.app = app
        connection.protocol = self

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # Of one that was reset, uvicorn's timer would hold all of it for REQUEST_S.
        self._unset_keepalive_if_required()
        self._connection.protocol = None  # or memory would wait for the garbage collector
        self._done(self._connection)


class Door:
    """Accepts connections for an application."""

    def __init__(
        self, config: Config, tls: ssl.SSLContext | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        config.load()
        self._config = config
        self._tls = tls
        self._clock = clock
        trusted = config.forwarded_allow_ips if config.proxy_headers else []
        self._proxies = ProxyHeadersMiddleware(config.loaded_app, trusted or []).trusted_hosts
        self._state = ServerState()
        self._connections: set[Caller] = set()
        self._uncollected = 0

    @property
    def count(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Accept from the listening sockets until it is canceled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep())
            for listener in listeners:
                listener.setblocking(False)
                tasks.create_task(self._accept(listener))

    async def answered(self, timeout_s: float) -> None:
        """Wait until everybody who was accepted has an answer, but no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not all(each.is_idle for each in self._connections):
                    await asyncio.sleep(LOOKED_S)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listener)
            except OSError:  # it left before, or no file is left for it
                await asyncio.sleep(FULL_S)
                continue
            source = str(peer) if peer[0] in self._proxies else network_of(peer[0])
            connection = Caller(source, self._clock)
            if not self._has_room(source):
                accepted.close()
                continue
            self._connections.add(connection)
            connection.task = asyncio.create_task(self._open(connection, accepted))
            connection.task.add_done_callback(partial(self._opened, connection, accepted))
            # Not all that wait at once: behind a proxy only the request tells whose each is.
            await asyncio.sleep(0)

    async def _open(self, connection: Caller, accepted: socket.socket) -> None:
        def protocol() -> _Protocol:
            return _Protocol(connection, self._forget, self._config, self._state, {})

        timeouts = (
            {}
            if self._tls is None
            else {
                "ssl_handshake_timeout": HANDSHAKE_S,
                "ssl_shutdown_timeout": 1.0,
            }
        )
        with suppress(OSError):  # no TLS
            await asyncio.get_running_loop().connect_accepted_socket(
                protocol, accepted, ssl=self._tls, **timeouts
            )

    def _opened(self, connection: Caller, accepted: socket.socket, _: asyncio.Task[None]) -> None:
        if connection.phase is Phase.HANDSHAKE:  # no TLS, or ended, even before it was begun
            accepted.close()
            self._forget(connection)

    def _forget(self, ended: Caller) -> None:
        self._connections.discard(ended)
        self._uncollected += 1
        if self._uncollected >= UNCOLLECTED:
            self._uncollected = 0
            gc.collect()

    def _has_room(self, source: str) -> bool:
        """Make room for one more of that source; return whether there is some."""
        strangers = [each for each in self._connections if each.is_stranger]
        counts = Counter(each.source for each in strangers)
        if counts[source] >= MOST_OF_ONE:
            strangers = [each for each in strangers if each.source == source]
        elif len(self._connections) < MOST:
            return True
        if strangers:
            self._end(min(strangers, key=lambda each: (-counts[each.source], each.since_s)))
        return bool(strangers)

    def end_late(self) -> None:
        """End all whose deadline is over."""
        for connection in [each for each in self._connections if each.is_late()]:
            self._end(connection)

    def _end(self, connection: Caller) -> None:
        self._connections.discard(connection)
        connection.end()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.end_late()
