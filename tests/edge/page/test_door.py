"""How long a connection lasts, and what it leaves behind: nothing, however it has ended."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config

from edge.page.door import (
    CONNECTION,
    REQUEST_S,
    RESPONSE_S,
    STRANGER_S,
    UNCOLLECTED,
    Caller,
    Door,
    Phase,
)
from edge.page.server import unavailable
from tests import loops
from tests.fakes import TurnedClock
from tests.waiting import DEADLINE_S

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


def before_the_service(path: str) -> str:
    async def asked() -> bytes:
        door = Door(Config(unavailable(), http="h11", ws="none", lifespan="off", log_config=None))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(door.serve([listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            head = f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.read()
            writer.close()
            serving.cancel()
        return answer

    return loops.run(asked()).decode()


def test_a_kiosk_that_comes_before_the_service_shows_a_sign_that_is_closed() -> None:
    page = before_the_service("/sign?token=of-somebody")
    assert page.startswith("HTTP/1.1 200 ")
    assert "content-security-policy: default-src 'none'" in page.lower()
    assert 'data-for="closed"' in page
    assert before_the_service("/sign.js").startswith("HTTP/1.1 200 ")
    assert before_the_service("/sign/state").startswith("HTTP/1.1 503 ")


def test_a_browser_that_comes_before_the_service_is_told_to_wait() -> None:
    answer = before_the_service("/")
    assert answer.startswith("HTTP/1.1 503 ")
    assert "\r\nretry-after: 5\r\n" in answer.lower()
    assert 'http-equiv="refresh" content="5"' in answer
    assert "starting, or stopped" in answer


@pytest.mark.parametrize("keeps", ["close", "keep-alive"])
def test_who_was_let_in_is_answered_before_the_end(keeps: str) -> None:
    async def asked() -> bytes:
        may_answer = asyncio.Event()

        async def index(request: Any) -> Response:
            await may_answer.wait()
            return Response(b"here")

        app = Starlette(routes=[Route("/", index)])
        door = Door(Config(app, http="h11", ws="none", lifespan="off", log_config=None))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(door.serve([listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(f"GET / HTTP/1.1\r\nHost: here\r\nConnection: {keeps}\r\n\r\n".encode())
            async with asyncio.timeout(DEADLINE_S):
                while not door.count:
                    await asyncio.sleep(0.01)
            serving.cancel()
            ending = asyncio.create_task(door.answered(DEADLINE_S))
            await asyncio.sleep(0)
            assert not ending.done()
            may_answer.set()
            answer = await reader.readuntil(b"here")
            await asyncio.wait_for(
                ending, DEADLINE_S / 2
            )  # one that is kept open is not waited for
            writer.close()
        return answer

    assert loops.run(asked()).startswith(b"HTTP/1.1 200 ")


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
            left = sum(isinstance(each, Caller) for each in gc.get_objects())
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            return left

    with _collected_by_hand():
        assert loops.run(visited()) <= UNCOLLECTED


def _visit(address: tuple[str, int], visit: Callable[[socket.socket], None]) -> None:
    with socket.create_connection(address, 5) as connection:
        visit(connection)


class Slow:
    """A door before an answer that comes when the test says so."""

    def __init__(self, is_known: bool) -> None:
        async def index(request: Any) -> Response:
            request.scope[CONNECTION].serves("192.0.2.1", is_known=is_known)
            await self.answer.acquire()
            return Response(b"here")

        self.answer = asyncio.Semaphore(0)
        self.clock = TurnedClock()
        app = Starlette(routes=[Route("/", index)])
        config = Config(app, http="h11", ws="none", lifespan="off", log_config=None)
        self.door = Door(config, clock=self.clock)

    async def passes(self, seconds: float, phase: Phase = Phase.RESPONSE) -> None:
        """Have time pass while an answer is waited for, or the rest of a request."""
        async with asyncio.timeout(5):
            while [each.phase for each in self.door._connections] != [phase]:
                await asyncio.sleep(0.01)
        self.door.end_late()
        self.clock.now_s += seconds
        self.door.end_late()


@pytest.mark.parametrize(
    ("is_known", "seconds", "has_ended"),
    [
        (False, STRANGER_S - 1, False),
        (False, STRANGER_S + 1, True),
        (True, STRANGER_S + 1, False),
        (True, RESPONSE_S + 1, True),
    ],
)
def test_an_answer_has_a_deadline_and_a_strangers_is_shorter(
    is_known: bool, seconds: float, has_ended: bool
) -> None:
    assert loops.run(_asked_after(is_known, [seconds])) == [not has_ended]


def test_a_request_that_does_not_end_is_given_up() -> None:
    async def asked() -> bytes:
        slow = Slow(is_known=False)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(slow.door.serve([listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET /report HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            await slow.passes(REQUEST_S - 1, Phase.REQUEST)
            assert slow.door.count == 1
            await slow.passes(2, Phase.REQUEST)
            assert slow.door.count == 0
            answer = b""
            with suppress(ConnectionError):
                answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
            writer.close()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            return answer

    assert loops.run(asked()) == b""


def test_who_asks_again_at_once_has_a_new_deadline() -> None:
    seconds = [RESPONSE_S - 1] * 3
    assert loops.run(_asked_after(True, seconds)) == [True] * 3


async def _asked_after(is_known: bool, seconds: list[float]) -> list[bool]:
    """Ask repeatedly on one connection; return whether answers came after this many seconds."""
    slow = Slow(is_known)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(slow.door.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        answered = []
        for each_s in seconds:
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            await slow.passes(each_s)
            slow.answer.release()
            try:
                answered.append(bool(await reader.readuntil(b"here")))
            except (ConnectionError, asyncio.IncompleteReadError):
                answered.append(False)
        writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return answered
