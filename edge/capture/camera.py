"""The camera through its outages: lost, said once, tried again with growing pauses, given up.

What does not help within this process, a new process may: it ends, and the system starts it again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from edge.capture.every import EveryFrame
from edge.capture.newest import NewestFrame
from edge.capture.sources import is_camera, is_live, is_sensor, open_source
from edge.capture.view import Repetition, Standstill, ViewWatch
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import CameraSettings
from edge.errors import (
    CameraAbsentError,
    CameraError,
    CameraLoginError,
    CameraLostError,
    CameraRefusalError,
    ConfigError,
    PictureError,
)
from edge.records import Frame
from edge.telemetry import CameraState, CameraStatus, CameraView

_log = logging.getLogger(__name__)


class _CameraLog(logging.LoggerAdapter[logging.Logger]):
    """Says of each line which of several cameras it is about."""

    def __init__(self, name: str) -> None:
        super().__init__(_log)
        self._prefix = f"camera {name}: ".replace("%", "%%") if name else ""

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        return f"{self._prefix}{msg}", kwargs


MIN_RETRY_S = 1.0
MAX_RETRY_S = 30.0
"""Pauses between attempts to open a lost camera: doubled from the one to the other."""
MIN_LOGIN_RETRY_S = 300.0
MAX_LOGIN_RETRY_S = 1800.0
"""The same where it refuses user and password: many lock an account for half an hour after five to
seven refused logins, and begin again with each further one."""
STEADY_S = 10.0
"""Who gives frames for so long is well again; else the next pause is longer than the last."""
GRACE_S = 2.0
"""A source says itself that it did not open or gave no frame in time; only one that hangs does not,
and is given so much longer."""
SLOWEST_FPS = 2.0
"""With fewer frames a second, somebody who walks past is not followed from one to the next."""
MAX_ABANDONED = 4
"""How many capture calls that have not returned may be left behind at once where possible; then
the camera is opened again only when one of them has. FFmpeg's return only when their own time is
over, well after a stream was found to be silent."""
FROZEN_S = 300.0
"""How long a network camera may give the same picture before it is taken for frozen: many times
as long as any encoder is content with what it has shown."""
_RATE_MEMORY = 0.1
"""How much the newest interval between two frames counts for the rate."""


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


@dataclass(frozen=True, slots=True)
class Patience:
    """What is waited for, and how long."""

    open_s: float
    """For the first frame after opening, and for a capture call that holds it to return."""
    stall_s: float
    """For the next frame."""
    restart_s: float = math.inf
    """For a lost camera, before the process gives up."""
    changes: bool = False
    """Whether a frame that is like the one before it is none: a sensor's noise makes each its own,
    where a clip, a folder or the encoder of a network camera may repeat one."""
    frozen_s: float = math.inf
    """For another picture from elsewhere, if noise was seen in those before."""
    exclusive: bool = False
    """Whether a capture call that hangs holds the camera, so that only the end of this process
    frees it. Otherwise it is left behind, and the camera opened again beside it when due."""


def patience_with(settings: CameraSettings) -> Patience:
    """Return the patience that suits the configured source.

    A stream says itself that it has stalled, and whether nothing came or nothing could be decoded.
    """
    open_s = settings.open_timeout_s + GRACE_S
    if is_sensor(settings):
        restart_s = settings.restart_after_s or math.inf
        return Patience(open_s, settings.frame_timeout_s, restart_s, changes=True, exclusive=True)
    if is_camera(settings):
        return Patience(open_s, settings.frame_timeout_s + GRACE_S, frozen_s=FROZEN_S)
    return Patience(open_s, open_s)


def frames_of(settings: CameraSettings) -> Frames:
    """Open the configured source: the newest frames of a live one, every frame of another."""
    if is_live(settings):
        return NewestFrame(lambda: open_source(settings))
    return EveryFrame(lambda: open_source(settings))


class FrameRate:
    """How many frames a second a camera gives, whether or not they are taken."""

    def __init__(self) -> None:
        self.is_slow = False
        self._interval_s: float | None = None
        self._number = 0
        self._at_s: float | None = None

    @property
    def fps(self) -> float | None:
        return round(1 / self._interval_s, 2) if self._interval_s else None

    def add(self, frame: Frame) -> None:
        before_s, passed = self._at_s, frame.number - self._number
        self._at_s, self._number = frame.monotonic_s, frame.number
        if before_s is None or passed <= 0:
            return
        interval_s = (frame.monotonic_s - before_s) / passed
        known_s = self._interval_s or interval_s
        self._interval_s = known_s + _RATE_MEMORY * (interval_s - known_s)
        # Slow until it is twice as fast: a rate near the bound is said once.
        self.is_slow = self._interval_s * SLOWEST_FPS > (0.5 if self.is_slow else 1)


class Camera:
    """The frames, and what becomes of them in an outage: closed, and tried again after a pause."""

    def __init__(
        self,
        open_it: Callable[[], Frames],
        patience: Patience,
        clock: Clock = SYSTEM_CLOCK,
        name: str = "",
    ) -> None:
        """`name` tells it from other cameras in the log; empty: there are none."""
        self._log = _CameraLog(name)
        self.state = CameraState.STARTING
        self.outages = 0
        self.ended = False
        self._open_it = open_it
        self._patience = patience
        self._clock = clock
        self._frames: Frames | None = None
        self._opened_well = False
        """Whether this opening has given a frame."""
        self._opened_s = 0.0
        """When it gave the first."""
        self._closing: Frames | None = None
        """What was lost, until its last capture call has returned."""
        self._abandoned: list[Frames] = []
        """What was lost before it and still hangs."""
        self._has_given = False
        """Whether this process has ever had a frame."""
        self._dropped_before = 0
        self._trouble = ""
        self._refuses = False
        self._lost_at_s = 0.0
        self._retry_at_s = 0.0
        self._close_by_s = 0.0
        self._pause_s = MIN_RETRY_S
        self._watch = ViewWatch()
        self._repetition = Repetition()
        self._standstill = Standstill(patience.frozen_s)
        self._fresh_s = 0.0
        """When the picture was last another one."""
        self._rate = FrameRate()

    @property
    def dropped(self) -> int:
        return self._dropped_before + (self._frames.dropped if self._frames else 0)

    @property
    def sees(self) -> bool:
        """Whether somebody who came would be seen."""
        return self.state is CameraState.RUNNING and self._watch.view is CameraView.CLEAR

    def status(self) -> CameraStatus:
        running = self.state is CameraState.RUNNING
        return CameraStatus(
            state=self.state,
            outages=self.outages,
            view=self._watch.view if running else None,
            fps=self._rate.fps if running else None,
            slow=running and self._rate.is_slow,
            trouble=self._trouble if self.state is CameraState.LOST else "",
            refuses=self._refuses and self.state is CameraState.LOST,
        )

    def read(self, timeout_s: float) -> Frame | None:
        """Return a frame, or None: not yet, not again so far, or never again (`ended`).

        Raises CameraLostError or CameraAbsentError where ending the process is the one way to get
        the camera back: a capture call hangs and holds it, or nothing else has helped for long
        enough. Raises ConfigError where the source is a file that has never given a picture.
        """
        if self._closing is not None:
            self._wait_for_closing(timeout_s)
            return None
        if self._frames is None:
            wait_s = self._retry_at_s - self._clock.monotonic_s()
            if wait_s > 0:
                self._clock.sleep(min(wait_s, timeout_s))
                return None
        try:
            if self._frames is None:
                self._frames, self._opened_well = self._open_it(), False
            patience = self._patience
            limit_s = patience.stall_s if self._opened_well else patience.open_s
            frame = self._frames.read(min(timeout_s, max(0, limit_s - self._frames.silent_s)))
            self.ended = self._frames.ended
            if frame is not None:
                return self._taken(frame)
            if not self.ended and self._frames.silent_s >= limit_s:
                raise CameraError(f"no frame for {limit_s:g} s")
            return None
        except CameraError as error:
            self._lose(error)
            return None
        except PictureError as error:
            if self._has_given:
                raise
            raise ConfigError(f"[camera] source: {error}") from error

    def close(self, timeout_s: float = 0.0) -> bool:
        """Have the camera given back; return False where a capture call still holds it then.

        A second call goes on waiting.
        """
        if self._frames is not None:
            self._dropped_before += self._frames.dropped
            self._closing, self._frames = self._frames, None
        if self._closing is not None and self._closing.close(timeout_s):
            self._closing = None
        return self._closing is None

    def _taken(self, frame: Frame) -> Frame | None:
        """Return the frame if it is a new one; raises CameraError where none has come for long."""
        now_s = self._clock.monotonic_s()
        if not self._opened_well:
            self._opened_well, self._rate = True, FrameRate()
            self._opened_s = self._fresh_s = now_s
        if self._patience.changes and self._repetition.is_repeated(frame.pixels):
            if now_s - self._fresh_s >= self._patience.stall_s:
                raise CameraError(f"the same picture for {now_s - self._fresh_s:.0f} s")
            return None
        self._fresh_s = now_s
        if self._is_frozen(frame, now_s):
            return None
        if now_s - self._opened_s >= STEADY_S:
            self._pause_s = MIN_RETRY_S
        self._found()
        self._judge(frame)
        return frame

    def _is_frozen(self, frame: Frame, now_s: float) -> bool:
        """Return whether a stream shows the same picture for long; raises CameraError where that is
        new, or opening it again has not helped for as long."""
        limit_s = self._patience.frozen_s
        if math.isinf(limit_s):
            return False
        self._standstill.look(frame.pixels, now_s)
        if not self._standstill.is_frozen:
            return False
        if self.state is not CameraState.LOST or now_s - self._opened_s >= limit_s:
            why = f"the same picture for {limit_s / 60:.0f} min: it is frozen; restart the camera"
            raise CameraError(why)
        return True

    def _judge(self, frame: Frame) -> None:
        """Learn how the camera does; say what has changed."""
        if self._watch.look(frame):
            if self._watch.view is CameraView.CLEAR:
                self._log.info("the camera's view is clear again")
            else:
                self._log.warning("the camera's view is %s: nobody is counted", self._watch.view)
        was_slow = self._rate.is_slow
        self._rate.add(frame)
        if self._rate.is_slow and not was_slow:
            self._log.warning("the camera is slow: %.1f frames per second", self._rate.fps)

    def _lose(self, error: CameraError) -> None:
        now_s = self._clock.monotonic_s()
        self._trouble, self._refuses = str(error), isinstance(error, CameraRefusalError)
        if self.state is not CameraState.LOST:
            self.state = CameraState.LOST
            self.outages += 1
            self._lost_at_s = now_s
            self._log.warning("camera lost: %s", error)
        if now_s - self._lost_at_s >= self._patience.restart_s:
            self.close()
            raise self._given_up(f"lost for {now_s - self._lost_at_s:.0f} s: {error}")
        self._retry_at_s = now_s + self._next_pause_s(error)
        self._close_by_s = self._retry_at_s
        if self._patience.exclusive:
            self._close_by_s = now_s + self._patience.open_s
        self.close()

    def _next_pause_s(self, error: CameraError) -> float:
        shortest_s, longest_s = MIN_RETRY_S, MAX_RETRY_S
        if isinstance(error, CameraLoginError):
            shortest_s, longest_s = MIN_LOGIN_RETRY_S, MAX_LOGIN_RETRY_S
        if self._pause_s < shortest_s:
            self._log.warning(
                "the next attempt is in %.0f s: cameras lock accounts after failed logins",
                shortest_s,
            )
        pause_s = min(longest_s, max(shortest_s, self._pause_s))
        self._pause_s = 2 * pause_s
        return pause_s

    def _wait_for_closing(self, timeout_s: float) -> None:
        if self.close(timeout_s) or self._clock.monotonic_s() <= self._close_by_s:
            return
        if self._patience.exclusive:
            raise self._given_up("a capture call hangs and blocks the camera")
        self._abandoned = [frames for frames in self._abandoned if not frames.close(0)]
        if len(self._abandoned) < MAX_ABANDONED and self._closing is not None:
            self._abandoned.append(self._closing)
            self._closing = None
            self._log.info("a capture call has not returned: opening the camera a second time")

    def _given_up(self, why: str) -> CameraLostError:
        if self._has_given:
            return CameraLostError(f"{why}; exiting, so that a new process gets the camera back")
        return CameraAbsentError(f"{why}; no picture since the start; exiting, for a restart")

    def _found(self) -> None:
        if self.state is CameraState.LOST:
            lost_s = self._clock.monotonic_s() - self._lost_at_s
            self._log.info("camera is back after %.0f s", lost_s)
        elif self.state is CameraState.STARTING:
            self._log.info("camera gives frames")
        self.state = CameraState.RUNNING
        self._has_given = True
