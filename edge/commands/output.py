"""Standard output: its failures are kept apart from all others, a reader may leave, and whatever
is written can be written, in every encoding of a terminal."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import select
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import msgspec

from edge.errors import TensorMaskError


class OutputError(TensorMaskError):
    """Make room: standard output took no more."""


class ReaderGoneError(OutputError):
    """Nothing: the reader of our output has had enough, as `| head` does."""

    exit_status = 0


class Output:
    """A stream whose failures are kept apart from those of all else that is written to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _named_apart():
            return self._stream.write(text)

    def flush(self) -> None:
        with _named_apart():
            self._stream.flush()
            if not _has_reader(self._stream):
                raise BrokenPipeError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _has_reader(stream: TextIO) -> bool:
    """Return whether a pipe has a reader, without writing; of anything else, that it has."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # none of the system's
        return True
    poll = select.poll()
    poll.register(number, 0)
    return not any(event & select.POLLERR for _, event in poll.poll(0))


@contextmanager
def _named_apart() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror}; make room") from error


NARROWEST = 30
"""Columns."""
_COLORS = {"FAULT": "\x1b[1;31m", "hint": "\x1b[33m", "ok": "\x1b[32m"}
_RESET = "\x1b[0m"
_SEVERITY = re.compile(rf"((?:\w+ +)?)({'|'.join(_COLORS)})(?= )")
_PLAIN = "tensormask-plain"
_SIGNS = {"…": "...", "–": "-", "—": "-", "→": "->", "×": "x", "°": " degrees ", "·": "-"} | {
    quote: plain for quotes, plain in (("‘’‚", "'"), ("“”„", '"')) for quote in quotes
}
_LINES = {"─": "-", "━": "-", "═": "-", "│": "|", "┃": "|", "║": "|"}


def write_everything(stream: TextIO | None) -> None:
    """Have a stream write what its encoding lacks by what comes closest in ASCII."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_PLAIN)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(sign: str) -> str:
    """Return `e` for an accented e, `-` for a line, and `?` where nothing comes close."""
    if "\u2500" <= sign <= "\u257f":
        return _LINES.get(sign, "+")
    if "\u2580" <= sign <= "\u259f":
        return "#"
    letters = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return _SIGNS.get(sign) or letters or "?"


codecs.register_error(_PLAIN, _plainly)


def wrapped(text: str, width: int, label: str = "") -> list[str]:
    """Return lines that are no wider, the first behind a label and the others below its text.

    What is longer than a line, a path or a command, is left whole, so that it can be copied.
    """
    indent = len(label) if 3 * len(label) <= width else 4
    return textwrap.wrap(
        text,
        width,
        initial_indent=label,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def fitted(line: str, label: int) -> str:
    """Return a line as the terminal shows it best, whose first columns are a label: wrapped, and
    the severity in color, beside its word. Elsewhere than on a terminal it is left as it is."""
    if not sys.stdout.isatty():
        return line
    width = max(NARROWEST, shutil.get_terminal_size().columns - 1)
    text = "\n".join(wrapped(line[label:], width, line[:label]))
    return colored(text) if takes_color(sys.stdout) else text


def takes_color(output: TextIO) -> bool:
    """Return whether to color: on a terminal, unless its user sets NO_COLOR (no-color.org)."""
    return output.isatty() and not os.environ.get("NO_COLOR")


def colored(line: str) -> str:
    """Return a line with the word of its severity in color: the first or the second."""
    found = _SEVERITY.match(line)
    if found is None:
        return line
    return f"{found[1]}{_COLORS[found[2]]}{found[2]}{_RESET}{line[found.end() :]}"


def json_text(document: object, *, spread: bool = False) -> str:
    """Return a document as JSON, on one line or spread over several.

    It is the same document on every terminal: what cannot be written is escaped. A file's name that
    is no text has its odd bytes as lone surrogates, as Python has them.
    """
    try:
        encoded = msgspec.json.encode(document)
        text = (msgspec.json.format(encoded) if spread else encoded).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(document), indent=2 if spread else None)
    return written_anywhere(text)


def print_document(document: object) -> None:
    """Print one that stands alone, over several lines."""
    print(json_text(document, spread=True))  # noqa: T201 - a command's output


def say(line: str) -> None:
    """Print at once: another program's lines come after it."""
    print(line, flush=True)  # noqa: T201 - a command's output


def written_anywhere(text: str) -> str:
    """Return JSON as standard output takes it: where that is not UTF-8, in ASCII."""
    if _is_utf_8(sys.stdout):
        return text
    return re.sub(r"[^\x00-\x7f]", lambda sign: json.dumps(sign[0])[1:-1], text)


def _is_utf_8(stream: TextIO) -> bool:
    try:
        return codecs.lookup(stream.encoding or "").name == "utf-8"
    except LookupError:
        return False
