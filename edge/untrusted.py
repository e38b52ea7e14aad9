"""Files that somebody else writes, and JSON of theirs: whatever is there, reading ends soon."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def read_file(path: Path, most_bytes: int) -> bytes:
    """Return what the file holds, but no more than `most_bytes`. Raises OSError.

    A pipe that nobody writes to, a device, a folder and a link are refused at once.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        return file.read(most_bytes)


def decoded(content: bytes, kind: type[T]) -> T:
    """Return the JSON document as a value of that type. Raises msgspec.DecodeError, nothing else.

    msgspec itself lets through what invalid UTF-8, a huge number and deep nesting raise.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, OverflowError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
