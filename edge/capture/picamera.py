"""A Raspberry Pi camera, by picamera2 and libcamera."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import cv2
import numpy as np

from edge.capture.rotate import rotated
from edge.clock import Clock
from edge.config import CameraSettings
from edge.errors import CameraError, MissingPackageError
from edge.records import Frame, Pixels
from edge.words import count

_BUFFERS = 4
"""One being exposed, one in the image signal processor, the newest kept, one being copied. More
only takes from the Pi's scarce contiguous memory."""

_LONGEST_DELAY_S = 10.0
"""A sensor time stamp older than this is on another clock than ours."""

# The names are DRM's, which read a little-endian word from its top: "RGB888" is B, G, R in memory.
_PACKED = {
    "RGB888": (3, None),
    "BGR888": (3, cv2.COLOR_RGB2BGR),
    "XRGB8888": (4, cv2.COLOR_BGRA2BGR),
    "XBGR8888": (4, cv2.COLOR_RGBA2BGR),
    "YUYV": (2, cv2.COLOR_YUV2BGR_YUYV),
    "UYVY": (2, cv2.COLOR_YUV2BGR_UYVY),
}
"""Format: bytes per pixel, OpenCV's conversion."""
_PLANAR = {
    "YUV420": cv2.COLOR_YUV2BGR_I420,
    "YVU420": cv2.COLOR_YUV2BGR_YV12,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "NV21": cv2.COLOR_YUV2BGR_NV21,
}
"""Format with the colors at half the resolution behind the brightness: OpenCV's conversion."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a stream's pictures lie in memory."""

    format: str
    width: int
    height: int
    stride: int
    """Bytes from one row to the next, padding included; of the brightness where that is a plane."""

    def to_bgr(self, buffer: Pixels) -> Pixels:
        """Return a contiguous BGR copy of the camera's flat buffer, which is soon overwritten."""
        if self.format in _PLANAR:
            height = self.height * 3 // 2
            planes = buffer[: height * self.stride].reshape(height, self.stride)
            # With its padding, and cut after: the color planes are padded too.
            padded = cv2.cvtColor(planes, _PLANAR[self.format])
            return np.ascontiguousarray(padded[:, : self.width], np.uint8)
        channels, conversion = _PACKED[self.format]
        rows = buffer[: self.height * self.stride].reshape(self.height, self.stride)
        shape = (self.height, self.width, channels)
        if conversion is None:
            return rows[:, : self.width * channels].copy().reshape(shape)
        packed = rows[:, : self.width * channels].reshape(shape)
        return np.asarray(cv2.cvtColor(packed, conversion), np.uint8)


class PiCamera:
    """A live FrameSource: the ISP's main stream as `pixels`, its small one as `lores`.

    Frames carry the time at which the sensor exposed them. What the camera cannot do as asked
    (size, format, rate, a second stream) it does its own way. Raises MissingPackageError, and
    CameraError where there is no such camera or another program has it.
    """

    live = True

    def __init__(self, number: int, settings: CameraSettings, clock: Clock) -> None:
        picamera2 = require_picamera2()
        cameras = picamera2.Picamera2.global_camera_info()
        if number >= len(cameras):
            raise CameraError(
                f"picamera2:{number}: libcamera sees {count(len(cameras), 'camera')}, counted from "
                "0; check the ribbon cable, then `rpicam-hello --list-cameras`"
            )
        self.name = f"picamera2:{number} ({cameras[number]['Model']})"
        self._open_timeout_s = settings.open_timeout_s
        self._frame_timeout_s = settings.frame_timeout_s
        self._rotation_deg = settings.rotation_deg
        self._clock = clock
        self._number = 0
        self._mapped = picamera2.MappedArray
        try:
            self._camera = picamera2.Picamera2(number)
        except RuntimeError as error:
            raise CameraError(
                f"{self.name}: {error.__cause__ or error}; if another program uses the camera, "
                "`fuser -v /dev/media*` shows which"
            ) from error
        try:
            self._camera.configure(_configuration(self._camera, settings))
            # Read back: the camera makes of our wishes what it can.
            given = self._camera.camera_configuration()
            self._main = _layout(given["main"])
            lores = _layout(given["lores"]) if given["lores"] else None
            self._lores = lores if lores and lores.width < self._main.width else None
            self._camera.start()
        except (RuntimeError, OSError, CameraError) as error:
            self._camera.close()
            raise CameraError(f"{self.name}: cannot be started: {error}") from error
        _log.info("%s: main %s, lores %s", self.name, self._main, self._lores)

    def read(self) -> Frame:
        timeout_s = self._frame_timeout_s if self._number else self._open_timeout_s
        try:
            request = self._camera.capture_request(wait=timeout_s)
        except TimeoutError as error:
            # Else closing would wait for ever behind the request that never came.
            self._camera.cancel_all_and_flush()
            raise CameraError(
                f"{self.name}: no frame for {timeout_s:g} s; check the ribbon cable"
            ) from error
        try:
            delay_s = _delay_s(request.get_metadata().get("SensorTimestamp"))
            captured_at = self._clock.utc() - timedelta(seconds=delay_s)
            monotonic_s = self._clock.monotonic_s() - delay_s
            pixels = self._picture(request, "main", self._main)
            lores = self._picture(request, "lores", self._lores) if self._lores else None
        finally:
            request.release()
        number = self._number
        self._number += 1
        return Frame(number, pixels, captured_at, monotonic_s, lores)

    def _picture(self, request: Any, stream: str, layout: Layout) -> Pixels:
        with self._mapped(request, stream, reshape=False) as mapped:
            return rotated(layout.to_bgr(mapped.array), self._rotation_deg)

    def close(self) -> None:
        self._camera.close()


def require_picamera2() -> Any:
    """Return the package. Raises MissingPackageError."""
    try:
        import picamera2
    except (ImportError, ValueError) as error:
        # ValueError: its parts were built for another numpy than the venv's.
        raise MissingPackageError(
            f"picamera2 cannot be used ({error}); for another camera write [camera] source, or: "
            "sudo deploy/install.sh --source CAMERA; for a Pi's own: sudo apt install "
            "python3-picamera2, and make the venv with --system-site-packages"
        ) from error
    return picamera2


def _layout(stream: dict[str, Any]) -> Layout:
    if stream["format"] not in _PACKED.keys() | _PLANAR.keys():
        raise CameraError(f"it gives {stream['format']} pictures, which we cannot convert")
    width, height = stream["size"]
    return Layout(stream["format"], width, height, stream["stride"])


def _configuration(camera: Any, settings: CameraSettings) -> dict[str, Any]:
    width, height = _even(settings.width_px), _even(settings.height_px)
    lores = None
    if 0 < settings.lores_width_px < width:
        lores_width = _even(settings.lores_width_px)
        lores = {"size": (lores_width, _even(lores_width * height / width)), "format": "YUV420"}
    frame_us = round(1e6 / settings.fps)
    # libcamera refuses a control that the camera has not.
    paced = "FrameDurationLimits" in camera.camera_controls
    configuration: dict[str, Any] = camera.create_video_configuration(
        main={"size": (width, height), "format": "RGB888"},
        lores=lores,
        controls={"FrameDurationLimits": (frame_us, frame_us)} if paced else {},
        buffer_count=_BUFFERS,
        display=None,
        encode=None,
    )
    return configuration


def _even(size_px: float) -> int:
    """Colors come at half the resolution, so sizes are even."""
    return max(2, round(size_px / 2) * 2)


def _delay_s(sensor_ns: int | None) -> float:
    """Return how long ago the first row was exposed, which libcamera tells in CLOCK_BOOTTIME."""
    if sensor_ns is None:
        return 0.0
    delay_s = time.clock_gettime(time.CLOCK_BOOTTIME) - sensor_ns / 1e9
    return delay_s if 0 <= delay_s <= _LONGEST_DELAY_S else 0.0
