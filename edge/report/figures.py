"""Figures of a report from its cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from edge.history.records import Alert, AlertAcknowledgement, SightProof
from edge.rates import Eyes, rate_of
from edge.records import ViolationKind
from edge.report.cells import Sizes, WatchTally
from edge.report.records import (
    AlertFigures,
    EyesClass,
    EyesFigures,
    RateEstimate,
    SightFigures,
    UnwatchedTime,
    WatchFigures,
)

FALSE_ALARM = "not-a-violation"


def rate_estimate(sizes: Sizes, eyes: Eyes | None) -> RateEstimate | None:
    """Return the rate, corrected where something is known of the eyes; None: nobody was judged."""
    rate = rate_of(sizes, eyes)
    if rate is None:
        return None
    return RateEstimate(
        people=sum(map(sum, sizes.values())),
        naive=_share(rate.naive),
        naive_low=_share(rate.naive_low),
        naive_high=_share(rate.naive_high),
        corrected=_share(rate.corrected),
        low=_share(rate.low),
        high=_share(rate.high),
        counted_width=_share(rate.counted_width),
    )


def watch_figures(tally: WatchTally) -> WatchFigures:
    expected_s = tally.expected_s
    lost = sorted(tally.unwatched_s.items(), key=lambda each: -each[1])
    share = tally.unwatched_share
    return WatchFigures(
        expected_s=round(expected_s, 1),
        watched_s=round(tally.watched_s, 1),
        unwatched_s=round(math.fsum(tally.unwatched_s.values()), 1),
        unwatched_share=None if share is None else round(share, 4),
        unwatched=tuple(
            UnwatchedTime(
                reason=reason,
                seconds=round(seconds, 1),
                share=round(min(1.0, seconds / expected_s), 4),
            )
            for reason, seconds in lost
            if round(seconds, 1) > 0
        ),
    )


class Acknowledged:
    """What was said of each alert."""

    def __init__(self, said: Iterable[AlertAcknowledgement]) -> None:
        self._of: dict[str, list[AlertAcknowledgement]] = {}
        for each in said:
            self._of.setdefault(each.event_id, []).append(each)

    def first(self, alert: Alert) -> AlertAcknowledgement | None:
        found = self._of.get(alert.event_id)
        return found[0] if found else None

    def last(self, alert: Alert) -> AlertAcknowledgement | None:
        found = self._of.get(alert.event_id)
        return found[-1] if found else None


def alert_figures(alerts: Sequence[Alert], said: Acknowledged) -> AlertFigures:
    remedies = [each for each in map(remedy_s, alerts) if each is not None]
    closings = [
        _seconds(alert.confirmed_at, first.at)
        for alert in alerts
        if (first := said.first(alert)) is not None
    ]
    return AlertFigures(
        alerts=len(alerts),
        without=sum(each.kind is ViolationKind.BARE for each in alerts),
        worn_wrongly=sum(each.kind is ViolationKind.WORN_WRONGLY for each in alerts),
        remedied=len(remedies),
        median_remedy_s=median_of(remedies),
        longest_remedy_s=max(remedies, default=None),
        closed=len(closings),
        open=len(alerts) - len(closings),
        median_close_s=median_of(closings),
        longest_close_s=max(closings, default=None),
        not_a_violation=sum(
            last.reason == FALSE_ALARM for each in alerts if (last := said.last(each)) is not None
        ),
    )


def remedy_s(alert: Alert) -> float | None:
    """Return how long after the alert the face was last seen uncovered; None: not known."""
    return None if alert.ended_at is None else _seconds(alert.confirmed_at, alert.ended_at)


def sight_figures(proofs: Sequence[SightProof]) -> SightFigures | None:
    if not proofs:
        return None
    return SightFigures(
        shown=sum(each.shown for each in proofs),
        found=sum(each.found for each in proofs),
        right=sum(each.right for each in proofs),
    )


def eyes_figures(eyes: Eyes | None, sizes: Sizes) -> EyesFigures | None:
    if eyes is None:
        return None
    classes = sorted({*eyes.masked, *eyes.bare, *sizes})
    return EyesFigures(
        source=eyes.source,
        classes=tuple(
            EyesClass(
                size_px=size,
                people=sum(sizes.get(size, (0, 0))),
                masked_right=eyes.masked[size].right if size in eyes.masked else 0,
                masked_of=eyes.masked[size].of if size in eyes.masked else 0,
                bare_right=eyes.bare[size].right if size in eyes.bare else 0,
                bare_of=eyes.bare[size].of if size in eyes.bare else 0,
            )
            for size in classes
        ),
    )


def _seconds(begin: datetime, end: datetime) -> float:
    """Return how long that was: not below 0, as a clock that was set back would have it."""
    return round(max(0.0, (end - begin).total_seconds()), 1)


def median_of(values: Iterable[float]) -> float | None:
    """Return the middle one; None: there are none. The module `statistics` takes a megabyte."""
    found = sorted(values)
    if not found:
        return None
    half = len(found) // 2
    return round((found[half] + found[-half - 1]) / 2, 1)


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
