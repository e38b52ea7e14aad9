"""A camera in the network: RTSP, or video over HTTP."""

from __future__ import annotations

import logging
import time

import cv2

from edge.address import StreamSource
from edge.capture.arriving import ArrivingFrames
from edge.capture.ffmpeg import open_ffmpeg
from edge.capture.relay import link_to
from edge.clock import Clock
from edge.config import CameraSettings
from edge.errors import CameraError, PictureError
from edge.records import Frame

REACH_SHARE = 0.5
"""Of the time for opening, what a host may take to be found and to answer; FFmpeg has the rest."""

_log = logging.getLogger(__name__)


class NetworkStream:
    """A live FrameSource: frames as they arrive, stamped on arrival.

    Its name has neither the user and password nor the path, since cheap cameras take the password
    in the path. Raises CameraError, which says why, where it cannot be opened within
    `settings.open_timeout_s`.
    """

    live = True

    def __init__(self, stream: StreamSource, settings: CameraSettings, clock: Clock) -> None:
        self.name = stream.name
        self._timeout_s = settings.open_timeout_s
        deadline_s = time.monotonic() + self._timeout_s
        self._link = link_to(stream, settings, REACH_SHARE * self._timeout_s)
        try:
            capture = self._opened(deadline_s - time.monotonic())
        except CameraError:
            self._link.close()
            raise
        self._frames = ArrivingFrames(capture, settings.rotation_deg, clock)
        width, height = (
            capture.get(cv2.CAP_PROP_FRAME_WIDTH),
            capture.get(cv2.CAP_PROP_FRAME_HEIGHT),
        )
        _log.info("%s: %.0f x %.0f pixels", self.name, width, height)

    def _opened(self, left_s: float) -> cv2.VideoCapture:
        timeouts = {
            # None at all would be 0.
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: max(1, round(left_s * 1000)),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: max(1, round(self._timeout_s * 1000)),
        }
        try:
            capture = open_ffmpeg(self._link.address, timeouts)
        except PictureError as error:
            raise CameraError(f"{self.name}: {error}; ask the camera for smaller ones") from error
        if capture is None:
            raise CameraError(
                f"{self.name}: it answers, but gives no video; are the path, user name and "
                "password right?"
            )
        return capture

    def read(self) -> Frame:
        frame = self._frames.read()
        if frame is None:
            raise CameraError(
                f"{self.name}: the stream ended, or gave no frame for {self._timeout_s:g} s"
            )
        return frame

    def close(self) -> None:
        self._frames.close()
        self._link.close()
