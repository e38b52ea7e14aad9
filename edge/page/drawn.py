"""The area that was drawn on the page: kept beside the outbox, where the settings name none.

Names lie in a file of their own: an older release refuses an area with a field that it does not
know, and after a rollback it must go on watching this one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import msgspec

from edge.config import CameraSettings, DetectorSettings, Polygon, Polygons, Settings
from edge.detect.area import Area
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.files import DamagedFileError, decoded
from edge.outline import crosses_itself
from edge.page.wire import Name

_log = logging.getLogger(__name__)

FILE = "area.json"
BEFORE = "area.before.json"
NAMES = "area.names.json"
AREAS = "areas"
"""Below the device's state, a folder for each of several cameras: what was drawn for it."""
MAX_BYTES = 256_000
Content = TypeVar("Content")


def area_folder(settings: Settings, camera: CameraSettings) -> Path:
    """Return where the area is kept that was drawn for a camera."""
    state = settings.outbox.file.parent
    return state / AREAS / camera.name if settings.cameras else state


class DrawnArea(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Polygons in fractions of the picture, as [detector] regions and excluded."""

    regions: Polygons = ()
    excluded: Polygons = ()

    @property
    def area(self) -> Area:
        return Area(self.regions, self.excluded)


class Named(msgspec.Struct, frozen=True):
    """What somebody calls a polygon."""

    points: Polygon
    name: Name


class Names(msgspec.Struct, frozen=True):
    """The names in the area that is watched, and in the one before it.

    By polygon: where another release has drawn since, what it drew has no name.
    """

    present: tuple[Named, ...] = ()
    before: tuple[Named, ...] = ()


class AreaOrigin(StrEnum):
    """Where the area that is watched comes from."""

    SETTINGS = "settings"
    """Then it is changed there."""
    DRAWN = "drawn"
    WHOLE = "whole"
    """None was drawn: the whole picture."""


class AreaBook:
    """Draws, remembers and takes back. The loop takes each new area when it is ready for it."""

    def __init__(self, settings: DetectorSettings, folder: Path) -> None:
        """Take up what was drawn. Where that cannot be read, the whole picture is watched."""
        self._file, self._before = folder / FILE, folder / BEFORE
        self._names_file = folder / NAMES
        self._lock = threading.Lock()
        self._wanted: DrawnArea | None = None
        self.damage = ""
        """Why what was drawn is not watched; empty: it is, or nothing was drawn."""
        self.is_fixed = bool(settings.watched or settings.excluded)
        self.present = DrawnArea(settings.watched, settings.excluded)
        if not self.is_fixed:
            self._take_up()
        self._names = self._read_names()

    @property
    def origin(self) -> AreaOrigin:
        if self.is_fixed:
            return AreaOrigin.SETTINGS
        return AreaOrigin.WHOLE if self.present == DrawnArea() else AreaOrigin.DRAWN

    @property
    def can_undo(self) -> bool:
        return not self.is_fixed and self._before.exists()

    def names(self, polygons: Polygons) -> tuple[str, ...]:
        """Return what each is called; empty: nothing."""
        known = {each.points: each.name for each in self._names.present}
        return tuple(known.get(each, "") for each in polygons)

    def draw(self, drawn: DrawnArea, names: Mapping[Polygon, str] | None = None) -> None:
        """Have it watched from now on, over restarts too. Raises ConfigError: nothing changes."""
        with self._lock:
            self._refuse(drawn, names or {})
            named = tuple(Named(points, name) for points, name in (names or {}).items() if name)
            self._change(drawn, Names(named, self._names.present))

    def undo(self) -> None:
        """Go back to what was watched before. Raises ConfigError: to nothing."""
        with self._lock:
            self._refuse_fixed()
            before = _read(self._before, DrawnArea)
            if before is None:
                raise ConfigError("there is nothing to undo: no other area was drawn before")
            self._change(before, Names(self._names.before, self._names.present))

    def take(self) -> Area | None:
        """Return what is to be watched from now on; None: what is watched already."""
        if self._wanted is None:
            return None
        with self._lock:
            wanted, self._wanted = self._wanted, None
        return None if wanted is None else wanted.area

    def _take_up(self) -> None:
        try:
            self.present = _read(self._file, DrawnArea) or DrawnArea()
        except ConfigError as error:
            # Watching too much is better than watching nothing until somebody looks here.
            self.damage = str(error)
            _log.error("%s; until then the whole picture is watched", error)
        if self.present != DrawnArea():
            self._wanted = self.present

    def _read_names(self) -> Names:
        try:
            return _read(self._names_file, Names) or Names()
        except ConfigError as error:
            _log.warning("%s; until then the regions have no names", error)
            return Names()

    def _refuse(self, drawn: DrawnArea, names: Mapping[Polygon, str]) -> None:
        self._refuse_fixed()
        for kind, polygons in (("region", drawn.regions), ("excluded area", drawn.excluded)):
            for number, each in enumerate(polygons, 1):
                if crosses_itself(each):
                    called = names.get(each) or str(number)
                    raise ConfigError(
                        f"the outline of {kind} {called} crosses itself: move a corner"
                    )
        if drawn.area.is_empty:
            raise ConfigError(
                "nothing would be watched: the regions are too small, or entirely excluded"
            )

    def _refuse_fixed(self) -> None:
        if self.is_fixed:
            raise ConfigError(
                "the settings name the area, [detector] region, regions or excluded: change it "
                "there, or take it out to draw it here"
            )

    def _change(self, drawn: DrawnArea, names: Names) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # Names first: those of an area that is not there do no harm.
            replace_file(self._names_file, msgspec.json.encode(names))
            replace_file(self._before, msgspec.json.encode(self.present))
            replace_file(self._file, msgspec.json.encode(drawn))
        except OSError as error:
            raise ConfigError(f"{self._file}: {error.strerror}; nothing was changed") from error
        self.present = self._wanted = drawn
        self._names, self.damage = names, ""
        _log.info(
            "a new area was drawn: %d regions, %d excluded",
            *(len(drawn.regions), len(drawn.excluded)),
        )


def _read(path: Path, kind: type[Content]) -> Content | None:
    """Return what the file holds; None: there is none. Raises ConfigError where it is damaged."""
    try:
        with path.open("rb") as file:
            return decoded(file.read(MAX_BYTES), kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except DamagedFileError as error:
        raise ConfigError(
            f"{path}: damaged ({error}); remove it, and draw the area again"
        ) from error
