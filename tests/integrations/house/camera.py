"""A network camera that shows drawn people: Motion JPEG over HTTP, on the loopback interface."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from edge.people import frames
from tests.installed.lab.camera import FPS, HEIGHT_PX, SCENES, WIDTH_PX

_FRAMES = 20
"""After which the drawn people are where they began."""


class StreetCamera:
    """Sees nobody until `show` says whom."""

    def __init__(self) -> None:
        self.scene = "nobody"
        self._pictures = {name: list(_drawn(name)) for name in SCENES}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._is_over = threading.Event()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def show(self, scene: str) -> None:
        assert scene in SCENES
        self.scene = scene

    def close(self) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                with suppress(OSError):
                    camera._play(self.wfile.write)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def _play(self, write: object) -> None:
        assert callable(write)
        number, due_s = 0, time.monotonic()
        while not self._is_over.is_set():
            pictures = self._pictures[self.scene]
            jpeg = pictures[number % len(pictures)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            write(head.encode() + jpeg + b"\r\n")
            number, due_s = number + 1, due_s + 1 / FPS
            time.sleep(max(0.0, due_s - time.monotonic()))


def _drawn(scene: str) -> Iterator[bytes]:
    people = SCENES[scene]
    for picture in frames(_FRAMES if people else 1, _FRAMES / 4, people):
        small = cv2.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
        yield cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes()


@contextmanager
def street_camera() -> Iterator[StreetCamera]:
    camera = StreetCamera()
    try:
        yield camera
    finally:
        camera.close()
