"""Sections that a file may have several times, `[[notify]]`: their keys, and their place in errors.

Each has a `kind`, which says what other keys it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from edge.address import did_you_mean
from edge.config.notify import KINDS
from edge.config.section import MAX_TEXT
from edge.errors import ConfigError

NOTIFY = "notify"
_PLACE = re.compile(rf"{NOTIFY}\[(\d+)\](?:\.(.+))?")
_ALLOWED = {
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
    return _ALLOWED.get(place.rpartition(".")[2], "it has signs that are not allowed there")


def refuse_unknown(tables: Any, origin: str) -> None:
    """Raise ConfigError for what is no such section, kind or key, and for control characters."""
    if not are_sections(tables):
        raise ConfigError(
            f"{origin}: {NOTIFY} is a list of sections: write [[{NOTIFY}]], not [{NOTIFY}]"
        )
    for number, table in enumerate(tables, 1):
        place = f"{origin}: {_named(number, table)}"
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            given = "no kind" if kind is None else f"kind {_shown(kind)} is not known"
            near = "" if kind is None else did_you_mean(str(kind), KINDS)
            raise ConfigError(f"{place}: {given}; known are {', '.join(KINDS)}{near}")
        known = _keys(kind)
        for key, value in table.items():
            if key not in known:
                owners = [f'"{other}"' for other in KINDS if key in _keys(other)]
                hint = (
                    f"; it is one of kind = {' and '.join(owners)}"
                    if owners
                    else did_you_mean(key, known) or f"; known are {', '.join(sorted(known))}"
                )
                raise ConfigError(f"{place}: unknown key {_shown(key)}{hint}")
            if key not in _LONG and not _is_plain(value):
                raise ConfigError(
                    f"{place}: {key}: a line break or another control character, or more than "
                    f"{MAX_TEXT} characters"
                )


def without_unknown(tables: Any) -> tuple[Any, list[str]]:
    """Return the sections without what a newer program has beyond these, and what that is."""
    if not are_sections(tables):
        return tables, []
    kept, unknown = [], []
    for number, table in enumerate(tables, 1):
        kind = table.get("kind")
        if isinstance(kind, str) and kind not in KINDS:
            unknown.append(f"{_named(number, table)} of kind {_shown(kind)}")
            continue
        known = _keys(kind) if isinstance(kind, str) else set(table)
        kept.append({key: value for key, value in table.items() if key in known})
        unknown += [f"[[{NOTIFY}]] {_shown(key)}" for key in table if key not in known]
    return kept, unknown


def placed(place: str, tables: Mapping[str, Any]) -> str | None:
    """Return `notify[0].url` of an error as people find it in the file; None: it is elsewhere."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return None
    sections = tables.get(NOTIFY, ())
    index = int(found[1])
    table = sections[index] if index < len(sections) else {}
    key = f": {found[2]}" if found[2] else ""
    return f"{_named(index + 1, table)}{key}"


def choices(place: str, tables: Mapping[str, Any]) -> list[str]:
    """Return the few values that a key there may have; none where it is another kind of key."""
    found = _PLACE.fullmatch(place)
    if found is None or not found[2]:
        return []
    table = tables[NOTIFY][int(found[1])]
    types = {each.encode_name: each.type for each in msgspec.structs.fields(KINDS[table["kind"]])}
    info = msgspec.inspect.type_info(types[found[2].partition("[")[0]])
    if not isinstance(info, msgspec.inspect.LiteralType):
        return []
    return [str(value) for value in info.values]


def _named(number: int, table: Mapping[str, Any]) -> str:
    name = table.get("name")
    given = f" ({name[:64]})" if isinstance(name, str) and name and name.isprintable() else ""
    return f"[[{NOTIFY}]] number {number}{given}"


def _keys(kind: str) -> set[str]:
    return {"kind", *(each.encode_name for each in msgspec.structs.fields(KINDS[kind]))}


def _shown(word: object) -> str:
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
