"""Hours of the week, as the settings write them: `22:00-06:00`, `Sat Sun 00:00-24:00`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EXAMPLE = 'write "22:00-06:00", "Mon-Fri 18:00-08:00" or "Sat Sun 00:00-24:00"'
DAY_MINUTES = 24 * 60
_SPAN = re.compile(r"(?:(?P<days>[A-Za-z][A-Za-z \-]*) )?(?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)")

HourTexts = Annotated[tuple[str, ...], msgspec.Meta(max_length=20)]
"""Each is a span; together: in any of them. In the box's local time, see `Hours.contain`."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one minute of the day to another; after midnight if that is not later."""

    begin_min: int
    end_min: int
    days: frozenset[int]
    """On which it begins, 0 is Monday."""

    def contains(self, weekday: int, minute: int) -> bool:
        if self.begin_min < self.end_min:
            return weekday in self.days and self.begin_min <= minute < self.end_min
        if minute >= self.begin_min:
            return weekday in self.days
        return minute < self.end_min and (weekday - 1) % 7 in self.days


@dataclass(frozen=True, slots=True)
class Hours:
    """Some spans of the week; without any, no moment is in them."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def parsed(cls, texts: Iterable[str], key: str) -> Hours:
        """Return what the texts say. Raises ValueError, which names `key`."""
        return cls(tuple(_span(text, key) for text in texts))

    def contain(self, local: datetime) -> bool:
        """Return whether a clock on the wall that shows `local` is in one of the spans.

        The hour that a change to winter time repeats counts twice, the one that a change to summer
        time skips does not come.
        """
        minute = local.hour * 60 + local.minute
        return any(span.contains(local.weekday(), minute) for span in self.spans)


def _span(text: str, key: str) -> Span:
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{key}: {text!r} is no span of hours; {EXAMPLE}")
    begin, end = (_minute(match[each], text, key) for each in ("begin", "end"))
    if begin in (DAY_MINUTES, end):
        raise ValueError(f"{key}: {text!r} has no length; for a whole day write 00:00-24:00")
    return Span(begin, end, _days(match["days"], text, key))


def _minute(clock: str, text: str, key: str) -> int:
    hour, minute = (int(part) for part in clock.split(":"))
    if minute > 59 or hour * 60 + minute > DAY_MINUTES:
        raise ValueError(f"{key}: {text!r}: {clock} is no time of day")
    return hour * 60 + minute


def _days(named: str | None, text: str, key: str) -> frozenset[int]:
    if named is None:
        return frozenset(range(7))
    found: set[int] = set()
    for word in named.split():
        first, _, last = word.partition("-")
        try:
            begin, end = (DAYS.index(each.capitalize()) for each in (first, last or first))
        except ValueError:
            raise ValueError(
                f"{key}: {text!r}: {word!r} is no day of the week; they are {' '.join(DAYS)}"
            ) from None
        found.update((begin + each) % 7 for each in range((end - begin) % 7 + 1))
    return frozenset(found)
