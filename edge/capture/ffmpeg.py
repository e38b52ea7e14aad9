"""Opening a clip or a stream with the FFmpeg inside OpenCV."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from edge.capture.pictures import MAX_PIXELS
from edge.capture.relay import PROTOCOLS
from edge.errors import PictureError

# OpenCV 4.9 to 4.11 have the first name, later ones the second; each one's types know its own only.
_opencv: Any = cv2
_set_log_level = getattr(_opencv, "setLogLevel", None) or _opencv.utils.logging.setLogLevel


def name_of(path: Path) -> str:
    """Return a file's path as FFmpeg takes it: what stands before a colon would be a protocol.

    Raises PictureError for a name that is not UTF-8: OpenCV would crash.
    """
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PictureError("its path is not UTF-8; rename it") from None
    return name


def open_ffmpeg(target: str, options: Mapping[int, int] | None = None) -> cv2.VideoCapture | None:
    """Open a file's path or an address; None where FFmpeg finds no video in it.

    `options` are OpenCV's `CAP_PROP_…`. Raises PictureError for pictures above MAX_PIXELS.
    """
    # FFmpeg and OpenCV would write lines of their own to stderr, addresses included; what matters,
    # the answer says. RTSP goes over TCP, since a lost UDP packet smears the picture. OpenCV has no
    # call for what is in the environment, and reads it when it first meets FFmpeg.
    _set_log_level(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault(
        "OPENCV_FFMPEG_CAPTURE_OPTIONS",
        f"rtsp_transport;tcp|protocol_whitelist;file,{PROTOCOLS}",
    )
    pairs = [number for option in (options or {}).items() for number in option]
    # FFmpeg by name: OpenCV would go on to its other back ends, and write the address, with its
    # password, into a warning.
    capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, pairs)
    if not capture.isOpened():
        return None
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if width * height > MAX_PIXELS:
        capture.release()
        raise PictureError(f"a picture of {width:.0f} x {height:.0f} pixels is too large")
    return capture
