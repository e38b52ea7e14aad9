"""Strangers in the street who want the page gone, and its owner, who looks all the while.

    python -m tests.installed.lab.attack KIND     until it is ended
    python -m tests.installed.lab.attack owner PASSWORD

Each attacker writes a line when as much as was asked for is under way. The owner writes a line for
each report: how long it took, in seconds, and its HTTP status; 0: no answer.
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator

from tests.installed.lab.street import ATTACKERS, BOX, VISITOR

# ruff: noqa: T201 - a command line module

PORT = 8080
ORIGIN = f"https://{BOX}:{PORT}"
COUNTS = {
    "idle": 100,
    "aborted": 40,
    "garbage": 40,
    "malformed": 2110,
    "handshakes": 1000,
    "guesses": 100,
    "unread": 100,
}
"""What had been enough to hang the page, or to lock its owner out, and more."""
TIMEOUT_S = 5.0
_addresses = itertools.cycle(ATTACKERS)
_tls = ssl.create_default_context()
_tls.check_hostname, _tls.verify_mode = False, ssl.CERT_NONE


def plain(address: str = "", receives: int = 0) -> socket.socket:
    """Connect from an address; `receives`: as many bytes as may wait to be read here."""
    connection = socket.socket()
    connection.settimeout(TIMEOUT_S)
    if receives:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    connection.bind((address or next(_addresses), 0))
    connection.connect((BOX, PORT))
    return connection


def secured(address: str = "", receives: int = 0) -> ssl.SSLSocket:
    return _tls.wrap_socket(plain(address, receives))


def _post(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return (
        f"POST /login HTTP/1.1\r\nHost: {BOX}:{PORT}\r\nOrigin: {ORIGIN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    ).encode() + body


def idle(address: str = "") -> socket.socket:
    """A connection that sends no request."""
    return secured(address)


def handshakes(address: str = "") -> socket.socket:
    """A connection on which TLS is never begun."""
    return plain(address)


def unread(address: str = "") -> socket.socket:
    """A hundred requests, and nobody who reads the answers."""
    connection = secured(address, receives=4096)
    connection.sendall(f"GET /page.css HTTP/1.1\r\nHost: {BOX}:{PORT}\r\n\r\n".encode() * 100)
    return connection


def aborted(address: str = "") -> None:
    """A POST of which half comes, and then the end."""
    with secured(address) as connection:
        connection.sendall(_post(b'"x', 5000))


def garbage(address: str = "") -> None:
    """A password that is no UTF-8."""
    with secured(address) as connection:
        connection.sendall(_post(b'"\xff"'))
        connection.recv(1000)


def malformed(address: str = "") -> None:
    """What is no HTTP."""
    with secured(address) as connection:
        connection.sendall(b"\x00GET /\xff\xfe : HTTP/9.9\r\n: \r\n\r\n")


def guesses(address: str = "") -> None:
    with secured(address) as connection:
        connection.sendall(_post(json.dumps(f"guess {time.monotonic()}").encode()))
        connection.recv(1000)


ATTACKS: dict[str, Callable[[str], socket.socket | None]] = {
    each.__name__: each for each in (idle, aborted, garbage, malformed, handshakes, guesses, unread)
}


def attack(kind: str) -> Iterator[int]:
    """Go on for ever; return after each attempt how many there were."""
    held: list[socket.socket] = []
    for number in itertools.count(1):
        try:
            opened = ATTACKS[kind]("")
        except OSError:
            opened = None  # sent away: what is wanted
        if opened is not None:
            held.append(opened)
        if len(held) > COUNTS[kind]:
            held.pop(0).close()
            time.sleep(0.05)
        yield number


class Owner:
    """Logs in, and asks for reports."""

    def __init__(self) -> None:
        self._cookies = ""

    def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """Return the status; 0: no answer."""
        connection = http.client.HTTPSConnection(
            BOX, PORT, timeout=TIMEOUT_S, source_address=(VISITOR, 0), context=_tls
        )
        try:
            connection.request(method, path, body, {"Origin": ORIGIN, "Cookie": self._cookies})
            answer = connection.getresponse()
            answer.read()
            given = [each.partition(";")[0] for each in answer.headers.get_all("set-cookie", [])]
            self._cookies = "; ".join(given) or self._cookies
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def look(password: str) -> None:
    owner = Owner()
    print(owner.ask("POST", "/login", json.dumps(password).encode()), flush=True)
    while True:
        begun_s = time.monotonic()
        status = owner.ask("GET", "/report")
        print(f"{time.monotonic() - begun_s:.3f} {status}", flush=True)
        time.sleep(0.1)


def main() -> None:
    if sys.argv[1] == "owner":
        look(sys.argv[2])
    for number in attack(sys.argv[1]):
        if number == COUNTS[sys.argv[1]]:
            print("under way", flush=True)


if __name__ == "__main__":
    main()
