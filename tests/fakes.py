"""Small stand-ins for our own protocols, and values that tests make often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

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
    """Finds the same faces in every picture, and remembers the sizes that it was shown."""

    name = "fixed"
    sure = 0.0
    input_px: int | None = None

    def __init__(self, faces: Sequence[Face]) -> None:
        self._faces = tuple(faces)
        self.shown: list[tuple[int, int]] = []

    def show(self, faces: Sequence[Face]) -> None:
        self._faces = tuple(faces)

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        self.shown.append((pixels.shape[1], pixels.shape[0]))
        return self._faces


class TurnedClock:
    """A clock that only the test, and whoever sleeps, moves."""

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
