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


def size(number: int) -> str:
    """Return a number of bytes as people would say it: `12 B`, `3.4 kB`, `15 MB`."""
    for unit, most in (("B", 1e3), ("kB", 1e6), ("MB", 1e9)):
        if number < most:
            value = number / (most / 1e3)
            return f"{value:.1f} {unit}" if unit != "B" and value < 10 else f"{value:.0f} {unit}"
    return f"{number / 1e9:.1f} GB"
