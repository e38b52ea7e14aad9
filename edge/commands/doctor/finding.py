"""What the doctor finds: each with what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from edge.commands.output import wrapped

NARROW = 30
LABEL = 7
AS_ROOT = "sudo tensormask doctor"
"""The fix where a user may not look."""


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
        yield from wrapped(f"{each.part}: {each.text}", width, f"{each.level:<{LABEL}} ")
        if each.cure:
            yield from wrapped(each.cure, width, f"{'fix:':>{LABEL}} ")


def exit_status(findings: Sequence[Finding]) -> int:
    return int(any(each.level is Level.FAULT for each in findings))
