"""The area that was drawn on the page: kept beside the outbox, where the settings name none."""

from __future__ import annotations

import logging
import threading
from enum import StrEnum
from pathlib import Path

import msgspec

from edge.config import DetectorSettings, Polygons
from edge.detect.area import Area
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.files import DamagedFileError, decoded

_log = logging.getLogger(__name__)

FILE = "area.json"
BEFORE = "area.before.json"
MAX_BYTES = 64_000


class DrawnArea(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Polygons in fractions of the picture, as [detector] regions and excluded."""

    regions: Polygons = ()
    excluded: Polygons = ()

    @property
    def area(self) -> Area:
        return Area(self.regions, self.excluded)


class Origin(StrEnum):
    """Where the area that is watched comes from."""

    SETTINGS = "settings"
    """Then it is changed there."""
    DRAWN = "drawn"
    WHOLE = "whole"
    """None was drawn: the whole picture."""


class AreaBook:
    """Draws, remembers and takes back. The loop takes each new area when it is ready for it."""

    def __init__(self, settings: DetectorSettings, folder: Path) -> None:
        """Raises ConfigError where the file is damaged: what would be watched is not known."""
        self._file, self._before = folder / FILE, folder / BEFORE
        self._lock = threading.Lock()
        self._wanted: DrawnArea | None = None
        self.is_fixed = bool(settings.watched or settings.excluded)
        self.present = (
            DrawnArea(settings.watched, settings.excluded)
            if self.is_fixed
            else _read(self._file) or DrawnArea()
        )
        if self.present != DrawnArea() and not self.is_fixed:
            self._wanted = self.present

    @property
    def origin(self) -> Origin:
        if self.is_fixed:
            return Origin.SETTINGS
        return Origin.WHOLE if self.present == DrawnArea() else Origin.DRAWN

    @property
    def can_undo(self) -> bool:
        return not self.is_fixed and self._before.exists()

    def draw(self, drawn: DrawnArea) -> None:
        """Have it watched from now on, over restarts too. Raises ConfigError: nothing changes."""
        with self._lock:
            self._refuse(drawn)
            self._change(drawn)

    def undo(self) -> None:
        """Go back to what was watched before. Raises ConfigError: to nothing."""
        with self._lock:
            self._refuse_fixed()
            before = _read(self._before)
            if before is None:
                raise ConfigError("there is nothing to go back to: no other area was drawn before")
            self._change(before)

    def take(self) -> Area | None:
        """Return what is to be watched from now on; None: what is watched already."""
        if self._wanted is None:
            return None
        with self._lock:
            wanted, self._wanted = self._wanted, None
        return None if wanted is None else wanted.area

    def _refuse(self, drawn: DrawnArea) -> None:
        self._refuse_fixed()
        if drawn.area.is_empty:
            raise ConfigError("nothing would be watched: the regions are too small, or left out")

    def _refuse_fixed(self) -> None:
        if self.is_fixed:
            raise ConfigError(
                "the settings name the area, [detector] region, regions or excluded: change it "
                "there, or take it out to draw it here"
            )

    def _change(self, drawn: DrawnArea) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._before, msgspec.json.encode(self.present))
            replace_file(self._file, msgspec.json.encode(drawn))
        except OSError as error:
            raise ConfigError(f"{self._file}: {error.strerror}; nothing is changed") from error
        self.present = self._wanted = drawn
        _log.info(
            "the area was drawn anew: %d regions, %d left out",
            *(len(drawn.regions), len(drawn.excluded)),
        )


def _read(path: Path) -> DrawnArea | None:
    try:
        with path.open("rb") as file:
            return decoded(file.read(MAX_BYTES), DrawnArea)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except DamagedFileError as error:
        raise ConfigError(
            f"{path}: damaged ({error}); remove it, and draw the area again"
        ) from error
