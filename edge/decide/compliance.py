"""How many people came masked: counts over the last minute, hour and day, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from edge.rates import wilson_interval
from edge.records import Compliance, PlaceTally, Tally, Verdict, Visit

_VERDICTS = tuple(Verdict)
_KINDS = 2 * len(_VERDICTS)
"""People of whom a mask was required, by verdict, then the others."""


class _Window:
    """A ring of buckets: the oldest is emptied when time reaches it again.

    The bucket that is being filled counts as a whole one, so a window reaches back between
    `span_s` less one bucket and `span_s`.
    """

    def __init__(self, span_s: float, buckets: int) -> None:
        self._span_s = span_s
        self._bucket_s = span_s / buckets
        self._counts = [[0] * _KINDS for _ in range(buckets)]
        self._watched_s = [0.0] * buckets
        self._newest = 0

    def add(self, verdict: Verdict, is_required: bool, age_s: float) -> None:
        self._move_to(age_s)
        kind = _VERDICTS.index(verdict) + len(_VERDICTS) * (not is_required)
        self._counts[self._newest % len(self._counts)][kind] += 1

    def watch(self, duration_s: float, age_s: float) -> None:
        self._move_to(age_s)
        self._watched_s[self._newest % len(self._counts)] += duration_s

    def tally(self, age_s: float) -> Tally:
        self._move_to(age_s)
        sums = list(map(sum, zip(*self._counts, strict=True)))
        required = dict(zip(_VERDICTS, sums[: len(_VERDICTS)], strict=True))
        apart = dict(zip(_VERDICTS, sums[len(_VERDICTS) :], strict=True))
        return Tally(
            masked=required[Verdict.MASKED] + apart[Verdict.MASKED],
            bare=required[Verdict.BARE] + apart[Verdict.BARE],
            unknown=required[Verdict.UNKNOWN] + apart[Verdict.UNKNOWN],
            worn_wrongly=required[Verdict.WORN_WRONGLY] + apart[Verdict.WORN_WRONGLY],
            watched_s=min(sum(self._watched_s), self._span_s),
            apart=sum(apart.values()),
            apart_masked=apart[Verdict.MASKED],
            apart_bare=apart[Verdict.BARE],
        )

    def _move_to(self, age_s: float) -> None:
        number = int(age_s / self._bucket_s)
        for stale in range(max(self._newest, number - len(self._counts)) + 1, number + 1):
            self._counts[stale % len(self._counts)] = [0] * _KINDS
            self._watched_s[stale % len(self._counts)] = 0.0
        self._newest = max(self._newest, number)


class ComplianceCounter:
    """Counts people when they leave. Times are seconds on the monotonic clock, never going back."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._windows = (_Window(60, buckets=60), *_longer())
        self._places: dict[str, tuple[_Window, ...]] = {}

    def divide_into(self, zones: Sequence[str]) -> None:
        """Count by these zones, too, from now on, and those apart who belong to none of them."""
        names = (*zones, "") if zones else ()
        self._places = {name: self._places.get(name) or _longer() for name in names}

    @property
    def places(self) -> tuple[str, ...]:
        """The zones that are counted by, and an empty name for what is in none; without zones
        there are none."""
        return tuple(self._places)

    def add(self, visit: Visit, now_s: float) -> None:
        """Count a visit that is over at `now_s`."""
        place = visit.zone if visit.zone in self._places else ""
        for window in (*self._windows, *self._places.get(place, ())):
            window.add(visit.verdict, visit.is_required, now_s - self._started_s)

    def watch(self, duration_s: float, now_s: float) -> None:
        """Count the last `duration_s` before `now_s` as watched. Short ones, and often."""
        for window in self._windows:
            window.watch(duration_s, now_s - self._started_s)

    def totals(self, now_s: float) -> Compliance:
        """Return what the last minute, hour and day come to, and all since the start."""
        age_s = now_s - self._started_s
        minute, hour, day, ever = (window.tally(age_s) for window in self._windows)
        places = (
            PlaceTally(
                name,
                *(
                    replace(window.tally(age_s), watched_s=whole.watched_s)
                    for window, whole in zip(windows, (hour, day, ever), strict=True)
                ),
            )
            for name, windows in self._places.items()
        )
        return Compliance(minute, hour, day, ever, tuple(places))


def _longer() -> tuple[_Window, ...]:
    """Return windows of an hour, a day, and all time."""
    return _Window(3600, buckets=120), _Window(86400, buckets=144), _Window(math.inf, buckets=1)


def rate_interval(tally: Tally) -> tuple[float, float] | None:
    """Return between which shares `tally.rate` lies with 95 % certainty; None: nobody was judged.

    The interval of Wilson (1927), which holds for few people and for shares near 0 and 1, too.
    """
    masked, bare = tally.rated
    return wilson_interval(masked, masked + bare) if masked + bare else None
