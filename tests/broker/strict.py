"""A broker on a real socket that has rules of its own, as clouds and gateways have."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
HANG_UP = 0x100
"""Besides the reason code of a subscription: the connection ends after it."""
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14


@dataclass(frozen=True)
class Connect:
    level: int
    client_id: str
    will_topic: str = ""
    will_qos: int = 0
    will_retain: bool = False
    keepalive_s: int = 0


@dataclass(frozen=True)
class Publish:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    level: int
    number: int
    """How many have come on this connection, with this one."""


class HangUpError(Exception):
    """Raised by a rule: the connection ends, after `said`."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__()
        self.said = b"" if code is None else packet(DISCONNECT, bytes([code, 0]))


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind << 4 | flags]) + length + body


def _nothing(*_: object) -> int:
    return 0


@dataclass
class Rules:
    """What it does; a rule raises HangUpError, or returns a reason code."""

    connack_properties: bytes = b""
    versions: tuple[int, ...] = (4, 5)
    connect: Callable[[Connect], int] = _nothing
    publish: Callable[[Publish], int] = _nothing
    subscribe: Callable[[str], int] = _nothing
    answers_pings: bool = True


@dataclass
class StrictBroker:
    """Notes what it takes; `close` ends it."""

    rules: Rules
    connects: list[Connect] = field(default_factory=list)
    taken: list[Publish] = field(default_factory=list)
    hang_ups: int = 0
    pings: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._wires: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def payloads(self, name: str) -> list[bytes]:
        return [each.payload for each in self.taken if each.topic.endswith(f"/{name}")]

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self._wires:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                self._wires.append(wire)
                self._threads.append(threading.Thread(target=self._serve, args=(wire,)))
                self._threads[-1].start()

    def _serve(self, wire: socket.socket) -> None:
        with wire, suppress(OSError, EOFError):
            try:
                self._talk(wire)
            except HangUpError as end:
                self.hang_ups += 1
                wire.sendall(end.said)
                wire.shutdown(socket.SHUT_WR)
                time.sleep(0.01)

    def _talk(self, wire: socket.socket) -> None:
        _, body = _read(wire)
        came = _connect(body)
        if came.level not in self.rules.versions:
            wire.sendall(packet(CONNACK, b"\0\1"))
            return
        is_v5 = came.level == 5
        self.connects.append(came)
        code = self.rules.connect(came)
        properties = self.rules.connack_properties if is_v5 and not code else b""
        tail = bytes([len(properties)]) + properties if is_v5 else b""
        wire.sendall(packet(CONNACK, bytes([0, code]) + tail))
        number = 0
        while not code:
            first, body = _read(wire)
            kind = first >> 4
            if kind == PINGREQ:
                self.pings += 1
                if not self.rules.answers_pings:
                    raise HangUpError
                wire.sendall(packet(PINGRESP, b""))
            elif kind == DISCONNECT:
                return
            elif kind == SUBSCRIBE:
                rest = body[3 + body[2] if is_v5 else 2 :]
                size = struct.unpack("!H", rest[:2])[0]
                answer = self.rules.subscribe(rest[2 : 2 + size].decode())
                middle = b"\0" if is_v5 else b""
                wire.sendall(packet(SUBACK, body[:2] + middle + bytes([(answer or 1) & 0xFF])))
                if answer & HANG_UP:
                    raise HangUpError
            elif kind == PUBLISH:
                number += 1
                self._take(wire, first, body, came.level, number)

    def _take(self, wire: socket.socket, first: int, body: bytes, level: int, number: int) -> None:
        size = struct.unpack("!H", body[:2])[0]
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        qos, message_id = (first >> 1) & 3, b""
        if qos:
            message_id, rest = rest[:2], rest[2:]
        if level == 5:
            rest = rest[1 + rest[0] :]
        publish = Publish(topic, rest, qos, bool(first & 1), level, number)
        code = self.rules.publish(publish)
        if code < 0x80:
            self.taken.append(publish)
        if qos:
            tail = bytes([code]) if level == 5 and code else b""
            wire.sendall(packet(PUBACK, message_id + tail))


def _read(wire: socket.socket) -> tuple[int, bytes]:
    first = _exactly(wire, 1)[0]
    size, shift = 0, 0
    while True:
        digit = _exactly(wire, 1)[0]
        size |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return first, _exactly(wire, size)


def _exactly(wire: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        piece = wire.recv(size - len(got))
        if not piece:
            raise EOFError
        got += piece
    return got


def _connect(body: bytes) -> Connect:
    level, flags, keepalive_s = body[6], body[7], struct.unpack("!H", body[8:10])[0]
    rest = body[10:]
    if level == 5:
        rest = rest[1 + rest[0] :]
    client_id, rest = _text(rest)
    if not flags & 4:
        return Connect(level, client_id.decode(), keepalive_s=keepalive_s)
    if level == 5:
        rest = rest[1 + rest[0] :]
    topic, _ = _text(rest)
    will = (topic.decode(), (flags >> 3) & 3, bool(flags & 32))
    return Connect(level, client_id.decode(), *will, keepalive_s)


def _text(rest: bytes) -> tuple[bytes, bytes]:
    size = struct.unpack("!H", rest[:2])[0]
    return rest[2 : 2 + size], rest[2 + size :]
