"""What a connection leaves behind: nothing, however it has ended."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config

from edge.page.door import UNCOLLECTED, Connection, Door
from tests import loops

COUNT = 50
RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which a connection is not closed but reset."""


def _asked(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def _asked_and_reset(connection: socket.socket) -> None:
    _asked(connection)
    with socket.create_connection(connection.getpeername(), 5) as next_one:
        _asked(next_one)  # by then the answer to the first is complete
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def _malformed(connection: socket.socket) -> None:
    connection.sendall(b"\x00GET /\xff\xfe : HTTP/9.9\r\n: \r\n\r\n")
    connection.recv(1000)


@contextmanager
def _collected_by_hand() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("visit", [_asked, _asked_and_reset, _malformed])
def test_few_connections_that_have_ended_take_memory(
    visit: Callable[[socket.socket], None],
) -> None:
    """Each takes some 300 kB over TLS, and a stranger makes hundreds in ten seconds."""

    async def index(request: Any) -> Response:
        return Response(b"here")

    async def visited() -> int:
        app = Starlette(routes=[Route("/", index)])
        door = Door(Config(app, http="h11", ws="none", lifespan="off", log_config=None))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(door.serve([listener]))
            for _ in range(COUNT):
                await asyncio.to_thread(_visit, listener.getsockname(), visit)
            async with asyncio.timeout(5):
                while door.count:
                    await asyncio.sleep(0.01)
            left = sum(isinstance(each, Connection) for each in gc.get_objects())
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            return left

    with _collected_by_hand():
        assert loops.run(visited()) <= UNCOLLECTED


def _visit(address: tuple[str, int], visit: Callable[[socket.socket], None]) -> None:
    with socket.create_connection(address, 5) as connection:
        visit(connection)
