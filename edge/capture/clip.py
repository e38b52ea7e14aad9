"""A video file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.capture.ffmpeg import name_of, open_ffmpeg
from edge.config import CameraSettings
from edge.errors import PictureError
from edge.records import Pixels

_LONGEST_STEP_S = 60.0
"""A longer leap between two frames is a damaged time stamp, as is one backwards."""


class Clip:
    """The frames of a video file with the times in its container; turned as its metadata says.

    A damaged clip gives the frames it has. Raises PictureError for anything but a clip.
    """

    def __init__(self, path: Path, settings: CameraSettings) -> None:
        self.name = path.name
        self._path = path
        self._capture = self._open()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.interval_s = 1 / fps if 0.1 <= fps <= 1000 else 1 / settings.fps
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.length = round(count) if 0 < count < 1e9 else None
        self._stamp_s: float | None = None
        self._media_s = 0.0

    def _open(self) -> cv2.VideoCapture:
        try:
            capture = open_ffmpeg(name_of(self._path))
        except PictureError as error:
            raise PictureError(f"{self.name}: {error}") from error
        if capture is None:
            raise PictureError(f"{self.name}: no video that can be read; choose another file")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # not every OpenCV does unasked
        return capture

    def advance(self) -> float | None:
        if not self._capture.grab():
            return None
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._stamp_s is not None:
            step_s = stamp_s - self._stamp_s
            self._media_s += step_s if 0 < step_s <= _LONGEST_STEP_S else self.interval_s
        self._stamp_s = stamp_s
        return self._media_s

    def pixels(self) -> Pixels | None:
        readable, pixels = self._capture.retrieve()
        return np.asarray(pixels, np.uint8) if readable else None

    def rewind(self) -> None:
        # Opened anew: seeking back to the first frame fails in some containers.
        self.close()
        self._capture = self._open()
        self._stamp_s = None
        self._media_s = 0.0

    def close(self) -> None:
        self._capture.release()
