"""Is a camera in the network there at all? Told in time, and why not.

FFmpeg itself looks a name up without any limit of time, and says no reasons.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from edge.errors import CameraError

_Found = list[tuple[socket.AddressFamily, socket.SocketKind, Any]]
"""Addresses, each as its family writes it."""

MAX_QUESTIONS = 4
"""Names that are being looked up at once: where name servers are dead each of them waits for a
minute or more, and cannot be called off."""
_questions = threading.BoundedSemaphore(MAX_QUESTIONS)


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
            answers.put(f"{error.strerror}; is its name right, and a name server there?")
        finally:
            _questions.release()

    if _questions.acquire(timeout=timeout_s):
        threading.Thread(target=ask, name="look up", daemon=True).start()
        with suppress(queue.Empty):
            return answers.get(timeout=max(0.0, deadline_s - time.monotonic()))
    return f"its name was not found within {timeout_s:g} s: the name servers do not answer"
