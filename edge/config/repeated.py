"""Sections that a file may have several times, as `[[notify]]`: their keys, and their place in
errors.

Some have a `kind`, which says what other keys they have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from edge.address import did_you_mean
from edge.config.notify import KINDS
from edge.config.section import MAX_TEXT
from edge.config.zones import ZoneSettings
from edge.errors import ConfigError

_ONLY = ""
"""The kind of sections that have no `kind`."""
SECTIONS: dict[str, Mapping[str, type[msgspec.Struct]]] = {
    "notify": KINDS,
    "zone": {_ONLY: ZoneSettings},
}
"""By their names: the types of their kinds."""
_PLACE = re.compile(rf"({'|'.join(SECTIONS)})\[(\d+)\](?:\.(.+))?")
_ALLOWED = {
    "zone.name": "1 to 40 characters are allowed, without a blank at an end",
    "name": "only letters, digits, _, - and . are allowed",
    "topic": "only letters, digits, _ and - are allowed, 64 at most",
    "chat_id": 'write a number, "-1001234567890", or a channel, "@door"',
}
"""By the key: what its pattern says, in words."""
_LONG = {"template"}
"""Keys whose value may have several lines, and more characters, which msgspec bounds."""


def are_sections(value: Any) -> bool:
    """Tell whether it is what `[[name]]` makes: a list of tables."""
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def allowed(place: str) -> str:
    """Return what a key may have, for an error at `notify[0].topic`."""
    section, key = place.partition("[")[0], place.rpartition(".")[2]
    found = _ALLOWED.get(f"{section}.{key}") or _ALLOWED.get(key)
    return found or "it has signs that are not allowed there"


def refuse_unknown(section: str, tables: Any, origin: str) -> None:
    """Raise ConfigError for what is no such section, kind or key, and for control characters."""
    if not are_sections(tables):
        raise ConfigError(
            f"{origin}: {section} is a list of sections: write [[{section}]], not [{section}]"
        )
    kinds = SECTIONS[section]
    for number, table in enumerate(tables, 1):
        place = f"{origin}: {named(f'[[{section}]]', number, table)}"
        kind = _kind(section, table)
        if not isinstance(kind, str) or kind not in kinds:
            given = "no kind" if kind is None else f"kind {shown(kind)} is not known"
            near = "" if kind is None else did_you_mean(str(kind), kinds)
            raise ConfigError(f"{place}: {given}; known are {', '.join(kinds)}{near}")
        known = _keys(section, kind)
        for key, value in table.items():
            if key not in known:
                owners = [f'"{other}"' for other in kinds if key in _keys(section, other)]
                hint = (
                    f"; it is one of kind = {' and '.join(owners)}"
                    if owners
                    else did_you_mean(key, known) or f"; known are {', '.join(sorted(known))}"
                )
                raise ConfigError(f"{place}: unknown key {shown(key)}{hint}")
            if key not in _LONG and not _is_plain(value):
                raise ConfigError(
                    f"{place}: {key}: a line break or another control character, or more than "
                    f"{MAX_TEXT} characters"
                )


def without_unknown(section: str, tables: Any) -> tuple[Any, list[str]]:
    """Return the sections without what a newer program has beyond these, and what that is."""
    if not are_sections(tables):
        return tables, []
    kept, unknown = [], []
    for number, table in enumerate(tables, 1):
        kind = _kind(section, table)
        if isinstance(kind, str) and kind not in SECTIONS[section]:
            unknown.append(f"{named(f'[[{section}]]', number, table)} of kind {shown(kind)}")
            continue
        known = _keys(section, kind) if isinstance(kind, str) else set(table)
        kept.append({key: value for key, value in table.items() if key in known})
        unknown += [f"[[{section}]] {shown(key)}" for key in table if key not in known]
    return kept, unknown


def placed(place: str, tables: Mapping[str, Any]) -> str | None:
    """Return `notify[0].url` of an error as people find it in the file; None: it is elsewhere."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return None
    sections = tables.get(found[1], ())
    index = int(found[2])
    table = sections[index] if index < len(sections) else {}
    key = f": {found[3]}" if found[3] else ""
    return f"{named(f'[[{found[1]}]]', index + 1, table)}{key}"


def choices(place: str, tables: Mapping[str, Any]) -> list[str]:
    """Return the few values that a key there may have; none where it is another kind of key."""
    found = _PLACE.fullmatch(place)
    if found is None or not found[3]:
        return []
    kind = SECTIONS[found[1]][_kind(found[1], tables[found[1]][int(found[2])])]
    types = {each.encode_name: each.type for each in msgspec.structs.fields(kind)}
    match msgspec.inspect.type_info(types[found[3].partition("[")[0]]):
        case msgspec.inspect.LiteralType(values=values):
            return [str(value) for value in values]
        case msgspec.inspect.EnumType(cls=enum):
            return [str(member.value) for member in enum]
        case _:
            return []


def named(section: str, number: int, table: Mapping[str, Any]) -> str:
    """Return `[[zone]] number 2 (Gate)`."""
    name = table.get("name")
    given = f" ({name[:64]})" if isinstance(name, str) and name and name.isprintable() else ""
    return f"{section} number {number}{given}"


def _kind(section: str, table: Mapping[str, Any]) -> Any:
    return _ONLY if _ONLY in SECTIONS[section] else table.get("kind")


def _keys(section: str, kind: str) -> set[str]:
    keys = {each.encode_name for each in msgspec.structs.fields(SECTIONS[section][kind])}
    return keys if kind == _ONLY else {"kind", *keys}


def shown(word: object) -> str:
    """Return a word of a file on one line."""
    text = str(word)
    return (text if text.isprintable() else ascii(text))[:MAX_TEXT]


def _is_plain(value: Any) -> bool:
    match value:
        case str():
            return value.isprintable() and len(value) <= MAX_TEXT
        case list():
            return all(_is_plain(each) for each in value)
        case dict():
            return all(_is_plain(each) for pair in value.items() for each in pair)
        case _:
            return True
