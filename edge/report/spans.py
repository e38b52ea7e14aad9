"""Spans of minutes: half-open, counted since 1970, so that no change of summer time loses one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from edge.history.records import at_minute


@dataclass(frozen=True, slots=True, order=True)
class MinuteSpan:
    """`begin` is in it, `end` is not."""

    begin: int
    end: int

    @property
    def minutes(self) -> int:
        return self.end - self.begin

    @property
    def begin_at(self) -> datetime:
        """UTC."""
        return at_minute(self.begin)

    @property
    def end_at(self) -> datetime:
        return at_minute(self.end)


class MinuteSpans:
    """Some spans, in order, none of which touches another."""

    def __init__(self, spans: Iterable[MinuteSpan] = ()) -> None:
        """Those without length are left out, and those that overlap or touch are joined."""
        joined: list[MinuteSpan] = []
        for span in sorted(spans):
            if span.end <= span.begin:
                continue
            if joined and span.begin <= joined[-1].end:
                joined[-1] = MinuteSpan(joined[-1].begin, max(joined[-1].end, span.end))
            else:
                joined.append(span)
        self._spans = tuple(joined)
        self._begins = [span.begin for span in joined]

    def __iter__(self) -> Iterator[MinuteSpan]:
        return iter(self._spans)

    def __contains__(self, minute: int) -> bool:
        place = bisect_right(self._begins, minute) - 1
        return place >= 0 and minute < self._spans[place].end

    def __and__(self, other: MinuteSpans) -> MinuteSpans:
        """Return what is in both."""
        return MinuteSpans(
            MinuteSpan(max(mine.begin, its.begin), min(mine.end, its.end))
            for its in other
            for mine in self._near(its)
        )

    def __sub__(self, other: MinuteSpans) -> MinuteSpans:
        """Return what is not in `other`."""
        left: list[MinuteSpan] = []
        for span in self._spans:
            begin = span.begin
            for its in other._near(span):
                left.append(MinuteSpan(begin, min(its.begin, span.end)))
                begin = max(begin, its.end)
            left.append(MinuteSpan(begin, span.end))
        return MinuteSpans(left)

    @property
    def minutes(self) -> int:
        return sum(span.minutes for span in self._spans)

    def minutes_in(self, span: MinuteSpan) -> int:
        """Return how many of them are in a span."""
        return sum(
            min(each.end, span.end) - max(each.begin, span.begin) for each in self._near(span)
        )

    def _near(self, span: MinuteSpan) -> Iterator[MinuteSpan]:
        """Yield those that share minutes with `span`."""
        for place in range(max(0, bisect_right(self._begins, span.begin) - 1), len(self._spans)):
            each = self._spans[place]
            if each.begin >= span.end:
                return
            if each.end > span.begin:
                yield each
