"""The zones that were drawn on the page: kept in a file of their own, where the settings name none.

An older release ignores the file. Keys of a newer one are left out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge.config import MOST_ZONES, ZoneList, ZoneSettings
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.files import DamagedFileError, decoded
from edge.outline import area, crosses_itself
from edge.page.wire import DrawnZone

_log = logging.getLogger(__name__)

FILE = "zones.json"
MAX_BYTES = 256_000
_KEYS = {each.encode_name for each in msgspec.structs.fields(ZoneSettings)}


class _Kept(msgspec.Struct, frozen=True):
    """What the file holds; of another release perhaps."""

    present: tuple[dict[str, Any], ...] = ()
    before: tuple[dict[str, Any], ...] | None = None
    """What was drawn before; None: nothing was ever drawn."""


class ZoneBook:
    """Draws zones, remembers them and takes them back. The loop takes the new ones when it is ready
    for them."""

    def __init__(self, settings: Sequence[ZoneSettings], folder: Path) -> None:
        """Take up what was drawn. Where that cannot be read, there are no zones."""
        self._file = folder / FILE
        self._lock = threading.Lock()
        self._before: tuple[ZoneSettings, ...] | None = None
        self.damage = ""
        """Why what was drawn does not hold; empty: it does, or nothing was drawn."""
        self.is_fixed = bool(settings)
        """Whether the settings name them."""
        self.present = tuple(settings)
        if not self.is_fixed:
            self._take_up()
        self._wanted: tuple[ZoneSettings, ...] | None = self.present or None

    @property
    def can_undo(self) -> bool:
        return not self.is_fixed and self._before is not None

    def of(self, drawn: Sequence[DrawnZone]) -> tuple[ZoneSettings, ...]:
        """Return the zones that these outlines make, the smaller before the larger: where two
        overlap, the first holds. Raises ConfigError."""
        names: set[str] = set()
        if len(drawn) > MOST_ZONES:
            raise ConfigError(f"{len(drawn)} zones are too many: {MOST_ZONES} at most")
        for number, each in enumerate(drawn, 1):
            name = each.name.strip()
            if not name:
                raise ConfigError(f"zone {number} has no name: give it one")
            if crosses_itself(each.points):
                raise ConfigError(f"the outline of zone {name} crosses itself: move a corner")
            if name.casefold() in names:
                raise ConfigError(f"two zones are called {name}: rename one of them")
            names.add(name.casefold())
        known = {each.name: each for each in self.present}
        made = tuple(_zone(each, known.get(each.name.strip())) for each in drawn)
        if not self.is_fixed:
            return tuple(sorted(made, key=lambda each: area(each.polygon)))
        if made != self.present:
            raise ConfigError(
                "the settings name the zones, [[zone]]: change them there, or take them out to "
                "draw them here"
            )
        return made

    def draw(self, zones: tuple[ZoneSettings, ...]) -> None:
        """Have them hold from now on, over restarts too; those of the settings hold anyway. Raises
        ConfigError: nothing changes."""
        with self._lock:
            if not self.is_fixed:
                self._change(zones)

    def undo(self) -> None:
        """Go back to what held before, if anything was drawn. Raises ConfigError."""
        with self._lock:
            if self.can_undo and self._before is not None:
                self._change(self._before)

    def take(self) -> tuple[ZoneSettings, ...] | None:
        """Return what is to hold from now on; None: what holds already."""
        if self._wanted is None:
            return None
        with self._lock:
            wanted, self._wanted = self._wanted, None
        return wanted

    def _take_up(self) -> None:
        try:
            kept = _read(self._file)
            self.present = _zones(kept.present)
            self._before = None if kept.before is None else _zones(kept.before)
        except (OSError, DamagedFileError, msgspec.ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self.damage = f"{self._file}: damaged ({reason}); draw the zones again, or remove it"
            _log.error("%s; until then there are none", self.damage)

    def _change(self, zones: tuple[ZoneSettings, ...]) -> None:
        content = msgspec.json.encode({"present": zones, "before": self.present})
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._file, content)
        except OSError as error:
            raise ConfigError(f"{self._file}: {error.strerror}; the zones are as before") from error
        if zones != self.present:
            _log.info("zones were drawn: %s", ", ".join(each.name for each in zones) or "none")
        self._before, self.present, self._wanted = self.present, zones, zones
        self.damage = ""


def _zone(drawn: DrawnZone, known: ZoneSettings | None) -> ZoneSettings:
    """Return a zone with this outline and policy, otherwise as one of its name is. Raises
    ConfigError."""
    keys = {} if known is None else msgspec.to_builtins(known)
    keys |= {"name": drawn.name.strip(), "polygon": drawn.points, "policy": drawn.policy}
    try:
        return msgspec.convert(keys, ZoneSettings)
    except msgspec.ValidationError as error:
        said = str(error).partition(" - at ")[0]
        raise ConfigError(f"zone {drawn.name.strip()}: {said}") from error


def _read(path: Path) -> _Kept:
    try:
        with path.open("rb") as file:
            return decoded(file.read(MAX_BYTES), _Kept)
    except FileNotFoundError:
        return _Kept()


def _zones(kept: Sequence[dict[str, Any]]) -> tuple[ZoneSettings, ...]:
    known = [{key: value for key, value in each.items() if key in _KEYS} for each in kept]
    return msgspec.convert(known, ZoneList)
