"""Is a camera in the network there at all, does it speak TLS, and if not, why not? Answers in time.

FFmpeg itself looks a name up without any limit of time, and says no reasons.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any

from edge.address import StreamSource
from edge.errors import CameraError

_Found = list[tuple[socket.AddressFamily, socket.SocketKind, Any]]
"""Addresses, each as its family writes it."""

MAX_QUESTIONS = 4
"""Names that are being looked up at once: where name servers are dead each of them waits for a
minute or more, and cannot be called off."""
_questions = threading.BoundedSemaphore(MAX_QUESTIONS)
_TLS_RECORDS = (b"\x16\x03", b"\x15\x03")
"""How an answer in TLS begins, a handshake or an alert."""
_VERSIONS = {"rtsp": "RTSP/1.0", "http": "HTTP/1.1"}
_asked_once = lru_cache(maxsize=4)
"""In one outage: a camera with room for one viewer may keep it for seconds after the last one."""


def connected(host: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection to a host, made within `timeout_s`. Its own timeout is yet to be set.

    Raises CameraError, which says why there is none.
    """
    deadline_s = time.monotonic() + timeout_s
    found = looked_up(host, port, timeout_s)
    reason = ""
    for tried, (family, kind, address) in enumerate(found):
        # Of two addresses the first may be one that nothing answers at.
        left_s = (deadline_s - time.monotonic()) / (len(found) - tried)
        if left_s <= 0:
            break
        try:
            return _connection(family, kind, address, left_s)
        except TimeoutError:
            reason = ""
        except OSError as error:
            reason = error.strerror or str(error)
    reason = reason or f"no answer for {timeout_s:g} s"
    raise CameraError(f"{reason}; is the camera on, and the address right?")


def _connection(
    family: socket.AddressFamily, kind: socket.SocketKind, address: Any, timeout_s: float
) -> socket.socket:
    # A family that this machine does not speak fails here, another address may work.
    peer = socket.socket(family, kind)
    try:
        peer.settimeout(timeout_s)
        peer.connect(address)
    except OSError:
        peer.close()
        raise
    return peer


def looked_up(host: str, port: int, timeout_s: float) -> _Found:
    """Return the host's addresses, found within `timeout_s`. Raises CameraError, which says why
    there are none."""
    found = _look_up(host, port, timeout_s)
    if isinstance(found, str):
        raise CameraError(found)
    return found


def _look_up(host: str, port: int, timeout_s: float) -> _Found | str:
    deadline_s = time.monotonic() + timeout_s
    answers: queue.SimpleQueue[_Found | str] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([(family, kind, address) for family, kind, _, _, address in found])
        except OSError as error:
            answers.put(f"{error.strerror}; is its name right, and is a name server reachable?")
        finally:
            _questions.release()

    if _questions.acquire(timeout=timeout_s):
        threading.Thread(target=ask, name="look up", daemon=True).start()
        with suppress(queue.Empty):
            return answers.get(timeout=max(0.0, deadline_s - time.monotonic()))
    return f"its name was not resolved within {timeout_s:g} s: the name servers do not respond"


@_asked_once
def speaks_tls(stream: StreamSource, timeout_s: float) -> bool:
    """Return whether its port answers TLS's first message in TLS: nothing else is sent.

    Raises CameraError where there is no connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    hello = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="camera").do_handshake()
    return _answer(stream, hello.read(), timeout_s)[:2] in _TLS_RECORDS


@_asked_once
def speaks(stream: StreamSource, protocol: str, timeout_s: float) -> bool:
    """Return whether its port answers `rtsp` or `http` that is in clear; nothing secret is sent.

    Raises CameraError where there is no connection.
    """
    version = _VERSIONS[protocol]
    asked = f"OPTIONS * {version}\r\nHost: {stream.place}\r\nCSeq: 1\r\n\r\n"
    return _answer(stream, asked.encode(), timeout_s).startswith(version[:5].encode())


def forget_answers() -> None:
    """The outage is over: let the next one ask again."""
    speaks_tls.cache_clear()
    speaks.cache_clear()


def _answer(stream: StreamSource, said: bytes, timeout_s: float) -> bytes:
    """Return the first bytes of what is answered within `timeout_s`; none: nothing is."""
    deadline_s = time.monotonic() + timeout_s
    with connected(stream.host, stream.port, timeout_s) as peer:
        peer.settimeout(max(0.001, deadline_s - time.monotonic()))
        with suppress(OSError):
            peer.sendall(said)
            return peer.recv(16)
    return b""
