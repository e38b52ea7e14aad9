"""A camera on trial for two seconds: does it give what `run` needs?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.capture.camera import SLOWEST_FPS, Frames, frames_of, patience_with
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import CameraSettings
from edge.errors import CameraError
from edge.records import Frame

TRIAL_S = 2.0
PAUSE_S = 1.0
"""Somebody who walks past is gone in a pause like this."""
_MISSED = 4
"""A pause in which this many frames should have come is no slow camera's."""
_STEP_S = 0.5


@dataclass(frozen=True, slots=True)
class CameraTrial:
    """What came in that time."""

    frame: Frame
    """The last one."""
    frames: int
    """Dropped ones included."""
    took_s: float
    """From the first frame to the last."""
    pause_s: float
    """The longest time between two frames, or after the last one."""

    @property
    def fps(self) -> float | None:
        """Frames a second; None: there was but one."""
        return (self.frames - 1) / self.took_s if self.frames > 1 and self.took_s else None

    @property
    def is_slow(self) -> bool:
        return self.fps is not None and self.fps < SLOWEST_FPS

    @property
    def comes_in_bursts(self) -> bool:
        mean_fps = self.frames / max(self.took_s, TRIAL_S)
        return self.pause_s >= PAUSE_S and self.pause_s * mean_fps >= _MISSED

    def with_next(self, frame: Frame) -> CameraTrial:
        pause_s = frame.monotonic_s - self.frame.monotonic_s
        return CameraTrial(
            frame,
            self.frames + frame.number - self.frame.number,
            self.took_s + pause_s,
            max(self.pause_s, pause_s),
        )


def tried(
    settings: CameraSettings,
    open_it: Callable[[CameraSettings], Frames] = frames_of,
    clock: Clock = SYSTEM_CLOCK,
) -> CameraTrial:
    """Watch the configured source for two seconds, or until it has given two frames.

    It is waited for as `run` does, and a file may be shorter. Raises CameraError where `run` would
    lose it in that time, and PictureError.
    """
    frames = open_it(settings)
    try:
        return _watched(frames, settings, clock)
    finally:
        frames.close()


def _watched(frames: Frames, settings: CameraSettings, clock: Clock) -> CameraTrial:
    patience = patience_with(settings)
    seen: CameraTrial | None = None
    begun_s = heard_s = clock.monotonic_s()
    while not frames.ended:
        try:
            frame = frames.read(_STEP_S)
        except CameraError as error:
            if seen is None or seen.frames > 1:
                raise
            raise type(error)(f"{error}; it has given one picture, and no video") from error
        now_s = clock.monotonic_s()
        if frame is not None:
            begun_s = begun_s if seen else now_s
            heard_s = now_s
            seen = seen.with_next(frame) if seen else CameraTrial(frame, 1, 0.0, 0.0)
        if seen and seen.frames > 1 and max(seen.took_s, now_s - begun_s) >= TRIAL_S:
            break
        limit_s = patience.stall_s if seen else patience.open_s
        if now_s - heard_s >= limit_s:
            raise CameraError(_silence(seen, limit_s))
    if seen is None:
        raise CameraError("it ended without a frame")
    # The stream's own time may be ahead of what has come.
    silent_s = 0.0 if frames.ended else clock.monotonic_s() - seen.frame.monotonic_s
    return replace(seen, pause_s=max(seen.pause_s, silent_s))


def _silence(seen: CameraTrial | None, limit_s: float) -> str:
    if seen is None:
        return f"no frame within {limit_s:g} s; is it connected, and is no other program using it?"
    so_far = "one frame" if seen.frames == 1 else f"{seen.frames} frames"
    return f"{so_far}, and then none for {limit_s:g} s"
