"""Standard output: its failures are told from those of all else, and a reader may leave."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from edge.errors import TensorMaskError


class OutputError(TensorMaskError):
    """Make room: standard output took no more."""


class ReaderGoneError(OutputError):
    """Nothing: whoever read our output has had enough, as `| head` does."""

    exit_status = 0


class Output:
    """A stream whose failures are told from those of all else that is written to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _told_apart():
            return self._stream.write(text)

    def flush(self) -> None:
        with _told_apart():
            self._stream.flush()
            if not _has_reader(self._stream):
                raise BrokenPipeError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _has_reader(stream: TextIO) -> bool:
    """Tell whether a pipe has a reader, without writing; of anything else, that it has."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # none of the system's
        return True
    poll = select.poll()
    poll.register(number, 0)
    return not any(event & select.POLLERR for _, event in poll.poll(0))


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror}; make room") from error
