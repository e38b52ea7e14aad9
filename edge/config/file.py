"""Reading the file of settings, which is TOML.

Unknown keys, wrong types and values out of range are refused by file, section and key. What a
file that is marked as a newer program's has beyond these is left out, with a warning: an older
program must run on it.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
import shlex
import stat
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from edge.address import did_you_mean, holds_password
from edge.config import cameras, inner, repeated
from edge.config.section import MAX_TEXT
from edge.config.settings import Settings
from edge.errors import ConfigError, NotAllowedError
from edge.files import NO_CHOICE, DamagedFileError, in_words, text_in

DEFAULT_PATH = Path("/etc/tensormask/tensormask.toml")
SERVICE_USER = "tensormask"
"""Whom the installed service runs as."""

SCHEMA = 5
"""Counts the releases that have added sections or keys. It is the first line of a file: a comment,
since programs before 2 would refuse a key."""
_MARK = re.compile(r"# tensormask settings (\d{1,9})\b")

MAX_BYTES = 64_000
_NO_BROKER = "; name the broker"
_BY_INSTALL = ", or: sudo deploy/install.sh --broker HOST"
"""Writes it into the settings of an installed service."""
_MOST_OWNERS = 2
"""Sections that are named as those of a key: nearly every one has `enabled`."""
_TWICE = "; each section and each key may occur only once"
_HEADER = re.compile(r"\s*\[(\[)?\s*([\w-]{1,64})\s*\]\]?\s*(?:#.*)?")
_HINTS = {
    "twice": _TWICE,
    "overwrite": _TWICE,
    "Invalid value": '; text goes in straight quotes ("door"), yes and no are true and false',
}
"""By a word of what tomllib says."""


def load_settings(path: Path = DEFAULT_PATH) -> Settings:
    """Read the file. Raises ConfigError, one line that names file, section and key.

    A file that everybody can read is refused where it holds a password: in the camera's address.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
            is_open = bool(os.fstat(file.fileno()).st_mode & stat.S_IRWXO)
    except PermissionError as error:
        if _is_service_user():
            fix = readable_by_service(path)
            raise ConfigError(f"{path}: {error.strerror} for the service's user; {fix}") from error
        raise NotAllowedError(
            f"{path}: {error.strerror}: only root and the service may read the settings"
        ) from error
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        by_install = "sudo deploy/install.sh writes one; " if is_missing else ""
        raise ConfigError(
            f"{path}: {error.strerror}; {by_install}another is named by --config FILE"
        ) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1000} kB: no file of settings")
    try:
        text = text_in(content)
        tables = tomllib.loads(text)
    except DamagedFileError as error:
        raise ConfigError(f"{path}: {error}") from error
    # Beside its own errors tomllib lets through what Python says to numbers of thousands of digits,
    # and to brackets in brackets in brackets.
    except (ValueError, RecursionError) as error:
        if both := _in_both_forms(text):
            raise ConfigError(f"{path}: {both}") from error
        hint = next((hint for word, hint in _HINTS.items() if word in str(error)), "")
        raise ConfigError(f"{path}: not a TOML file: {error}{hint}") from error
    mark = _MARK.match(text)
    settings = parse_settings(tables, str(path), int(mark[1]) if mark else SCHEMA)
    if is_open and any(holds_password(each.source) for each in settings.each_camera):
        raise ConfigError(
            f"{path}: everybody can read it, and [camera] source has a password; "
            f"sudo chmod o= {path}"
        )
    return settings


def parse_settings(tables: dict[str, Any], origin: str, schema: int = SCHEMA) -> Settings:
    """Check the tables of a file that is named `origin` in errors and marked with `schema`."""
    if schema > SCHEMA:
        tables = _without_unknown_keys(tables, origin)
    _refuse_unknown_keys(tables, origin)
    by_install = _BY_INSTALL if origin == str(DEFAULT_PATH) else ""
    if "mqtt" not in tables:
        raise ConfigError(f'{origin}: no broker; add a section [mqtt] with host = "…"{by_install}')
    try:
        return msgspec.convert(cameras.spread(tables), Settings)
    except msgspec.ValidationError as error:
        said = _by_section_and_key(str(error), tables)
        raise ConfigError(f"{origin}: {said}{by_install if _NO_BROKER in said else ''}") from error
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error


def _in_both_forms(text: str) -> str:
    """Return what is wrong where a section is written both as [name] and as [[name]]; else
    nothing. TOML allows one of the two."""
    once: dict[str, int] = {}
    several: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if found := _HEADER.fullmatch(line):
            (several if found[1] else once).setdefault(found[2], number)
    name = next((each for each in once if each in several), None)
    if name is None:
        return ""
    fix = f"this section occurs only once: write one [{name}]"
    if name == cameras.CAMERA:
        fix = f"each of several cameras is a [[{name}]] with a name: write [[{name}]] in both lines"
    elif name in repeated.SECTIONS:
        fix = f"write [[{name}]] in both lines"
    return f"[{name}] in line {once[name]} and [[{name}]] in line {several[name]}: {fix}"


def _without_unknown_keys(tables: dict[str, Any], origin: str) -> dict[str, Any]:
    known: dict[str, Any] = {}
    unknown = []
    sections = _sections()
    for name, table in tables.items():
        if name in repeated.SECTIONS:
            known[name], beyond = repeated.without_unknown(name, table)
            unknown += beyond
        elif name == cameras.CAMERA and cameras.is_several_times(table):
            known[name], beyond = cameras.without_unknown(table)
            unknown += beyond
        elif name not in sections:
            unknown.append(f"[{_on_one_line(name)}]")
        elif not isinstance(table, dict):
            known[name] = table
        else:
            keys = {field.name for field in msgspec.structs.fields(sections[name])}
            table, beyond = inner.without_unknown(name, sections[name], table)
            unknown += beyond
            known[name] = {key: value for key, value in table.items() if key in keys}
            unknown += [f"[{name}] {_on_one_line(key)}" for key in table if key not in keys]
    if unknown:
        logging.getLogger(__name__).warning(
            "%s: written for a newer program; ignored: %s", origin, ", ".join(unknown)
        )
    return known


def _refuse_unknown_keys(tables: dict[str, Any], origin: str) -> None:
    sections = _sections()
    for name, table in tables.items():
        if name in repeated.SECTIONS:
            repeated.refuse_unknown(name, table, origin)
            continue
        if name == cameras.CAMERA and cameras.is_several_times(table):
            cameras.refuse_unknown(table, origin)
            continue
        if name not in sections:
            shown = _on_one_line(name)
            if isinstance(table, dict):
                near = _nearest(name, [*sections, *repeated.SECTIONS])
                raise ConfigError(f"{origin}: unknown section [{shown}]{near}")
            if table and repeated.are_sections(table):
                near = _nearest(name, [*sections, *repeated.SECTIONS])
                raise ConfigError(f"{origin}: unknown section [[{shown}]]{near}")
            hint = _elsewhere(name, tables) or "; each key stands in a section, such as [mqtt]"
            raise ConfigError(f"{origin}: {shown} stands before the first section{hint}")
        if not isinstance(table, dict):
            raise ConfigError(f"{origin}: {name} is a section: write [{name}] and its keys below")
        keys = {field.name for field in msgspec.structs.fields(sections[name])}
        for key, value in table.items():
            if key not in keys:
                hint = _elsewhere(key, tables) or _nearest(key, keys)
                raise ConfigError(f"{origin}: [{name}] unknown key {_on_one_line(key)}{hint}")
            if isinstance(value, str) and not (value.isprintable() and len(value) <= MAX_TEXT):
                raise ConfigError(
                    f"{origin}: [{name}] {key}: a line break or another control character, or "
                    f"more than {MAX_TEXT} characters"
                )
        inner.refuse_unknown(name, sections[name], table, origin)


def readable_by_service(path: Path | str) -> str:
    """Return the commands that let the service read a file or folder, and show what else may."""
    mode = "750" if os.path.isdir(path) else "640"  # noqa: PTH112 - its folder may be closed
    name = shlex.quote(str(path))
    return f"sudo chgrp {SERVICE_USER} {name}; sudo chmod {mode} {name}; namei -l {name}"


def _is_service_user() -> bool:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name == SERVICE_USER
    except KeyError:
        return False


def _on_one_line(word: str) -> str:
    return (word if word.isprintable() else ascii(word))[:MAX_TEXT]


def _nearest(word: str, known: Any) -> str:
    return did_you_mean(word, known) or f"; known are {', '.join(sorted(known))}"


def _elsewhere(key: str, tables: dict[str, Any]) -> str:
    """Return the end of a message on a key that another section has; empty: none, or several."""
    owners = [
        f"[{name}]" + ("" if name in tables else ", whose header is missing or has a # before it")
        for name, section in _sections().items()
        if key in {field.name for field in msgspec.structs.fields(section)}
    ]
    return f"; it is a key of {' or of '.join(owners)}" if 0 < len(owners) <= _MOST_OWNERS else ""


def _sections() -> dict[str, Any]:
    """Return the types of the sections that a file has once, by their names."""
    return {
        field.name: field.type
        for field in msgspec.structs.fields(Settings)
        if field.name not in (*repeated.SECTIONS, cameras.SEVERAL)
    }


def _by_section_and_key(message: str, tables: dict[str, Any]) -> str:
    """Turn msgspec's "Expected `int`, got `str` - at `$.mqtt.port`" round, and into words."""
    found, _, place = message.partition(" - at `$.")
    section, _, key = place.rstrip("`").partition(".")
    text = in_words(found)
    if (where := repeated.placed(place.rstrip("`"), tables)) is not None:
        if "matching regex" in text:
            text = repeated.allowed(place.rstrip("`"))
        elif found.startswith(NO_CHOICE):
            text += f"; known are {', '.join(repeated.choices(place.rstrip('`'), tables))}"
        return f"{where}: {text}"
    camera = cameras.placed(place.rstrip("`"), tables)
    if camera is not None:
        section, key = cameras.CAMERA, cameras.key_in(place.rstrip("`"))
    if (section, key) == ("mqtt", "host") and "empty" in text:
        text += _NO_BROKER
    if "matching regex" in text:
        text = (
            "it is a certificate's SHA-256: 64 hexadecimal digits, with or without colons"
            if key == "fingerprint"
            else "only letters, digits, _ and - are allowed, 32 at most"
            if (section, key) == (cameras.CAMERA, "name")
            else "only letters, digits, _, - and . are allowed"
        )
        if section == "calendar":
            text += ", and no - at the beginning"
    if found.startswith(NO_CHOICE):
        text += _choices(section, key.partition("[")[0], found.removeprefix(NO_CHOICE))
    there = camera or inner.placed(place.rstrip("`"), tables)
    if there is not None:
        return f"{there}: {text}"
    if not section:
        return text
    return f"[{section}] {key}: {text}" if key else f"[{section}] {text}"


def _choices(section: str, key: str, given: str) -> str:
    """Return the end of a message on a value that is none of a key's few."""
    kind = inspect.type_info(_field_type(_field_type(Settings, section), key))
    if isinstance(kind, inspect.VarTupleType):
        kind = kind.item_type
    assert isinstance(kind, inspect.LiteralType), "nothing else is an enumeration here"
    known = [str(value) for value in kind.values]
    return f"; known are {', '.join(known)}{did_you_mean(given.strip(chr(39)), known)}"


def _field_type(struct: Any, name: str) -> Any:
    return next(field.type for field in msgspec.structs.fields(struct) if field.name == name)
