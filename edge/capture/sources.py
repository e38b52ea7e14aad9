"""Frames from a camera, a stream, a clip or a folder of pictures, all read the same way."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from edge.address import (
    DeviceSource,
    FileSource,
    PiSource,
    Sensor,
    StreamSource,
    holds_password,
    nearest_source,
    source_in,
)
from edge.capture.source import FrameSource
from edge.clock import SYSTEM_CLOCK, Clock
from edge.config import CameraSettings
from edge.errors import ConfigError, PictureError


def is_sensor(settings: CameraSettings) -> bool:
    """Return whether frames come straight from a sensor of this machine."""
    return isinstance(source_in(settings.source), Sensor)


def is_camera(settings: CameraSettings) -> bool:
    """Return whether the source is a camera or stream, and no file."""
    return not isinstance(source_in(settings.source), FileSource)


def is_live(settings: CameraSettings) -> bool:
    """Return whether `open_source` will give a live source, without opening it."""
    return settings.realtime or is_camera(settings)


_LOADING = threading.Lock()
"""Two cameras are opened at once: a package whose modules import each other is seen half loaded by
a second thread."""


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
    match source_in(settings.source):
        case PiSource(number):
            with _LOADING:
                from edge.capture.picamera import PiCamera

            return PiCamera(number, settings, clock)
        case DeviceSource(path):
            with _LOADING:
                from edge.capture.v4l2 import V4l2Camera

            return V4l2Camera(path, settings, clock)
        case StreamSource() as stream:
            return _open_network(stream, settings, clock)
        case FileSource(text):
            return _open_file(text, settings, clock, starts_at)


def _open_network(stream: StreamSource, settings: CameraSettings, clock: Clock) -> FrameSource:
    with _LOADING:
        from edge.capture.rtsp import NetworkStream, open_stream
        from edge.capture.stills import Stills

    begun_s = clock.monotonic_s()
    link, video = open_stream(stream, settings)
    kind = video.picture_kind
    if kind is None or video.goes_on():
        return NetworkStream(stream.name, link, video, settings, clock, begun_s)
    video.close()
    return Stills(stream.name, link, kind, settings, clock)


def _open_file(
    text: str, settings: CameraSettings, clock: Clock, starts_at: datetime | None
) -> FrameSource:
    with _LOADING:
        from edge.capture.clip import Clip
        from edge.capture.folder import Folder
        from edge.capture.playback import Playback

    shown = "what it says" if holds_password(text) else text
    try:
        path = Path(text).expanduser()
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()  # from Python 3.13 on, nothing below says that a folder is closed
            if not os.access(path, os.R_OK, effective_ids=True):
                raise PictureError(f"{shown}: {os.strerror(errno.EACCES)}")
        if path.is_dir():
            return Playback(Folder(path, settings), settings, clock, starts_at)
        if path.is_file():
            return Playback(Clip(path, settings), settings, clock, starts_at)
    except (OSError, RuntimeError) as error:  # a name that is too long, a user who is nobody
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"[camera] source: {shown}: {reason}") from error
    raise ConfigError(
        f"[camera] source: {shown} is no file or folder here; give picamera2, a device such as "
        f"/dev/video0, an rtsp:// address, a clip or a folder of pictures{nearest_source(text)}"
    )
