"""The daemon's side of the page: a socket for it, and the thread that answers.

The page itself is another program: on a device the unit tensormask-page.service, elsewhere
`python -m edge.page`. It gets no picture in which a head is not covered.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.config import MetricsSettings, PageSettings, SignSettings
from edge.errors import ConfigError
from edge.host.local_socket import listening_at
from edge.page.front import cookie_key, front_of
from edge.page.window import Window
from edge.page.windows import CameraWindows
from edge.page.wire import FAILURE, framed_answer, read_request
from edge.telemetry import PageState

_log = logging.getLogger(__name__)

MAX_FAILURE = 500
TICK_S = 1.0
PATIENCE_S = 5.0
"""How long a request may take to arrive, and an answer to be read."""
MOST = 4
"""Pages at once: one, and for a moment the next one."""

_NO_METRICS = MetricsSettings()
_NO_SIGN = SignSettings()


class PageListener:
    """Answers the page in a thread of its own. Whatever comes, the daemon goes on."""

    def __init__(
        self,
        settings: PageSettings,
        window: Window | CameraWindows,
        path: Path,
        state: Path,
        metrics: MetricsSettings = _NO_METRICS,
        sign: SignSettings = _NO_SIGN,
    ) -> None:
        """`path` is the socket's; in `state` the device's own key is kept."""
        self.window = window
        self._settings = settings
        self._metrics = metrics
        self._sign = sign
        self._path = path
        self._state = state
        self._trouble = ""
        self._has_failed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    @property
    def telemetry(self) -> PageState:
        return PageState(self._settings.url, self._trouble)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop answering."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with suppress(OSError):
            self._path.unlink()
        self.window.close()

    def _run(self) -> None:
        try:
            common = front_of(self._settings, cookie_key(self._state), self._metrics, self._sign)
            front = msgspec.json.encode(
                msgspec.structs.replace(common, cameras=self.window.cameras)
            )
            listener = listening_at(self._path, socket.SOCK_STREAM, MOST)
            listener.settimeout(PATIENCE_S)
        except ConfigError as error:
            self._trouble = str(error)
        except OSError as error:
            self._trouble = f"{self._path}: {error.strerror or error}"
        if self._trouble:
            _log.error("no page: %s", self._trouble)
            return
        if failure := self._failure():
            self._trouble = failure
            _log.error("no page: %s", failure)
        else:
            _log.info("the page is at %s", self._settings.url)
        if self._settings.is_in_clear:
            _log.warning(
                "[page] the password crosses the network without TLS; set certificate_file and "
                "key_file, or put a reverse proxy with TLS before it"
            )
        with listener, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while not self._stop.is_set():
                ready = selector.select(TICK_S)
                self._tick()
                # Those that have gone first: they make room for the next.
                for key, _ in sorted(ready, key=lambda each: each[0].fileobj is listener):
                    page = key.fileobj
                    assert isinstance(page, socket.socket)
                    if page is listener:
                        self._welcome(listener, selector, framed_answer(front))
                    elif not self._answer(page):
                        selector.unregister(page)
                        page.close()
                if len(selector.get_map()) == 1:
                    self.window.rest()
            for key in list(selector.get_map().values()):
                if key.fileobj is not listener:
                    key.fileobj.close()  # type: ignore[union-attr]

    def _failure(self) -> str:
        try:
            text = self._path.with_name(FAILURE).read_text("utf-8", "replace")
        except OSError:
            return ""
        return text[:MAX_FAILURE].strip()

    def _welcome(
        self, listener: socket.socket, selector: selectors.BaseSelector, front: bytes
    ) -> None:
        try:
            page, _ = listener.accept()
        except OSError:
            return  # it has gone again
        page.settimeout(PATIENCE_S)
        try:
            page.sendall(front)
        except OSError:
            page.close()
            return
        if len(selector.get_map()) > MOST:
            page.close()
        else:
            selector.register(page, selectors.EVENT_READ)

    def _tick(self) -> None:
        try:
            self.window.tick()
        except Exception:  # noqa: BLE001 - a fault of ours there must not end the page
            if not self._has_failed:
                _log.exception("the page cannot show what is wrong with the device")
            self._has_failed = True

    def _answer(self, page: socket.socket) -> bool:
        """Answer one request; return whether more may come."""
        try:
            request = read_request(page)
            if request is None:
                return False
            page.sendall(framed_answer(*self.window.answer(request)))
        except OSError:
            return False  # it has gone, or hangs
        except Exception:  # noqa: BLE001 - a fault of ours in one must not end all others
            _log.exception("a request of the page could not be answered")
            return False
        return True
