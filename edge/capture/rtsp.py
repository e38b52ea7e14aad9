"""A camera in the network: RTSP, or video over HTTP."""

from __future__ import annotations

import logging
import re
import socket

import cv2

from edge.capture.arriving import ArrivingFrames
from edge.capture.ffmpeg import open_ffmpeg
from edge.clock import Clock
from edge.config import CameraSettings
from edge.errors import CameraError, ConfigError, PictureError
from edge.records import Frame

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

_log = logging.getLogger(__name__)


class NetworkStream:
    """A live FrameSource: frames as they arrive, stamped on arrival.

    Its name has neither the user and password nor the path, since cheap cameras take the password
    in the path. Raises ConfigError for an address that is none, CameraError where nothing answers
    within `settings.open_timeout_s`.
    """

    live = True

    def __init__(self, address: str, settings: CameraSettings, clock: Clock) -> None:
        scheme, host, port = _endpoint(address)
        self.name = f"{scheme}://{host}:{port}"
        self._timeout_s = settings.open_timeout_s
        timeout_ms = round(self._timeout_s * 1000)
        timeouts = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: timeout_ms,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: timeout_ms,
        }
        try:
            capture = open_ffmpeg(address, timeouts)
        except PictureError as error:
            raise CameraError(f"{self.name}: {error}; ask the camera for smaller ones") from error
        if capture is None:
            raise CameraError(f"{self.name}: {_diagnosis(host, port, self._timeout_s)}")
        self._frames = ArrivingFrames(capture, settings.rotation_deg, clock)
        width, height = (
            capture.get(cv2.CAP_PROP_FRAME_WIDTH),
            capture.get(cv2.CAP_PROP_FRAME_HEIGHT),
        )
        _log.info("%s: %.0f x %.0f pixels", self.name, width, height)

    def read(self) -> Frame:
        frame = self._frames.read()
        if frame is None:
            raise CameraError(
                f"{self.name}: the stream ended, or gave no frame for {self._timeout_s:g} s"
            )
        return frame

    def close(self) -> None:
        self._frames.close()


def _endpoint(address: str) -> tuple[str, str, int]:
    """Return scheme, host and port; no error names any other part of the address."""
    scheme, _, rest = address.partition("://")
    if scheme not in _PORTS:
        shown = f"{scheme}://" if scheme.isalnum() else "what stands before ://"
        raise ConfigError(f"[camera] source: {shown} is not known; known are {', '.join(_PORTS)}")
    # The last @ of all, not urlsplit's: a password with a slash in it must not become a path.
    place = re.fullmatch(
        r"(\[[^\]]+\]|[^:\[\]]+)(?::(\d{1,5}))?", re.split(r"[/?#]", rest.rpartition("@")[2])[0]
    )
    if place is None:
        raise ConfigError(
            f"[camera] source: no host and port in the {scheme}:// address; write "
            f"{scheme}://user:password@host:port/path"
        )
    return scheme, place[1], int(place[2] or _PORTS[scheme])


def _diagnosis(host: str, port: int, timeout_s: float) -> str:
    """Tell why a stream cannot be opened, which FFmpeg's bare refusal does not."""
    try:
        socket.create_connection((host.strip("[]"), port), timeout_s).close()
    except TimeoutError:
        return f"no answer for {timeout_s:g} s; is the camera on, and the address right?"
    except OSError as error:
        return f"{error.strerror}; is the camera on, and the address right?"
    return "it answers, but gives no video; are the path, user name and password right?"
