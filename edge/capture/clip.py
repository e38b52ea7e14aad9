"""A video file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from av.packet import Packet

from edge.capture.ffmpeg import DecodedPicture, NoVideoError, UnreadableError, Video, open_video
from edge.config import CameraSettings
from edge.errors import PictureError
from edge.records import Pixels

LONGEST_STEP_S = 60.0
"""A longer leap between two frames is a damaged time stamp."""
REORDERED_S = 1.0
"""So is one further backwards; some containers have stamps in the order of decoding only."""
WHOLE = 0.9
"""A clip of which so much was read is whole: some containers only estimate how long they are."""
_FILES_ONLY = {"protocol_whitelist": "file,crypto,data"}
"""A playlist is a clip too, and might name an address."""


_log = logging.getLogger(__name__)


class Clip:
    """The frames of a video file with the times in its container; turned as its metadata says.

    A damaged clip gives the frames it has. Raises PictureError for anything but a clip.
    """

    def __init__(self, path: Path, settings: CameraSettings) -> None:
        self.name = path.name
        self._path = path
        self._video = self._open()
        self.interval_s = 1 / (self._video.fps or settings.fps)
        self.length = self._video.length
        self._rewound()

    def _open(self) -> Video:
        # As an address, since what stands before a colon in a name would be a protocol.
        try:
            return open_video(f"file:{self._path.absolute()}", _FILES_ONLY)
        except NoVideoError as error:
            raise PictureError(
                f"{self.name}: no video that can be read; choose another file ({error})"
            ) from None
        except PictureError as error:
            raise PictureError(f"{self.name}: {error}") from error

    def _rewound(self) -> None:
        self._pictures = self._decoded()
        self._picture: DecodedPicture | None = None
        self._media_s: float | None = None
        self._zero_s: float | None = None
        """The stamp that is time 0."""
        self._read = self._unreadable = 0
        self._reached_s = self._video.starts_s

    def advance(self) -> float | None:
        self._picture = next(self._pictures, None)
        if self._picture is None:
            return None
        self._media_s = self._time_of(self._picture.time_s)
        return self._media_s

    def _time_of(self, stamp_s: float | None) -> float:
        """Return the time since the first picture, which rises whatever the stamps do."""
        if self._media_s is None:
            self._zero_s = stamp_s
            return 0.0
        usual_s = self._media_s + self.interval_s
        if stamp_s is None:
            return usual_s
        if self._zero_s is not None:
            step_s = stamp_s - self._zero_s - self._media_s
            if 0 < step_s <= LONGEST_STEP_S:
                return self._media_s + step_s
            if -REORDERED_S < step_s <= 0:
                return usual_s
        self._zero_s = stamp_s - usual_s
        return usual_s

    def _decoded(self) -> Iterator[DecodedPicture]:
        """Yield the pictures; one that cannot be decoded is left out."""
        try:
            for packet in self._video.packets(all_streams=True):
                self._reached_s = max(self._reached_s, self._video.reached_s(packet))
                if self._video.is_picture(packet):
                    yield from self._pictures_in(packet)
        except NoVideoError as error:
            _log.warning("%s: reading stopped: %s", self.name, error)
        if self._unreadable:
            _log.warning("%s: %s", self.name, self._unreadable_pictures)

    def _pictures_in(self, packet: Packet[Any]) -> list[DecodedPicture]:
        try:
            pictures = self._video.decode(packet)
        except UnreadableError:
            self._unreadable += 1
            return []
        self._read += len(pictures)
        return pictures

    def pixels(self) -> Pixels | None:
        try:
            return None if self._picture is None else self._picture.pixels()
        except UnreadableError:
            return None

    @property
    def damage(self) -> str:
        """What a clip lacks that is at its end; empty where that is little or nothing."""
        ends_s, starts_s = self._video.ends_s, self._video.starts_s
        if ends_s is not None:
            # Of some containers the length counts from 0, wherever they begin.
            length_s = ends_s - starts_s if starts_s < ends_s else ends_s
            if ends_s - self._reached_s > (1 - WHOLE) * length_s + 2 * self.interval_s:
                read_s = max(0.0, length_s - (ends_s - self._reached_s))
                return f"read {read_s:.1f} of {length_s:.1f} s: the file is damaged or cut"
        if self._unreadable > (1 - WHOLE) * (self._read + self._unreadable):
            return f"{self._unreadable_pictures}: the file is damaged"
        return ""

    @property
    def _unreadable_pictures(self) -> str:
        return f"{self._unreadable} of {self._read + self._unreadable} frames cannot be decoded"

    def rewind(self) -> None:
        # Opened again: seeking back to the first frame fails in some containers.
        self.close()
        self._video = self._open()
        self._rewound()

    def close(self) -> None:
        self._video.close()
