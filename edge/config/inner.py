"""Tables in a list that is a value of a section, as `[calendar] shifts`: their keys, and their
place in errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from edge.address import did_you_mean
from edge.config.repeated import are_sections, named, shown
from edge.errors import ConfigError

_PLACE = re.compile(r"(\w+)\.(\w+)\[(\d+)\](?:\.(.+))?")


def refuse_unknown(section: str, kind: Any, table: Mapping[str, Any], origin: str) -> None:
    """Raise ConfigError for keys that the tables in a section's lists do not have."""
    for key, known in _lists_in(kind):
        for number, inner in enumerate(_tables(table.get(key)), 1):
            for word in inner:
                if word not in known:
                    place = f"{origin}: {named(f'[{section}] {key}', number, inner)}"
                    hint = did_you_mean(word, known) or f"; known are {', '.join(sorted(known))}"
                    raise ConfigError(f"{place}: unknown key {shown(word)}{hint}")


def without_unknown(
    section: str, kind: Any, table: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return a section without what a newer program has beyond these keys, and what that is."""
    kept, unknown = dict(table), []
    for key, known in _lists_in(kind):
        if tables := _tables(table.get(key)):
            kept[key] = [{w: value for w, value in each.items() if w in known} for each in tables]
            unknown += [
                f"[{section}] {key}: {shown(word)}"
                for each in tables
                for word in each
                if word not in known
            ]
    return kept, unknown


def placed(place: str, tables: Mapping[str, Any]) -> str | None:
    """Return `calendar.shifts[0].name` of an error as people find it in the file; None: it is
    elsewhere."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return None
    section, key, index = found[1], found[2], int(found[3])
    inner = _tables(tables.get(section, {}).get(key))
    if index >= len(inner):
        return None
    return named(f"[{section}] {key}", index + 1, inner[index]) + (
        f": {found[4]}" if found[4] else ""
    )


def _lists_in(kind: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield the keys of a section that hold lists of tables, with the keys of these."""
    for field in msgspec.structs.fields(kind):
        match msgspec.inspect.type_info(field.type):
            case msgspec.inspect.VarTupleType(item_type=msgspec.inspect.StructType(cls=inner)):
                yield field.encode_name, {each.encode_name for each in _fields(inner)}


def _fields(kind: Any) -> Any:
    return msgspec.structs.fields(kind)


def _tables(value: Any) -> list[dict[str, Any]]:
    return value if are_sections(value) else []
