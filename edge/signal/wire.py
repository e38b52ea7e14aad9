"""What the service and the process at the pins say to each other, over a Unix socket of datagrams.

The service listens: its folder decides who may connect. It is `SOCK_SEQPACKET`, so each message
arrives as a whole or not at all, and both notice at once when the other one has ended.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from edge.host.status_file import runtime_directory
from edge.signal.rules import Levels, Seen

FOLDER = "signal"
"""Below the service's RuntimeDirectory; root makes it, for the group of this process's unit."""
SOCKET = "daemon.sock"
MAX_BYTES = 4096
MOST = 64
"""Messages that are read in one turn: a flood keeps nobody from the rest of the turn."""


class Hear(msgspec.Struct, frozen=True, tag="seen"):
    """What the service sees now."""

    seen: Seen


class Mute(msgspec.Struct, frozen=True, tag="mute"):
    """Make no sound for so long; 0: make sounds again."""

    for_s: float


class PinReport(msgspec.Struct, frozen=True):
    """How the process at the pins does."""

    levels: Levels = Levels()
    muted_for_s: float | None = None
    """None: it makes sounds."""
    trouble: str = ""
    """What does not work, in a sentence, with what to do."""


FromDaemon = Hear | Mute
Message = TypeVar("Message")
_encode = msgspec.msgpack.Encoder().encode


def socket_path(state: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the service listens: in memory under systemd, else beside its state."""
    runtime = runtime_directory(environment)
    return (state if runtime is None else runtime) / FOLDER / SOCKET


class Line(Generic[Message]):
    """One end of a connection. No call waits."""

    def __init__(self, connected: socket.socket, kind: object) -> None:
        """`kind` is what the other end says: `FromDaemon` or `PinReport`."""
        connected.setblocking(False)
        self._socket = connected
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self.is_open = True

    def fileno(self) -> int:
        return self._socket.fileno()

    def say(self, message: Hear | Mute | PinReport) -> bool:
        """Send; return whether it was taken. An end that does not read is not waited for."""
        try:
            self._socket.send(_encode(message), socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except OSError:
            self.close()
            return False
        return True

    def take(self) -> Iterator[Message]:
        """Return what has come. Who says what is not understood is of another release: it ends."""
        for _ in range(MOST):
            if not self.is_open:
                return
            try:
                content = self._socket.recv(MAX_BYTES)
                if not content:
                    self.close()
                    return
                message: Message = self._decode(content)
            except BlockingIOError:
                return
            except (OSError, ValueError, OverflowError, RecursionError):
                self.close()
                return
            yield message

    def close(self) -> None:
        self.is_open = False
        with suppress(OSError):
            self._socket.close()


def connected(path: Path) -> Line[FromDaemon] | None:
    """Return a connection to the service; None where there is none."""
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    ours.setblocking(False)
    try:
        ours.connect(str(path))
    except OSError:  # it has not started, has ended, or has as many as it takes
        ours.close()
        return None
    return Line(ours, FromDaemon)
