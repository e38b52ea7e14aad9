"""Stand-ins for clocks, files and cameras, and the pictures that they show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from edge.records import Frame, Pixels

NOON = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)


class TurnedClock:
    """A clock that stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.now_s - 1000)

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.slept_s.append(round(duration_s, 6))
        self.now_s += duration_s


def scene(width: int = 320, height: int = 240) -> Pixels:
    """A picture that looks different turned, mirrored, or with its channels swapped."""
    pixels = np.full((height, width, 3), (40, 60, 80), np.uint8)
    cv2.rectangle(pixels, (0, 0), (width // 2, height // 4), (220, 30, 30), -1)
    cv2.circle(pixels, (width * 3 // 4, height * 3 // 4), height // 8, (30, 30, 220), -1)
    return pixels


def numbered(number: int, width: int = 160, height: int = 120) -> Pixels:
    """A picture of one gray level, from which `number_shown` reads the number again."""
    return np.full((height, width, 3), 20 + 10 * number, np.uint8)


def number_shown(pixels: Pixels) -> int:
    return round((float(pixels.mean()) - 20) / 10)


def write_clip(
    path: Path, pictures: Sequence[Pixels], fps: float = 10, codec: str = "MJPG"
) -> Path:
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


class ScriptedSource:
    """A live FrameSource whose `read` does what the test has listed, one call after the other."""

    name = "scripted"
    live = True

    def __init__(self, acts: Sequence[Callable[[], Frame | None]]) -> None:
        self._acts: Iterator[Callable[[], Frame | None]] = iter(acts)
        self.closed = False

    def read(self) -> Frame | None:
        return next(self._acts)()

    def close(self) -> None:
        self.closed = True
