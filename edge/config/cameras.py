"""`[camera]` once, or `[[camera]]` several times: the same keys, and where errors in them are.

TOML allows one of the two forms. Settings have the first camera as `camera`, and where there are
several all of them as `cameras`: what concerns one camera is made from `Settings.of` it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeGuard

import msgspec

from edge.address import did_you_mean
from edge.config.repeated import are_sections, named, shown
from edge.config.section import MAX_TEXT
from edge.config.seeing import CameraSettings
from edge.errors import ConfigError

CAMERA = "camera"
SEVERAL = "cameras"
"""The field of `Settings`; no file has a section of this name."""
MOST = 4
"""So many fit into the `MemoryMax=` of the unit, with the page open: each takes some 60 MB."""
Cameras = Annotated[tuple[CameraSettings, ...], msgspec.Meta(max_length=MOST)]
_PLACE = re.compile(rf"(?:{CAMERA}|{SEVERAL}\[(\d+)\])(?:\.(.+))?")


def is_several_times(table: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Tell whether it is what `[[camera]]` makes."""
    return isinstance(table, list) and are_sections(table)


def refuse_unknown(tables: Sequence[Mapping[str, Any]], origin: str) -> None:
    """Raise ConfigError for keys that no camera has, and for control characters."""
    if not 0 < len(tables) <= MOST:
        raise ConfigError(f"{origin}: {len(tables)} [[{CAMERA}]]: from 1 to {MOST} are possible")
    known = _keys()
    for number, table in enumerate(tables, 1):
        place = f"{origin}: {_named(number, table)}"
        for key, value in table.items():
            if key not in known:
                hint = did_you_mean(key, known) or f"; known are {', '.join(sorted(known))}"
                raise ConfigError(f"{place}: unknown key {shown(key)}{hint}")
            if isinstance(value, str) and not (value.isprintable() and len(value) <= MAX_TEXT):
                raise ConfigError(
                    f"{place}: {key}: a line break or another control character, or more than "
                    f"{MAX_TEXT} characters"
                )


def without_unknown(tables: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the cameras without what a newer program has beyond these, and what that is."""
    known = _keys()
    kept = [{key: value for key, value in each.items() if key in known} for each in tables]
    unknown = [f"[[{CAMERA}]] {shown(key)}" for each in tables for key in each if key not in known]
    return kept, unknown


def spread(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables as `Settings` has them: the first camera by itself."""
    several = tables.get(CAMERA)
    if not is_several_times(several):
        return dict(tables)
    spread_out = {**tables, CAMERA: several[0]}
    return spread_out if len(several) == 1 else {**spread_out, SEVERAL: several}


def placed(place: str, tables: Mapping[str, Any]) -> str | None:
    """Return `cameras[1].fps` of an error as people find it in the file; None: it is elsewhere, or
    in a `[camera]`."""
    found = _PLACE.fullmatch(place)
    several = tables.get(CAMERA)
    if found is None or not is_several_times(several):
        return None
    index = int(found[1] or 0)
    return f"{_named(index + 1, several[index])}{f': {found[2]}' if found[2] else ''}"


def key_in(place: str) -> str:
    """Return the key of a camera that an error is at; empty: of the whole."""
    found = _PLACE.fullmatch(place)
    return "" if found is None else found[2] or ""


def refuse_together(cameras: Sequence[CameraSettings], has_area: bool) -> None:
    """Raise ValueError where several cameras cannot be told apart.

    `has_area` is whether `[detector]` names the area that is watched.
    """
    names = [each.name.lower() for each in cameras]
    for number, each in enumerate(cameras, 1):
        place = f"[[{CAMERA}]] number {number}"
        if not each.name:
            raise ValueError(f"{place}: each of several cameras needs a name")
        if names.index(each.name.lower()) != number - 1:
            raise ValueError(f"{place} ({each.name}): another one has this name")
        same = next((one for one in cameras[: number - 1] if one.source == each.source), None)
        if same is not None and not each.may_be_shared:
            raise ValueError(f"{place} ({each.name}): source: {same.name} has this camera already")
    if has_area:
        raise ValueError(
            "[detector] region, regions and excluded are of one picture: with several cameras, "
            f"write regions and excluded into each [[{CAMERA}]]"
        )


def _keys() -> set[str]:
    return {each.encode_name for each in msgspec.structs.fields(CameraSettings)}


def _named(number: int, table: Mapping[str, Any]) -> str:
    return named(f"[[{CAMERA}]]", number, table)
