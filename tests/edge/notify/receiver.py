"""A web server on this machine that takes notifications, or does what web servers do instead."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec

from tests.edge.capture.pki import Encrypted, Identity


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)


Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with this status; a header's name has _ for its hyphens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing for as long as the other side listens."""
    handler.connection.settimeout(60)
    handler.connection.recv(1)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Give a header that never ends, so that no pause is long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    for _ in range(600):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_body(handler: BaseHTTPRequestHandler) -> None:
    """Refuse, with a text that never ends."""
    handler.wfile.write(b"HTTP/1.1 500 Oh\r\n\r\n")
    for _ in range(600):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def flood(handler: BaseHTTPRequestHandler) -> None:
    """Answer well, and with more than anybody wants."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(2000):
        handler.wfile.write(b"x" * 100_000)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Take the request, and close the connection."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def babble(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.example ESMTP\r\n")


class _Server(Encrypted, ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no news."""


class Receiver:
    """Listens while its block lasts; can be closed, and opened again at the same port."""

    def __init__(self, identity: Identity | None = None) -> None:
        self.received: list[Received] = []
        self.answers: deque[Answer] = deque()
        """For the next requests; then `usual`."""
        self.usual: Answer = status(200)
        self._identity = identity
        self.port = 0
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self._identity else ''}://127.0.0.1:{self.port}"

    @property
    def documents(self) -> list[Any]:
        return [each.document for each in self.received]

    def open(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = receiver.answers.popleft() if receiver.answers else receiver.usual
                receiver.received.append(Received(self.command, self.path, self.headers, body))
                with suppress(OSError):
                    answer(self)

            do_POST = do_PUT = take  # noqa: N815 - as http.server has it

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        socketserver.TCPServer.allow_reuse_address = True
        self._server = _Server(("127.0.0.1", self.port), Handler)
        self._server.identity = self._identity
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
