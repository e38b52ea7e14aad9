"""What is wrong, for the page: the cause in a sentence, what to do about it, and since when."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from edge.conditions import Code, Condition, Severity

_COPIED = re.compile(r"(sudo|journalctl|timedatectl|df|ps|docs)\b|\w+://|\S+:\d")


class Trouble(msgspec.Struct, frozen=True):
    """Something that is wrong."""

    code: Code
    text: str
    fix: str
    """Empty: nothing is known to help."""
    since: datetime
    severity: Severity


class Since:
    """Remembers from when on each condition has been there."""

    def __init__(self) -> None:
        self._since: dict[tuple[Code, str], datetime] = {}

    def note(self, found: list[Condition], now: datetime) -> list[tuple[Condition, datetime]]:
        """Return each with the time when it was noted first; what is over is forgotten."""
        keys = [(each.code, each.subject) for each in found]
        self._since = {key: self._since.get(key, now) for key in keys}
        return [(each, self._since[key]) for each, key in zip(found, keys, strict=True)]


def explained(condition: Condition, since: datetime) -> Trouble:
    """Return a condition for people who read it in a browser."""
    text, fix = _upper(condition.text), _upper(condition.fix)
    return Trouble(condition.code, text, fix, since, condition.severity)


def _upper(text: str) -> str:
    """Begin with a capital; what begins with a command or an address is to be copied as it is."""
    return text if _COPIED.match(text) else text[:1].upper() + text[1:]
