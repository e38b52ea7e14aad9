"""A folder of pictures."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from edge.capture.pictures import read_picture
from edge.config import CameraSettings
from edge.errors import PictureError
from edge.records import Pixels

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}

_log = logging.getLogger(__name__)


class Folder:
    """The pictures of a folder (not of those below it) in natural order of their names.

    `settings.fps` is the rate they stand for. One that cannot be read is named in the log once, and
    its place in time stays empty. Raises PictureError where there is no picture.
    """

    damage = ""

    def __init__(self, path: Path, settings: CameraSettings) -> None:
        self.name = path.name or str(path)
        self.interval_s = 1 / settings.fps
        try:
            files = [file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES]
        except OSError as error:
            raise PictureError(f"{self.name}: {error.strerror}") from error
        self._files = sorted(files, key=_natural_order)
        if not self._files:
            raise PictureError(
                f"{self.name}: no pictures in this folder ({', '.join(sorted(_SUFFIXES))})"
            )
        self.length = len(self._files)
        self._unreadable: set[int] = set()
        self._index = -1

    def advance(self) -> float | None:
        self._index += 1
        while self._index in self._unreadable:
            self._index += 1
        return self._index * self.interval_s if self._index < len(self._files) else None

    def pixels(self) -> Pixels | None:
        try:
            return read_picture(self._files[self._index])
        except PictureError as error:
            _log.warning("skipped: %s", error)
            self._unreadable.add(self._index)
            return None

    def rewind(self) -> None:
        self._index = -1

    def close(self) -> None:
        """Nothing is held open."""


def _natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort `9.jpg` before `10.jpg`; the whole name settles ties."""
    # re.split with a group alternates text and digits, so that like is compared with like.
    parts = re.split(r"([0-9]+)", path.name.casefold())
    key = [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]
    return key, path.name
