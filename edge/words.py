"""Figures in words: `1 message`, `12 min`."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """Return how many of something there are: `1 message`, `2 messages`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return it in the unit that people would use: `40 s`, `12 min`, `3 h`, `5 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
