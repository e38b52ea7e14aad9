"""Files that somebody may have damaged, or saved in another encoding: one kind of error for all."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

_Content = TypeVar("_Content")
_NOT_UTF_8 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\0")
"""One of them is in the first two bytes of a text in UTF-16 or UTF-32, with a mark or without."""


class DamagedFileError(ValueError):
    """The content is not what it should be; the text says what is wrong, and where, in one line."""


def is_there(path: Path) -> bool:
    """Return whether a file or folder is there, as far as that may be seen."""
    try:
        return path.expanduser().exists()
    except (OSError, RuntimeError):  # forbidden; a user who is nobody
        return False


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return what the file holds, but no more than `max_bytes`. Raises OSError.

    A pipe that nobody writes to, a device, a folder and a link are refused at once.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        return file.read(max_bytes)


def read_json(path: Path, kind: type[_Content], max_bytes: int) -> _Content:
    """Return the document in a file. Raises OSError, and DamagedFileError whatever is in it."""
    content = read_file(path, max_bytes + 1)
    if len(content) > max_bytes:
        raise DamagedFileError(f"larger than {max_bytes} bytes")
    return decoded(content, kind)


def decoded(content: bytes, kind: type[_Content]) -> _Content:
    """Return a JSON document as a value of that type. Raises DamagedFileError, nothing else.

    msgspec itself lets through what invalid UTF-8, a huge number and deep nesting raise.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, OverflowError, RecursionError) as error:
        raise DamagedFileError(in_words(str(error))) from error


def text_in(content: bytes) -> str:
    """Return a text in UTF-8, without the mark (BOM) that Windows' editors put before it.

    Raises DamagedFileError, which names line and column and how the file was probably saved.
    """
    if any(each in content[:2] for each in _NOT_UTF_8):
        raise DamagedFileError("saved as UTF-16 or UTF-32; save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        # Not the letter itself: it may be one of a password.
        raise DamagedFileError(
            f"line {line}, column {column} is not UTF-8, probably Latin-1; save it as UTF-8"
        ) from None


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table of keys",
    "null": "nothing",
    "date": "a date",
    "time": "a time",
    "datetime": "a date and time",
}
_LIMITS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}
_WRONG_KIND = re.compile(r"Expected `([a-z |]+)`, got `([a-z]+)`")
_BEYOND = re.compile(r"Expected `(?:int|float)(?: \| null)?` ([<>]=?) ([-0-9.e+]+)")
_LENGTH = re.compile(r"Expected `(str|array)` of length (?:([<>]=) )?(\d+)(?:, got \d+)?")
NO_CHOICE = "Invalid enum value "
"""How msgspec begins where a value is none of a key's few."""
_NO_CHOICE = re.compile(rf"{NO_CHOICE}('.*'|\S+)")
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def in_words(message: str) -> str:
    """Return what msgspec says of a value, in the words of somebody who writes the file."""
    if found := _WRONG_KIND.match(message):
        wanted = [_KINDS.get(kind, kind) for kind in found[1].split(" | ") if kind != "null"]
        said = f"must be {' or '.join(wanted)}, not {_KINDS.get(found[2], found[2])}"
    elif found := _BEYOND.match(message):
        said = f"must be {_LIMITS[found[1]]} {float(found[2]):.10g}"
    elif found := _LENGTH.match(message):
        if found.groups() == ("str", ">=", "1"):
            said = "must not be empty"
        else:
            limit = f"{_LIMITS[found[2]]} " if found[2] else ""
            parts = "characters" if found[1] == "str" else "entries"
            said = f"must have {limit}{found[3]} {parts}"
    elif found := _NO_CHOICE.match(message):
        said = f"{found[1]} is not one of its values"
    elif found := _MISSING.match(message):
        said = f"{found[1]} is missing"
    else:
        return message
    return said + message[found.end() :]
