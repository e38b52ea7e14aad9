"""The way to a camera that speaks TLS: FFmpeg talks to this process, and this process TLS to it.

The FFmpeg of a Python package does not see to it that each of its connections is verified: those
for the segments of a live playlist are not, a certificate without a name cannot be pinned, and
where the system keeps its authorities it does not know. So it makes none of its own (`PROTOCOLS`),
and what it has to say goes over connections that `edge.capture.certificate` has verified.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from edge.address import StreamSource
from edge.capture.certificate import TrustedCamera
from edge.capture.reach import looked_up
from edge.config import CameraSettings
from edge.errors import CameraError

PROTOCOLS = "rtsp,rtp,udp,tcp,http,crypto,data"
"""What FFmpeg may speak to a camera in the network: TLS is not among it, wherever a redirect or a
playlist leads."""
ACCEPT_AGAIN_S = 0.5
MAX_CONNECTIONS = 8
"""At once; a live playlist takes three."""
_PLAIN = {"https": "http", "rtsps": "rtsp"}
_CHUNK_BYTES = 65536
_REDIRECT = b"RTSP/1.0 3"
"""FFmpeg would take the password along, and in clear."""

_log = logging.getLogger(__name__)


class Link(Protocol):
    """How FFmpeg gets to a camera in the network: it opens `address` with `options`."""

    @property
    def address(self) -> str: ...
    @property
    def options(self) -> Mapping[str, str]: ...
    def close(self) -> None: ...


def link_to(stream: StreamSource, settings: CameraSettings, timeout_s: float) -> Link:
    """Return the way to a camera that is found within `timeout_s`, and with TLS is the right one.

    Raises CameraError, which says why there is none: FFmpeg would look a name up for minutes. No
    connection is made to try it, since many cameras have room for one viewer only, for seconds
    after the last one has gone. Raises ConfigError for a credential that is not there.
    """
    if stream.is_encrypted:
        return TlsRelay(stream, settings, timeout_s)
    try:
        looked_up(stream.host, stream.port, timeout_s)
    except CameraError as error:
        raise CameraError(f"{stream.name}: {error}") from error
    return Direct(stream.address)


@dataclass(frozen=True, slots=True)
class Direct:
    """The Link to a camera without TLS."""

    address: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=lambda: {"protocol_whitelist": PROTOCOLS})

    def close(self) -> None:
        """There is nothing to close."""


class TlsRelay:
    """The Link to a camera with TLS: a port of this machine at which it speaks without.

    Others on this machine reach the camera there too, but without its password. Raises CameraError
    where no connection is made and verified within `timeout_s`.
    """

    def __init__(self, stream: StreamSource, settings: CameraSettings, timeout_s: float) -> None:
        self._camera = TrustedCamera(stream, settings)
        self._timeout_s = settings.open_timeout_s
        first = self._camera.connect(timeout_s)
        if settings.insecure:
            _log.warning("%s: its certificate is not verified: insecure = true", stream.name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stop, self._stopped = socket.socketpair()
        port = self._listener.getsockname()[1]
        self.address = stream.address_at(_PLAIN[stream.scheme], f"127.0.0.1:{port}")
        self.options = {"protocol_whitelist": PROTOCOLS, "rtsp_transport": "tcp"}
        if stream.scheme == "https":  # where several servers share an address
            self.options["headers"] = f"Host: {stream.place}\r\n"
        threading.Thread(target=self._listen, args=(first,), name="camera TLS", daemon=True).start()

    def close(self) -> None:
        """End every connection; a second time it does nothing."""
        self._stop.close()

    def _listen(self, first: ssl.SSLSocket | None) -> None:
        serving: list[threading.Thread] = []
        with self._listener, self._stopped:
            while self._stopped not in select.select([self._listener, self._stopped], [], [])[0]:
                try:
                    near, _ = self._listener.accept()
                except OSError as error:  # no file descriptors are left
                    _log.warning("no connection to the camera: %s", error.strerror)
                    select.select([self._stopped], [], [], ACCEPT_AGAIN_S)
                    continue
                serving = [each for each in serving if each.is_alive()]
                if len(serving) == MAX_CONNECTIONS:
                    near.close()
                    continue
                thread = threading.Thread(
                    target=self._serve, args=(near, first), name="camera TLS", daemon=True
                )
                thread.start()
                serving.append(thread)
                first = None
            for each in serving:
                each.join()
        if first is not None:
            first.close()

    def _serve(self, near: socket.socket, far: ssl.SSLSocket | None) -> None:
        """Carry what FFmpeg says on `near` to the camera, over `far` or another connection."""
        with near:
            try:
                far = far or self._camera.connect(self._timeout_s)
            except CameraError as error:
                _log.warning("%s", error)
                return
            with far, suppress(OSError):  # a side that disconnects, or is cut off, ends it for both
                self._carry(near, far)

    def _carry(self, near: socket.socket, far: ssl.SSLSocket) -> None:
        before = b""
        while True:
            ends = (near, far, self._stopped)
            ready = [far] if far.pending() else select.select(ends, [], [])[0]
            if self._stopped in ready:
                return
            if near in ready:
                if not (asked := near.recv(_CHUNK_BYTES)):
                    return
                far.settimeout(self._timeout_s)
                far.sendall(asked)
            if far in ready:
                far.settimeout(0)  # it may be TLS's own business, or a part of a record
                try:
                    answer = far.recv(_CHUNK_BYTES)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
                # Wherever it stands: an answer may come in parts, or behind another one.
                before = before[1 - len(_REDIRECT) :] + answer
                if not answer or _REDIRECT in before:
                    return
                near.sendall(answer)
