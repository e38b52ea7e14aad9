"""Playing a clip or a folder: time, pace, numbers and loops, the same for both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from edge.capture.rotate import rotated
from edge.clock import Clock
from edge.config import CameraSettings
from edge.errors import PictureError
from edge.records import Frame, Pixels

_MAX_DROPS = 100
"""Frames dropped in a row before one is given all the same: a machine that cannot even decode as
fast as the clip runs would otherwise see none of it."""


class Media(Protocol):
    """A file with pictures that each have their time."""

    @property
    def name(self) -> str: ...

    @property
    def interval_s(self) -> float:
        """The usual time between two pictures, positive."""

    @property
    def length(self) -> int | None:
        """How many pictures it says to have; None: unsaid."""

    @property
    def damage(self) -> str:
        """What is missing in one that was read to its end, in a line; empty where nothing is."""

    def advance(self) -> float | None:
        """Go to the next picture; return its time in the file (from 0, rising), None at the end."""

    def pixels(self) -> Pixels | None:
        """Return the picture that `advance` went to; None where it cannot be read."""

    def rewind(self) -> None:
        """Go back before the first picture."""

    def close(self) -> None: ...


class Playback:
    """A FrameSource that plays a file."""

    def __init__(
        self, media: Media, settings: CameraSettings, clock: Clock, starts_at: datetime | None
    ) -> None:
        """Play at the file's pace or as fast as possible, once or for ever, as the settings say.

        Time is the file's, from the first `read` on: see `edge.capture.sources.open_source`.
        """
        self.name = media.name
        self.live = settings.realtime
        self.length = media.length
        self.interval_s = media.interval_s
        self._media = media
        self._loop = settings.loop
        self._rotation_deg = settings.rotation_deg
        self._clock = clock
        self._starts_at = starts_at
        self._starts_s: float | None = None if starts_at is None else 0.0
        self._paced_from_s: float | None = None
        self._lap_s = 0.0
        self._media_s = 0.0
        self._number = 0
        self._shown_any = False

    def read(self) -> Frame | None:
        drops = 0
        while (media_s := self._advance()) is not None:
            number = self._number
            self._number += 1
            if (
                self.live
                and drops < _MAX_DROPS
                and self._ahead_s(media_s) < -self._media.interval_s
            ):
                drops += 1
                continue
            pixels = self._media.pixels()
            if pixels is None:
                continue
            pixels = rotated(pixels, self._rotation_deg)
            if self.live and (ahead_s := self._ahead_s(media_s)) > 0:
                self._clock.sleep(ahead_s)
            self._shown_any = True
            return self._stamped(number, pixels, media_s)
        if not self._shown_any:
            raise PictureError(f"{self.name}: no picture in it can be read; choose another file")
        return None

    @property
    def damage(self) -> str:
        """What is missing in a file that was read to its end, in a line; empty: nothing is."""
        return self._media.damage

    def close(self) -> None:
        self._media.close()

    def _advance(self) -> float | None:
        """Return the next picture's time since the first lap began."""
        media_s = self._media.advance()
        if media_s is None and self._loop:
            self._media.rewind()
            self._lap_s = self._media_s + self._media.interval_s
            media_s = self._media.advance()
        if media_s is None:
            return None
        self._media_s = self._lap_s + media_s
        return self._media_s

    def _ahead_s(self, media_s: float) -> float:
        """Return how long until the picture is due; negative when it is late."""
        now_s = self._clock.monotonic_s()
        if self._paced_from_s is None:
            self._paced_from_s = now_s - media_s
        return self._paced_from_s + media_s - now_s

    def _stamped(self, number: int, pixels: Pixels, media_s: float) -> Frame:
        if self._starts_s is None:
            self._starts_s = self._clock.monotonic_s() - media_s
        monotonic_s = self._starts_s + media_s
        if self._starts_at is not None:
            moment = self._starts_at + timedelta(seconds=media_s)
        else:
            # By the wall clock as it is now: it may have been set since the start.
            ago_s = self._clock.monotonic_s() - monotonic_s
            moment = self._clock.utc() - timedelta(seconds=ago_s)
        return Frame(number, pixels, moment, monotonic_s)
