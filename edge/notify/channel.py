"""A way to a target: what each kind does, and how it fails."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from edge.errors import ConfigError, TensorMaskError
from edge.notify.notification import Notification
from edge.secret import located


class UndeliveredError(TensorMaskError):
    """Wait, it is tried again; or fix what the text says. A notification was not taken."""

    def __init__(
        self,
        text: str,
        *,
        is_final: bool = False,
        wait_s: float | None = None,
        may_be_picture: bool = False,
    ) -> None:
        """`is_final`: it will not work before somebody fixes it; `wait_s`: the server asks for so
        long; `may_be_picture`: without its picture it may be taken."""
        super().__init__(text)
        self.is_final = is_final
        self.wait_s = wait_s
        self.may_be_picture = may_be_picture


class Channel(Protocol):
    """One target. Only a courier's thread, or a command, calls it."""

    def send(self, notification: Notification) -> str:
        """Return once the target has it, with what is to be said of that: mostly nothing.

        Raises UndeliveredError.
        """


class Deadline:
    """Ends a conversation on a socket that takes too long in all, however alive it seems.

    A timeout of a socket begins again with each byte; this one does not.
    """

    def __init__(self, connection: Callable[[], socket.socket | None], limit_s: float) -> None:
        self.is_over = False
        self._connection = connection
        self.limit_s = limit_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deadline", daemon=True)

    @property
    def pause_s(self) -> float:
        """For a connection, and for a pause in an answer."""
        return self.limit_s / 3

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()

    def _run(self) -> None:
        wait_s = self.limit_s
        # Again and again: the socket may only just be there, or be another one since STARTTLS.
        while not self._done.wait(wait_s):
            self.is_over, wait_s = True, 0.2
            ours = self._connection()
            if ours is not None:
                with suppress(OSError):
                    # Past SSLSocket's own, which would take the socket's TLS away from its thread.
                    socket.socket.shutdown(ours, socket.SHUT_RDWR)


def tls_context(ca_file: str, key: str) -> ssl.SSLContext:
    """Return a context that verifies the server, with the system's authorities or the given one.

    Raises ConfigError, which begins with `key`.
    """
    authority = located(ca_file, key) if ca_file else None
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigError(f"{key}: {ca_file}: {error.strerror or error}") from error


def plainly(error: Exception, deadline: Deadline) -> str:
    """Return what went wrong on the way to a server, in words for the owner."""
    if deadline.is_over:
        return f"no complete answer within {deadline.limit_s:g} s"
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}; check ca_file and host"
        case ssl.SSLError():
            return f"no TLS connection: {error.reason or error}; does this port speak TLS?"
        case socket.gaierror() | UnicodeError():
            return "its name cannot be resolved; check it, and the network's name server"
        case ConnectionRefusedError():
            return "it refuses the connection; is a server running there, on this port?"
        case TimeoutError():
            return f"no answer within {deadline.pause_s:g} s; check host, port and firewall"
        case OSError():
            return f"unreachable: {error.strerror or error}"
        case _:
            return f"its answer is not understood ({type(error).__name__})"
