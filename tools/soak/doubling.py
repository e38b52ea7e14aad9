"""A way to the broker on which acknowledgements can come twice, as from a broker that repeats."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

_PUBACK = 0x40
_CHUNK = 65_536


class DoublingProxy:
    """Passes on both directions of each connection; `doubles` says whether PUBACK comes twice."""

    def __init__(self, here: tuple[str, int], broker: tuple[str, int]) -> None:
        self.doubles = False
        self.doubled = 0
        self._broker = broker
        self._server = socket.create_server(here)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            device, _ = self._server.accept()
            try:
                broker = socket.create_connection(self._broker, 5)
            except OSError:
                device.close()
                continue
            broker.settimeout(None)
            for way in ((self._up, device, broker), (self._down, broker, device)):
                threading.Thread(target=_until_the_end, args=way, daemon=True).start()

    def _up(self, device: socket.socket, broker: socket.socket) -> None:
        while content := device.recv(_CHUNK):
            broker.sendall(content)

    def _down(self, broker: socket.socket, device: socket.socket) -> None:
        buffer = b""
        while content := broker.recv(_CHUNK):
            buffer += content
            while packet := _first_packet(buffer):
                buffer = buffer[len(packet) :]
                if self.doubles and packet[0] & 0xF0 == _PUBACK:
                    self.doubled += 1
                    packet += packet
                device.sendall(packet)


def _until_the_end(
    work: Callable[[socket.socket, socket.socket], None],
    source: socket.socket,
    target: socket.socket,
) -> None:
    """Pass on until one of both disconnects, and then disconnect both."""
    with contextlib.suppress(OSError):
        work(source, target)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def _first_packet(content: bytes) -> bytes:
    """Return the first whole packet of MQTT; empty: it has not come yet."""
    size = 0
    for index, byte in enumerate(content[1:5]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            end = 2 + index + size
            return content[:end] if len(content) >= end else b""
    return b""
