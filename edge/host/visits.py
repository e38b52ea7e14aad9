"""What the running service says of each visit, to a program on the same machine that connects.

A Unix socket of datagrams, for root and the service's own user. Nothing is kept: what nobody hears
is gone. `edge.daemon.visits` is the other end.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping
from os import environ
from pathlib import Path

import msgspec

from edge.errors import NotAllowedError, TensorMaskError
from edge.host.status_file import runtime_directory
from edge.records import Verdict

SOCKET = "visits.sock"
MAX_BYTES = 64 * 1024


class EndedVisit(msgspec.Struct, frozen=True):
    """Somebody has left."""

    verdict: Verdict
    face_px: float
    """Of the largest face that was judged; 0: none was."""


class VisitNews(msgspec.Struct, frozen=True):
    """What is said of each camera twice a second, and whenever it changes."""

    is_watching: bool
    """Whether somebody would be judged now."""
    in_sight: int
    """How many people are followed."""
    ended: tuple[EndedVisit, ...] = ()
    """Since the last news."""
    camera: str = ""
    """Its name; empty: the only one, which has none."""


class VisitsGoneError(TensorMaskError):
    """See what has become of the service: it does not say any more who comes."""


def socket_of(state: Path, environment: Mapping[str, str] = environ) -> Path:
    """Return where the service listens: in memory under systemd, else beside its state."""
    return (runtime_directory(environment) or state) / SOCKET


class VisitReader:
    """Hears who comes. Not for several threads."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises VisitsGoneError, and NotAllowedError."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect(str(path))
        except PermissionError as error:
            self._socket.close()
            raise NotAllowedError(f"{path}: {error.strerror}") from error
        except OSError as error:
            self._socket.close()
            raise VisitsGoneError(
                f"the service does not say who comes ({path}: {error.strerror}); see whether it "
                "runs: tensormask status"
            ) from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def take(self, timeout_s: float) -> VisitNews | None:
        """Return what is said next; None: nothing in time. Raises VisitsGoneError."""
        until_s = time.monotonic() + timeout_s
        ready, _, _ = select.select([self._socket], [], [], max(0.0, until_s - time.monotonic()))
        if not ready:
            return None
        try:
            content = self._socket.recv(MAX_BYTES)
            news = msgspec.json.decode(content, type=VisitNews) if content else None
        except (OSError, ValueError) as error:
            raise VisitsGoneError(f"the service says what is not understood: {error}") from error
        if news is None:
            raise VisitsGoneError(
                "the service has ended or was restarted; see how it does: tensormask status"
            )
        return news

    def close(self) -> None:
        self._socket.close()
