"""Small stand-ins for our own protocols, and values that tests make often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from edge.detect.detection import NEAR_SIDE_PX
from edge.errors import BrokerError
from edge.pixels import scaled_size
from edge.publish.answers import MqttVersion, Turn
from edge.publish.connection import Pollable, Will
from edge.publish.terms import Lessons, Terms
from edge.records import Box, Face, Frame, MaskReading, MaskState, Pixels

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def blank(width: int = 640, height: int = 360, grey: int = 128) -> Pixels:
    return np.full((height, width, 3), grey, np.uint8)


def frame_at(seconds: float, pixels: Pixels | None = None, lores: Pixels | None = None) -> Frame:
    """A frame `seconds` after START; its monotonic clock began at 100."""
    shown = blank() if pixels is None else pixels
    moment = START + timedelta(seconds=seconds)
    return Frame(round(seconds * 1000), shown, moment, 100 + seconds, lores)


def face_at(left: float, top: float, size: float = 60, confidence: float = 0.9) -> Face:
    return Face(Box(left, top, left + size, top + size), confidence)


def reading_at(left: float, top: float, size: float = 60, bare: float | None = 0.5) -> MaskReading:
    return face_read(face_at(left, top, size), bare)


def looked(bare: float) -> dict[MaskState, float]:
    """Return what a network of two classes says."""
    return {MaskState.MASKED: 1 - bare, MaskState.BARE: bare}


def face_read(face: Face, bare: float | None) -> MaskReading:
    return MaskReading(face, None if bare is None else looked(bare))


class FixedDetector:
    """Finds the same faces in every picture, and remembers the sizes that it was shown.

    But for the small picture that follows a larger one, for large faces: there it finds `near`.
    """

    name = "fixed"
    sure = 0.0
    input_px: int | None = None

    def __init__(self, faces: Sequence[Face]) -> None:
        self._faces = tuple(faces)
        self.near: tuple[Face, ...] | None = ()
        """None: no picture is looked at twice."""
        self._near_size: tuple[int, int] | None = None
        self.shown: list[tuple[int, int]] = []

    def show(self, faces: Sequence[Face]) -> None:
        self._faces = tuple(faces)

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        size = (pixels.shape[1], pixels.shape[0])
        if self.near is not None and size == self._near_size:
            self._near_size = None
            return self.near
        is_large = max(size) > NEAR_SIDE_PX
        self._near_size = scaled_size(pixels, NEAR_SIDE_PX / max(size)) if is_large else None
        self.shown.append(size)
        return self._faces


class TurnedClock:
    """A clock that only the test, and code that sleeps, moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def utc(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


class SetClock(TurnedClock):
    """A clock whose wall time the test sets, too."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by_s = 0.0

    def utc(self) -> datetime:
        return super().utc() + timedelta(seconds=self.set_by_s)


class ListedFrames:
    """Gives what a list says, one entry for each read: a frame, None for none yet, an error."""

    def __init__(
        self, entries: Sequence[Frame | Exception | None], clock: TurnedClock, closes: bool = True
    ) -> None:
        self._entries = list(entries)
        self._clock = clock
        self.closes = closes
        self._heard_s = clock.monotonic_s()
        self.dropped = 0
        self.ended = False
        self.closed = False

    @property
    def silent_s(self) -> float:
        return self._clock.monotonic_s() - self._heard_s

    def read(self, timeout_s: float) -> Frame | None:
        if not self._entries:
            self.ended = True
            return None
        entry = self._entries.pop(0)
        if isinstance(entry, Exception):
            raise entry
        if entry is None:
            self._clock.sleep(timeout_s)
        else:
            self._heard_s = self._clock.monotonic_s()
        return entry

    def close(self, timeout_s: float = 0) -> bool:
        self.closed = True
        if not self.closes:
            self._clock.sleep(timeout_s)
        return self.closes


class ScriptedConnection:
    """A broker's end of a connection: answers as a script says, one entry for each turn.

    An entry is given the messages sent so far, by id, and returns what arrives, or raises. After
    the last entry the connection is lost.
    """

    version = MqttVersion.V5
    terms = Terms()

    def __init__(
        self,
        script: Sequence[Callable[[dict[int, tuple[str, bytes]]], Turn]],
        clock: TurnedClock,
        receive_maximum: int = 65535,
        maximum_packet_bytes: int = 1_000_000,
    ) -> None:
        self._script = list(script)
        self._clock = clock
        self.receive_maximum = receive_maximum
        self.maximum_packet_bytes = maximum_packet_bytes
        self.sent: dict[int, tuple[str, bytes]] = {}
        self.unanswered: set[int] = set()
        self.most_unanswered = 0
        self.left = False

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        message_id = len(self.sent) + 1
        self.sent[message_id] = (topic, payload)
        self.unanswered.add(message_id)
        self.most_unanswered = max(self.most_unanswered, len(self.unanswered))
        return message_id

    def takes(self, topic: str, payload: bytes) -> bool:
        return len(topic) + len(payload) <= self.maximum_packet_bytes

    def subscribe(self, topics: Sequence[str]) -> int | None:
        return None

    def turn(self, timeout_s: float, waker: Pollable | None = None) -> Turn:
        self._clock.sleep(timeout_s)
        if not self._script:
            raise BrokerError("the connection was lost")
        arrivals = self._script.pop(0)(self.sent)
        self.unanswered -= {answer.message_id for answer in arrivals.acknowledgements}
        return arrivals

    def leave(self, timeout_s: float) -> None:
        self.left = True

    def drop(self) -> None:
        pass


class ScriptedAccess:
    """Gives connections in turn; then the broker is away."""

    name = "broker.example:1883"

    def __init__(self, *connections: ScriptedConnection) -> None:
        self._connections = list(connections)
        self.lessons = Lessons(self.name)

    def connect(self, client_id: str, will: Will | None = None) -> ScriptedConnection:
        if not self._connections:
            raise BrokerError("the broker is away")
        return self._connections.pop(0)
