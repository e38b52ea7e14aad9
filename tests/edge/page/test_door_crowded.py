"""Who is let in, and who is ended, where more come than there is room for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from http.client import HTTPException, HTTPResponse

import pytest
from uvicorn import Config

from edge.page.door import MOST, MOST_OF_ONE, Door
from edge.page.guard import Guard
from edge.page.origin import Site
from edge.page.password import hashed
from edge.page.server import application
from edge.page.wire import Front
from tests import loops
from tests.fakes import TurnedClock

OWNER = "127.0.0.9"
STRANGERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
PROXY = "127.0.0.1"
GUARD = Guard(hashed("open sesame", b"0123456789abcdef"), b"key")
FRONT = Front("", "127.0.0.1", 0)
SESSION = GUARD._new_session()
HURRY_S = 60.0
"""The door's clock stands still: nobody is answered because somebody's time is over."""
OWN_TASKS = 4
"""The test itself, and three of the door."""


class SlowHub:
    """Its report comes at the end of the test."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def report(self) -> bytes:
        await self.end.wait()
        return b""


@asynccontextmanager
async def opened(proxies: Sequence[str] = ()) -> AsyncIterator[tuple[Door, tuple[str, int]]]:
    hub = SlowHub()
    app = application(hub, GUARD, Site("door", has_password=True), FRONT)  # type: ignore[arg-type]
    config = Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
    )
    door = Door(config, clock=TurnedClock())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(door.serve([listener]))
        yield door, listener.getsockname()
        hub.end.set()
        async with asyncio.timeout(HURRY_S):
            while door.count or len(asyncio.all_tasks()) > OWN_TASKS:
                await asyncio.sleep(0.01)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


class Visitor:
    """A connection from an address, or through the proxy from there."""

    def __init__(self, door: tuple[str, int], address: str, through_proxy: bool = False) -> None:
        self._headers = "Host: here\r\n"
        if through_proxy:
            self._headers += f"X-Forwarded-For: {address}\r\n"
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(HURRY_S)
        self._socket.bind((PROXY if through_proxy else address, 0))
        self._socket.connect(door)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, path: str, times: int = 1, session: str = "") -> None:
        cookie = f"Cookie: tensormask-door={session}\r\n" if session else ""
        self.send(f"GET {path} HTTP/1.1\r\n{self._headers}{cookie}\r\n".encode() * times)

    def send(self, content: bytes) -> None:
        with suppress(OSError):  # it has been ended: what is wanted of a stranger
            self._socket.sendall(content)

    def status(self, path: str, session: str = "") -> int:
        """Return the status of the answer; 0: there is none."""
        self.ask(path, session=session)
        try:
            answer = HTTPResponse(self._socket)
            answer.begin()
            answer.read()
            return answer.status
        except (OSError, HTTPException):
            return 0


@contextmanager
def crowd(door: tuple[str, int], paths: str, through_proxy: bool = False) -> Iterator[None]:
    """As many as there is room for, from three addresses, all in the middle of what they do."""
    with ExitStack() as stack:
        for address in STRANGERS:
            for _ in range(MOST_OF_ONE):
                visitor = stack.enter_context(Visitor(door, address, through_proxy))
                if paths.startswith("/"):
                    visitor.ask(paths, times=200)
                else:
                    visitor.send(paths.encode())
        yield


IDLE = ""
HALF = "POST /login HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n1"
CROWDS = pytest.mark.parametrize(
    ("paths", "through_proxy"),
    [
        *[(IDLE, False), (HALF, False), ("/page.css", False), ("/health", False)],
        *[("/page.css", True), ("/health", True)],
    ],
    ids=["idle", "half", "no reading", "waiting", "no reading, proxy", "waiting, proxy"],
)


@CROWDS
def test_strangers_who_do_not_end_shut_out_nobody(paths: str, through_proxy: bool) -> None:
    def visit(door: tuple[str, int]) -> list[int]:
        with Visitor(door, OWNER, through_proxy) as known:
            first = known.status("/page.css", SESSION)
            with crowd(door, paths, through_proxy):
                later = []
                for _ in range(10):
                    with Visitor(door, OWNER, through_proxy) as visitor:
                        later.append(visitor.status("/login"))
                return [first, *later]

    async def visited() -> list[int]:
        async with opened([PROXY] if through_proxy else ()) as (door, address):
            statuses = await asyncio.to_thread(visit, address)
            assert door.count <= MOST
            return statuses

    assert loops.run(visited()) == [200] * 11


def test_one_stranger_behind_a_proxy_does_not_shut_out_the_others() -> None:
    def visit(door: tuple[str, int]) -> list[int]:
        with ExitStack() as stack:
            for _ in range(MOST):
                stack.enter_context(Visitor(door, STRANGERS[0], through_proxy=True)).ask("/health")
            visitors = [
                stack.enter_context(Visitor(door, OWNER, through_proxy=True)) for _ in range(20)
            ]
            return [each.status("/login") for each in visitors]

    async def visited() -> list[int]:
        async with opened([PROXY]) as (_, address):
            return await asyncio.to_thread(visit, address)

    assert loops.run(visited()) == [200] * 20


def test_a_stranger_has_one_answer_for_each_connection() -> None:
    def visit(door: tuple[str, int]) -> tuple[list[int], list[int]]:
        with Visitor(door, STRANGERS[0]) as stranger, Visitor(door, OWNER) as known:
            return (
                [stranger.status("/icon.svg") for _ in range(3)],
                [known.status("/icon.svg", SESSION) for _ in range(3)],
            )

    async def visited() -> tuple[list[int], list[int]]:
        async with opened() as (_, address):
            return await asyncio.to_thread(visit, address)

    assert loops.run(visited()) == ([200, 0, 0], [200, 200, 200])


def test_who_is_logged_in_makes_room_for_nobody() -> None:
    def visit(door: tuple[str, int]) -> tuple[int, list[int]]:
        with ExitStack() as stack:
            known = []
            for _ in range(MOST):
                known.append(stack.enter_context(Visitor(door, OWNER)))
                assert known[-1].status("/icon.svg", SESSION) == 200
            with Visitor(door, STRANGERS[0]) as stranger:
                refused = stranger.status("/login")
            return refused, [each.status("/icon.svg", SESSION) for each in known]

    async def visited() -> tuple[int, list[int]]:
        async with opened() as (_, address):
            return await asyncio.to_thread(visit, address)

    assert loops.run(visited()) == (0, [200] * MOST)
