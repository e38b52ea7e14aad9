"""Frames from a camera, a stream, a clip or a folder of pictures, all read the same way."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from edge.capture.source import FrameSource
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import CameraSettings, holds_password
from edge.errors import ConfigError

_PI_CAMERA = re.compile(r"picamera2(?::(\d+))?")
_DEVICE = re.compile(r"/dev/.+|\d+")


def is_sensor(settings: CameraSettings) -> bool:
    """Return whether frames come straight from a sensor of this machine."""
    source = settings.source
    return bool(_PI_CAMERA.fullmatch(source) or _DEVICE.fullmatch(source))


def is_camera(settings: CameraSettings) -> bool:
    """Return whether the source is a camera or stream, and no file."""
    return is_sensor(settings) or "://" in settings.source


def is_live(settings: CameraSettings) -> bool:
    """Return whether `open_source` will give a live source, without opening it."""
    return settings.realtime or is_camera(settings)


def open_source(
    settings: CameraSettings, clock: Clock = SYSTEM_CLOCK, starts_at: datetime | None = None
) -> FrameSource:
    """Open what `settings.source` names; a hung camera can hold this call for ever.

    `starts_at` makes a clip or folder deterministic: its frames are stamped with that time plus
    their time in the clip, and their monotonic clock begins at 0. Without it a file starts now, on
    `clock`.

    Raises ConfigError for a source that is nothing we know, MissingPackageError, CameraError for a
    camera or stream that cannot be opened, PictureError for a file that cannot be read.
    """
    source = settings.source
    if pi_camera := _PI_CAMERA.fullmatch(source):
        from edge.capture.picamera import PiCamera

        return PiCamera(int(pi_camera[1] or 0), settings, clock)
    if _DEVICE.fullmatch(source):
        from edge.capture.v4l2 import V4l2Camera

        path = Path(f"/dev/video{source}" if source.isdigit() else source)
        return V4l2Camera(path, settings, clock)
    if "://" in source:
        from edge.capture.rtsp import NetworkStream

        return NetworkStream(source, settings, clock)
    from edge.capture.clip import Clip
    from edge.capture.folder import Folder
    from edge.capture.playback import Playback

    shown = "what it says" if holds_password(source) else source
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return Playback(Folder(path, settings), settings, clock, starts_at)
        if path.is_file():
            return Playback(Clip(path, settings), settings, clock, starts_at)
    except (OSError, RuntimeError) as error:  # a name that is too long, a user who is nobody
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"[camera] source: {shown}: {reason}") from error
    raise ConfigError(
        f"[camera] source: {shown} is no file or folder here; give picamera2, a device such as "
        "/dev/video0, an rtsp:// address, a clip or a folder of pictures"
    )
