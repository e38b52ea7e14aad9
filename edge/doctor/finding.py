"""What the doctor finds: each with what mends it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

NARROW = 30
LABEL = 7
AS_ROOT = "sudo tensormask doctor"
"""What mends that somebody may not look."""


class Level(StrEnum):
    OK = "ok"
    HINT = "hint"
    """It works, but not as well as it could."""
    FAULT = "FAULT"
    """It does not do what it is there for."""
    UNKNOWN = "unknown"
    """It cannot be told here."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    part: str
    level: Level
    text: str
    cure: str = ""
    """What to do: a command, mostly."""


def lines(findings: Sequence[Finding], columns: int) -> Iterator[str]:
    """Return the findings for a terminal that is so wide; 40 columns are enough."""
    width = max(NARROW, columns - 1)
    for each in findings:
        yield from _wrapped(f"{each.level:<{LABEL}} ", f"{each.part}: {each.text}", width)
        if each.cure:
            yield from _wrapped(f"{'mend:':>{LABEL}} ", each.cure, width)


def _wrapped(label: str, text: str, width: int) -> list[str]:
    # A command that is cut in two can still be put together: nothing is broken inside a word.
    return textwrap.wrap(
        text,
        width,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def exit_status(findings: Sequence[Finding]) -> int:
    return int(any(each.level is Level.FAULT for each in findings))
