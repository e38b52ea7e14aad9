"""Cameras in the network that note what they are sent: video over HTTP, with and without TLS."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import cv2

from tests.edge.capture.fakes import scene
from tests.edge.capture.pki import Encrypted, Identity

LOGIN = "door:sesame"
BASIC = "Basic ZG9vcjpzZXNhbWU="
"""The same, as HTTP sends it."""
_PICTURE = cv2.imencode(".jpg", scene())[1].tobytes()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: WebCamera
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization")
        self.server.requests.append((self.path, self.headers["Host"], authorization))
        if authorization != self.server.authorization:
            self._answer(HTTPStatus.UNAUTHORIZED, ("WWW-Authenticate", 'Basic realm="camera"'))
        elif self.path in self.server.redirects:
            self._answer(HTTPStatus.FOUND, ("Location", self.server.redirects[self.path]))
        elif self.path in self.server.files:
            self._answer(HTTPStatus.OK, content=self.server.files[self.path])
        elif self.path == "/picture":
            self._answer(HTTPStatus.OK, ("Content-Type", "image/jpeg"), content=_PICTURE)
        elif self.path == "/video":
            self._play()
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def _answer(self, status: HTTPStatus, *headers: tuple[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for key, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def _play(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(_PICTURE)}\r\n\r\n"
        while not self.server.over.wait(0.04):
            self.wfile.write(head.encode() + _PICTURE + b"\r\n")


class WebCamera(Encrypted, http.server.ThreadingHTTPServer):
    """Gives `/video`, `/picture` and `files`; `requests` are path, host and Authorization."""

    daemon_threads = True

    def __init__(
        self,
        authorization: str | None = None,
        redirects: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.authorization = authorization
        self.redirects = redirects or {}
        self.files = files or {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that disconnects is no error."""


@contextmanager
def web_camera(identity: Identity | None = None, **settings: Any) -> Iterator[WebCamera]:
    """Serve on a free port of this machine, with TLS where there is an identity."""
    with WebCamera(**settings) as camera:
        camera.identity = identity
        thread = threading.Thread(target=camera.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield camera
        camera.over.set()
        camera.shutdown()
        thread.join(5)
