"""A USB camera, or any other that Linux has as /dev/videoN."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
from pathlib import Path

import cv2
import numpy as np

from edge.capture.rotate import rotated
from edge.clock import Clock
from edge.config import CameraSettings
from edge.errors import CameraError
from edge.records import Frame

# From <linux/videodev2.h>.
_VIDIOC_QUERYCAP = 0x80685600
_CAP_VIDEO_CAPTURE = 0x00000001
_CAP_DEVICE_CAPS = 0x80000000

_REMEDIES = {
    errno.ENOENT: "no such device; is the camera plugged in? `v4l2-ctl --list-devices` lists them",
    errno.EACCES: "permission denied; add the user to the group: sudo usermod -aG video USER",
    errno.EPERM: "not permitted; does the service's DeviceAllow= name it?",
    errno.EBUSY: "busy; `fuser -v` on it shows which program uses it",
    errno.ENODEV: "the camera is gone; plug it in again",
    errno.ENXIO: "the camera is gone; plug it in again",
}

_log = logging.getLogger(__name__)


class V4l2Camera:
    """A live FrameSource: frames as they arrive, stamped on arrival.

    Asks for Motion JPEG, since USB rarely has the bandwidth for large raw pictures; the camera may
    give another format, size and rate. Raises CameraError, which tells a missing, forbidden, busy
    or wrong device apart.
    """

    live = True

    def __init__(self, path: Path, settings: CameraSettings, clock: Clock) -> None:
        self.name = f"{path} ({_camera_at(path)})"
        capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
        if not capture.isOpened():
            raise CameraError(f"{self.name}: {_REMEDIES[errno.EBUSY]}")
        self._capture, self._clock = capture, clock
        self._rotation_deg = settings.rotation_deg
        self._number = 0
        # The format first: it decides which sizes there are, and the size which rates.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width_px)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px)
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
        width = capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        height = capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        fps = capture.get(cv2.CAP_PROP_FPS)
        _log.info("%s: %.0f x %.0f pixels, %g frames per second", self.name, width, height, fps)

    def read(self) -> Frame:
        arrived, pixels = self._capture.read()
        if not arrived:
            raise CameraError(
                f"{self.name}: gives no frame; unplugged, or another program uses it (`fuser -v`)"
            )
        upright = rotated(np.asarray(pixels, np.uint8), self._rotation_deg)
        number = self._number
        self._number += 1
        return Frame(number, upright, self._clock.utc(), self._clock.monotonic_s())

    def close(self) -> None:
        self._capture.release()


def _camera_at(path: Path) -> str:
    """Return the name that the camera gives itself."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        raise CameraError(f"{path}: {_remedy(error)}") from error
    try:
        answer = fcntl.ioctl(descriptor, _VIDIOC_QUERYCAP, bytes(104))
    except OSError as error:
        raise CameraError(f"{path}: no camera, but some other kind of device") from error
    finally:
        os.close(descriptor)
    return _name_in(answer, path)


def _name_in(capability: bytes, path: Path) -> str:
    """Read a `struct v4l2_capability`; raises CameraError where it is not of a camera.

    A Pi's own codecs and a USB camera's metadata are /dev/videoN too.
    """
    whole, device = struct.unpack_from("=II", capability, 84)
    if not (device if whole & _CAP_DEVICE_CAPS else whole) & _CAP_VIDEO_CAPTURE:
        raise CameraError(
            f"{path}: a video device, but no camera; `v4l2-ctl --list-devices` lists the cameras"
        )
    return capability[16:48].split(b"\0")[0].decode(errors="replace")


def _remedy(error: OSError) -> str:
    return _REMEDIES.get(error.errno or 0) or f"{error.strerror}"
