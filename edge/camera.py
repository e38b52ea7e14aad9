"""The camera through its outages: lost, said once, tried again with growing pauses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from edge.capture import is_live, open_source
from edge.capture.every import EveryFrame
from edge.capture.newest import NewestFrame
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import CameraSettings
from edge.errors import CameraError
from edge.messages import CameraState
from edge.records import Frame

_log = logging.getLogger(__name__)

MIN_RETRY_S = 1.0
MAX_RETRY_S = 30.0
"""Pauses between attempts to open a lost camera: doubled from the one to the other."""


class Frames(Protocol):
    """A source that is read while everything else goes on: `NewestFrame` or `EveryFrame`."""

    @property
    def ended(self) -> bool: ...
    @property
    def dropped(self) -> int: ...
    @property
    def silent_s(self) -> float: ...
    def read(self, timeout_s: float) -> Frame | None: ...
    def close(self, timeout_s: float = ...) -> bool: ...


def frames_of(settings: CameraSettings) -> Frames:
    """Open the configured source: the newest frames of a live one, every frame of another."""
    if is_live(settings):
        return NewestFrame(lambda: open_source(settings))
    return EveryFrame(lambda: open_source(settings))


class Camera:
    """The frames, and what becomes of them in an outage: closed, and tried again after a pause."""

    def __init__(
        self, open_it: Callable[[], Frames], patience_s: float, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """A camera that is silent for `patience_s` counts as lost."""
        self.state = CameraState.STARTING
        self.outages = 0
        self.ended = False
        self._open_it = open_it
        self._patience_s = patience_s
        self._clock = clock
        self._frames: Frames | None = None
        self._dropped_before = 0
        self._lost_at_s = 0.0
        self._retry_at_s = 0.0
        self._pause_s = MIN_RETRY_S

    @property
    def dropped(self) -> int:
        return self._dropped_before + (self._frames.dropped if self._frames else 0)

    def read(self, timeout_s: float) -> Frame | None:
        """Return a frame, or None: not yet, not again so far, or never again (`ended`).

        Raises CameraError only when a capture call hangs: ending the process is then the one way to
        give the camera back.
        """
        if self._frames is None:
            wait_s = self._retry_at_s - self._clock.monotonic_s()
            if wait_s > 0:
                self._clock.sleep(min(wait_s, timeout_s))
                return None
        try:
            if self._frames is None:
                self._frames = self._open_it()
            frame = self._frames.read(timeout_s)
            if (
                frame is None
                and not self._frames.ended
                and self._frames.silent_s > self._patience_s
            ):
                raise CameraError(f"no frame for {self._frames.silent_s:.0f} s")
        except CameraError as error:
            self._lose(error)
            return None
        if frame is not None:
            self._found()
        self.ended = self._frames.ended
        return frame

    def close(self) -> bool:
        """Give the camera back; return False where a capture call hangs and still holds it."""
        frames, self._frames = self._frames, None
        if frames is None:
            return True
        self._dropped_before += frames.dropped
        return frames.close()

    def _lose(self, error: CameraError) -> None:
        now_s = self._clock.monotonic_s()
        if self.state is not CameraState.LOST:
            self.state = CameraState.LOST
            self.outages += 1
            self._lost_at_s = now_s
            _log.warning("camera lost: %s", error)
        if not self.close():
            raise CameraError(
                "a capture call hangs and holds the camera; ending, so that the system takes it "
                "back and starts us anew"
            ) from error
        self._retry_at_s = now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, MAX_RETRY_S)

    def _found(self) -> None:
        if self.state is CameraState.LOST:
            lost_s = self._clock.monotonic_s() - self._lost_at_s
            _log.info("camera is back after %.0f s", lost_s)
        elif self.state is CameraState.STARTING:
            _log.info("camera gives frames")
        self.state = CameraState.RUNNING
        self._pause_s = MIN_RETRY_S
