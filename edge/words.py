"""Figures for people: `1 message`, `97 %`, `12 min`."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """Return a number with its noun: `1 message`, `2 messages`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share, 0 to 1, as `97 %`."""
    return f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """Return a duration in the unit that people would use: `40 s`, `12 min`, `3 h`, `5 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
