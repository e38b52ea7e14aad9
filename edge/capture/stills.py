"""A camera in the network that has single pictures only (a snapshot URL): polled."""

from __future__ import annotations

import logging

from edge.capture.ffmpeg import NoVideoError, UnreadableError
from edge.capture.reasons import REFUSED, failure_of
from edge.capture.relay import Link
from edge.capture.rotate import rotated
from edge.capture.rtsp import open_linked
from edge.clock import Clock
from edge.config import CameraSettings
from edge.errors import CameraError, PictureError
from edge.records import Frame, Pixels

MAX_FPS = 5.0
"""Each picture is a connection of its own: more of them keep a small camera from its work."""

_log = logging.getLogger(__name__)


class Stills:
    """A live FrameSource: a picture for each request, stamped on arrival.

    One that fails is asked for again, until none has come for as long as a stream may be silent.
    """

    live = True

    def __init__(
        self, name: str, link: Link, kind: str, settings: CameraSettings, clock: Clock
    ) -> None:
        self.name = name
        self._link = link
        self._kind = kind
        self._settings = settings
        self._clock = clock
        self._every_s = 1 / min(settings.fps, MAX_FPS)
        self._number = 0
        self._given_s = clock.monotonic_s()
        self._due_s = self._given_s
        _log.info(
            "%s: a single picture and no video; asked for again %g times a second",
            self.name,
            round(1 / self._every_s, 2),
        )

    def read(self) -> Frame:
        limit_s = self._settings.frame_timeout_s
        while True:
            self._wait()
            try:
                pixels = self._ask()
            except (NoVideoError, UnreadableError, PictureError) as error:
                if isinstance(error, NoVideoError) and isinstance(error.error, REFUSED):
                    raise failure_of(self.name, error.error) from None
                self._number += 1
                if self._clock.monotonic_s() - self._given_s >= limit_s:
                    raise CameraError(
                        f"{self.name}: no picture for {limit_s:g} s: {error}"
                    ) from None
                continue
            self._given_s = self._clock.monotonic_s()
            number = self._number
            self._number += 1
            upright = rotated(pixels, self._settings.rotation_deg)
            return Frame(number, upright, self._clock.utc(), self._given_s)

    def _wait(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s:
            self._clock.sleep(self._due_s - now_s)
        # Requests that took too long are not made up for.
        self._due_s = max(self._due_s, now_s) + self._every_s

    def _ask(self) -> Pixels:
        limit_s = self._settings.frame_timeout_s
        video = open_linked(self._link, self._settings, limit_s, self._kind)
        try:
            for packet in video.packets():
                for picture in video.decode(packet):
                    return picture.pixels()
        finally:
            video.close()
        raise NoVideoError("the answer is no picture")

    def close(self) -> None:
        self._link.close()
