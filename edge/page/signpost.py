"""The daemon's side of the sign: says to the page's process what the sign shows, at each change.

It speaks only, over a Unix socket of its own: no picture of anybody, no request, and nobody who
watches the live view is waited for. It speaks twice a second even if nothing changes, so a page
that hears nothing knows that the daemon has stopped.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.advice import AdviceBoard
from edge.config import SignSettings
from edge.host.local_socket import listening_at
from edge.page.sentences import notice_of, sentences_of
from edge.page.wire import SignMessage, framed_answer
from edge.records import Advice
from edge.version import version

_log = logging.getLogger(__name__)

BEAT_S = 0.4
"""Also how long a page waits for its first message at most."""
MOST = 4
"""Pages at once: one, and for a moment the next one."""
CLOSE_S = 0.5


class Signpost:
    """Reads the board, and passes it on, in a thread of its own."""

    def __init__(
        self, settings: SignSettings, board: AdviceBoard, path: Path, *, is_station: bool
    ) -> None:
        """`path` is the socket's."""
        self._sentences = sentences_of(settings)
        self._board = board
        self._path = path
        self._is_station = is_station
        self._pages: list[socket.socket] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sign", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Say nothing more: pages show that it is closed."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            listener = listening_at(self._path, socket.SOCK_STREAM, MOST)
            listener.setblocking(False)
        except OSError as error:
            # The page's own socket is beside it, whose trouble is a condition.
            _log.error("no sign: %s: %s", self._path, error.strerror or error)
            return
        number = 0
        with listener:
            while not self._stop.is_set():
                notice = self._board.wait(number, BEAT_S)
                number = notice.number
                self._welcome(listener)
                self._say(self._message(notice.advice))
        for page in self._pages:
            page.close()
        with suppress(OSError):
            self._path.unlink()

    def _message(self, advice: Advice) -> bytes:
        notice = notice_of(advice, is_station=self._is_station)
        closed = notice_of(Advice.CLOSED, is_station=self._is_station)
        message = SignMessage(
            notice, self._sentences[notice], closed, self._sentences[closed], version()
        )
        return framed_answer(msgspec.json.encode(message))

    def take(self, glance: object, telemetry: object) -> None:
        """All that is shown is on the board."""

    def _welcome(self, listener: socket.socket) -> None:
        with suppress(OSError):  # nobody is there
            while True:
                page, _ = listener.accept()
                page.setblocking(False)
                self._pages.append(page)
                if len(self._pages) > MOST:
                    self._pages.pop(0).close()

    def _say(self, message: bytes) -> None:
        """Tell all pages; one that has gone, or does not read, is not waited for."""
        for page in list(self._pages):
            try:
                if page.send(message) == len(message):
                    continue
            except OSError:
                pass
            self._pages.remove(page)
            page.close()
