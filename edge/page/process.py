"""The page beside the daemon: its process, and the thread that answers it.

A process of its own, since a web server that is attacked, overrun or hung must not take the judging
along; it has neither camera nor model nor disk, and gets no picture in which a head is not covered.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from edge.config import PageSettings
from edge.errors import ConfigError
from edge.page.window import Window
from edge.page.wire import Front, framed_answer, read_request
from edge.secret import located, read_password, refuse_open

_log = logging.getLogger(__name__)

TICK_S = 1.0
PATIENCE_S = 5.0
"""So long an answer may take to be read: a page that hangs is started anew."""
AGAIN_S = 10.0
LONGEST_AGAIN_S = 300.0
NICER = 5
"""Judging comes first."""


class Page:
    """Keeps the page's process running. Whatever it does, the daemon goes on."""

    def __init__(self, settings: PageSettings, window: Window) -> None:
        """Raises ConfigError where the password, or the certificate's key, is no use."""
        self.window = window
        self._front = msgspec.json.encode(front_of(settings))
        self._name = settings.url
        self._stop = threading.Event()
        self._ours: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """End the process, and keep what happened."""
        self._stop.set()
        if self._ours is not None:
            # Whatever waits for a question or an answer gets none.
            self._ours.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self.window.history.save()

    def _run(self) -> None:
        again_s = AGAIN_S
        while not self._stop.is_set():
            ours, theirs = socket.socketpair()
            ours.settimeout(PATIENCE_S)
            self._ours = ours
            try:
                process = _started(theirs)
            except OSError as error:
                _log.error("the page's process: %s; tried again", error.strerror)
            else:
                theirs.close()
                was_good = self._serve(ours, process)
                again_s = AGAIN_S if was_good else min(2 * again_s, LONGEST_AGAIN_S)
            self.window.rest()
            ours.close()
            self._stop.wait(again_s)

    def _serve(self, ours: socket.socket, process: subprocess.Popen[str]) -> bool:
        """Answer until it ends; return whether it ever asked anything."""
        has_asked = False
        try:
            ours.sendall(framed_answer(self._front))
            while not self._stop.is_set() and process.poll() is None:
                if not select.select([ours], [], [], TICK_S)[0]:
                    self.window.tick()
                    continue
                request = read_request(ours)
                if request is None:
                    break
                if not has_asked:
                    _log.info("the page is at %s", self._name)
                has_asked = True
                self.window.tick()
                ours.sendall(framed_answer(*self.window.answer(request)))
        except (OSError, ValueError):
            pass  # it has gone, hangs, or we are to stop
        process.kill()
        _, said = process.communicate()
        if not self._stop.is_set():
            why = said.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
            _log.error("the page has ended: %s; started again", why[0])
        return has_asked


def _started(theirs: socket.socket) -> subprocess.Popen[str]:
    here = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "edge.page", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(here), "PATH": os.environ.get("PATH", "")},
        preexec_fn=lambda: os.nice(NICER),
    )


def front_of(settings: PageSettings) -> Front:
    """Return what the page's process is told. Raises ConfigError for a file that is no use."""
    files = [
        str(located(value, f"[page] {key}")) if value else ""
        for key, value in (
            ("certificate_file", settings.certificate_file),
            ("key_file", settings.key_file),
        )
    ]
    if files[1]:
        refuse_open(Path(files[1]), "[page] key_file")
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*files)
        except OSError as error:
            raise ConfigError(
                f"[page] certificate_file, key_file: {error.strerror or error}; are they a "
                "certificate and its key, in PEM?"
            ) from error
    password = (
        read_password(settings.password_file, "[page] password_file")
        if settings.password_file
        else ""
    )
    return Front(settings.address, settings.port, password, *files)
