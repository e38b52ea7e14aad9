"""Taking every frame of a clip or folder, however long each takes to be judged."""

from __future__ import annotations

from collections.abc import Callable

from edge.capture.source import FrameSource
from edge.records import Frame


class EveryFrame:
    """Reads a file frame by frame in the caller's thread; the counterpart of `NewestFrame`."""

    dropped = 0
    silent_s = 0.0

    def __init__(self, open_it: Callable[[], FrameSource]) -> None:
        self._source = open_it()
        self.ended = False

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None at the end. A file needs no time-out."""
        frame = self._source.read()
        self.ended = frame is None
        return frame

    def close(self, timeout_s: float = 0.0) -> bool:
        self._source.close()
        return True
