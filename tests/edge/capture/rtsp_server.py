"""A small RTSP server (RFC 2326) that sends one clip over the client's own TCP connection."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from tests.edge.capture.pki import Encrypted, Identity
from tests.waiting import DEADLINE_S, Stopwatch

_PACKET_BYTES = 1400
_CLOCK_HZ = 90_000


def encoded_frames(clip: Path) -> list[bytes]:
    """Return the frames of an MPEG-4 clip as they are in the file."""
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_FORMAT, -1)
    frames: list[bytes] = []
    while (packet := capture.read())[0]:
        frames.append(packet[1].tobytes())
    capture.release()
    return frames


class _Connection(socketserver.StreamRequestHandler):
    server: RtspServer
    udp: socket.socket | None = None

    def handle(self) -> None:
        while request := self._request():
            method, headers = request
            self.server.requests.append((method, headers.get("authorization")))
            if not self.server.lets_in(method, headers.get("authorization", "")):
                asked = f"WWW-Authenticate: {self.server.asks_for}"
                self._answer(headers, "401 Unauthorized", asked)
            elif self.server.status:
                self._answer(headers, self.server.status)
            elif method == "DESCRIBE":
                self._answer(headers, "200 OK", "Content-Type: application/sdp", body=_SDP)
            elif method == "SETUP" and self.server.udp_only:
                self._set_up_udp(headers)
            elif method == "SETUP":
                self._answer(headers, "200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            elif method == "PLAY":
                self._answer(headers, "200 OK")
                self._play()
                return
            else:
                self._answer(headers, "200 OK", "Public: DESCRIBE, SETUP, PLAY, TEARDOWN")

    def finish(self) -> None:
        super().finish()
        if self.udp is not None:
            self.udp.close()

    def _set_up_udp(self, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"RTP/AVP/UDP;unicast;client_port=(\d+)-\d+", headers["transport"])
        if asked is None:
            self._answer(headers, "461 Unsupported Transport")
            return
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.connect(("127.0.0.1", int(asked[1])))
        port = self.udp.getsockname()[1]
        ports = f"client_port={asked[1]}-{int(asked[1]) + 1};server_port={port}-{port + 1}"
        self._answer(headers, "200 OK", f"Transport: RTP/AVP;unicast;{ports}")

    def _request(self) -> tuple[str, dict[str, str]] | None:
        first = self.rfile.readline().decode()
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode().strip():
            key, _, value = line.partition(": ")
            headers[key.lower()] = value
        return (first.split()[0], headers) if first else None

    def _answer(self, asked: dict[str, str], status: str, *headers: str, body: str = "") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {asked['cseq']}", "Session: 1", *headers]
        self.wfile.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode())

    def _play(self) -> None:
        """Send the frames as RTP (RFC 3550, payload: RFC 6416), then go silent or disconnect."""
        sequence = itertools.count()
        for number, frame in enumerate(self.server.frames):
            stamp = round(number * self.server.every_s * _CLOCK_HZ)
            for start in range(0, len(frame), _PACKET_BYTES):
                last = start + _PACKET_BYTES >= len(frame)
                kind = 96 | (0x80 if last else 0)
                header = struct.pack(">BBHII", 0x80, kind, next(sequence) & 0xFFFF, stamp, 1)
                packet = header + frame[start : start + _PACKET_BYTES]
                self._send(packet)
            time.sleep(self.server.every_s)  # a camera does not send its whole life at once
        if self.server.falls_silent:
            self.server.silent_since = Stopwatch()
            self.server.over.wait(DEADLINE_S)

    def _send(self, packet: bytes) -> None:
        if self.udp is None:
            self.wfile.write(b"$\0" + struct.pack(">H", len(packet)) + packet)
        else:
            self.udp.send(packet)


_SDP = "\r\n".join(
    [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=test",
        "t=0 0",
        "m=video 0 RTP/AVP 96",
        f"a=rtpmap:96 MP4V-ES/{_CLOCK_HZ}",
        "a=control:track1",
        "",
    ]
)


class RtspServer(Encrypted, socketserver.ThreadingTCPServer):
    daemon_threads = True
    udp_only = False
    status = ""
    """What it answers after the login, instead of video."""
    digest = False
    """Whether it asks for proof of the password (RFC 2617) instead of the password."""

    def __init__(self, frames: list[bytes], user: str, falls_silent: bool, every_s: float) -> None:
        self.frames = frames
        self.user = user
        self.requests: list[tuple[str, str | None]] = []
        """Each with its Authorization."""
        self.falls_silent = falls_silent
        self.every_s = every_s
        self.silent_since: Stopwatch | None = None
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def asks_for(self) -> str:
        return 'Digest realm="camera", nonce="1"' if self.digest else 'Basic realm="camera"'

    def lets_in(self, method: str, authorization: str) -> bool:
        if not self.user:
            return True
        if not self.digest:
            return authorization == f"Basic {base64.b64encode(self.user.encode()).decode()}"
        said = dict(re.findall(r'(\w+)="([^"]*)"', authorization))
        name, _, password = self.user.partition(":")
        known = _md5(f"{name}:camera:{password}")
        asked = _md5(f"{method}:{said.get('uri')}")
        right = _md5(f"{known}:1:{asked}")
        return (said.get("username"), said.get("response")) == (name, right)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that disconnects is no error."""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def serving(
    frames: list[bytes],
    user: str = "",
    falls_silent: bool = False,
    every_s: float = 0.005,
    identity: Identity | None = None,
) -> Iterator[RtspServer]:
    """Serve on a free port of this machine; `user` is "name:password" where it asks for one, and
    with an identity it speaks TLS."""
    with RtspServer(frames, user, falls_silent, every_s) as server:
        server.identity = identity
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join(5)
