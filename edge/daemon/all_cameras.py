"""What all cameras come to together, as telemetry and compliance have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge.acuity import SightState
from edge.daemon.lookout import LookoutState
from edge.decide.zones import OUTSIDE
from edge.records import Compliance, PlaceTally, Tally
from edge.telemetry import TOTAL, CameraReport


def together(
    states: Sequence[LookoutState],
    paused_for_s: Callable[[str], float | None],
    sights: Mapping[str, SightState],
) -> dict[str, Any]:
    """Return how the cameras do, as arguments of `Telemetry`: of several, frames are added up, and
    latencies and plan are of the one whose frames take longest. `sights` are by camera."""
    reports = [each.report for each in states]
    slowest = max(reports, key=_total_ms)
    several = [
        replace(each, paused_for_s=paused_for_s(each.name), sight=sights.get(each.name))
        for each in reports
    ]
    return {
        "camera": reports[0].status,
        "frames": sum(each.frames for each in reports),
        "fps": sum(each.fps for each in reports),
        "dropped_frames": sum(each.dropped_frames for each in reports),
        "latencies": slowest.latencies,
        "plan": slowest.plan,
        "sight": several[0].sight,
        "cameras": tuple(several) if len(several) > 1 else (),
    }


def counts_of(
    states: Sequence[LookoutState],
) -> tuple[Compliance, Mapping[str, Compliance] | None]:
    """Return how many people passed any of the cameras, where who passes two counts twice, and by
    camera where there are several."""
    by_camera = {each.name: each.counts for each in states}
    first, *others = by_camera.values()
    has_places = any(each.places for each in by_camera.values())
    for other in others:
        first = Compliance(
            _added(first.last_minute, other.last_minute),
            _added(first.last_hour, other.last_hour),
            _added(first.last_day, other.last_day),
            _added(first.since_start, other.since_start),
            _places(_divided(first), _divided(other)) if has_places else (),
        )
    return first, by_camera if others else None


def _added(one: Tally, other: Tally) -> Tally:
    """Return the people of both; the time is that of the one that watched less."""
    return Tally(
        one.masked + other.masked,
        one.bare + other.bare,
        one.unknown + other.unknown,
        one.worn_wrongly + other.worn_wrongly,
        min(one.watched_s, other.watched_s),
        one.apart + other.apart,
        one.apart_masked + other.apart_masked,
        one.apart_bare + other.apart_bare,
    )


def _divided(counts: Compliance) -> Sequence[PlaceTally]:
    """Return the places of a camera; those who passed one without zones are in none."""
    if counts.places:
        return counts.places
    return (PlaceTally(OUTSIDE, counts.last_hour, counts.last_day, counts.since_start),)


def _places(some: Sequence[PlaceTally], others: Sequence[PlaceTally]) -> tuple[PlaceTally, ...]:
    """Return the zones of both, last what is in none; one that is called the same in two pictures
    is one place."""
    found = {each.zone: each for each in some}
    for each in others:
        known = found.get(each.zone)
        if known is not None:
            each = PlaceTally(
                each.zone,
                _added(known.last_hour, each.last_hour),
                _added(known.last_day, each.last_day),
                _added(known.since_start, each.since_start),
            )
        found[each.zone] = each
    return tuple(sorted(found.values(), key=lambda each: each.zone == OUTSIDE))


def _total_ms(report: CameraReport) -> float:
    total = report.latencies.get(TOTAL)
    return 0.0 if total is None else total.p50
