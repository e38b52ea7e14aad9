"""What metrics are made of: the device's state, and counts since the program's start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeVar

from edge.daemon.lookout import Glance
from edge.host.health import Distribution, Stopwatch
from edge.installed import Slot
from edge.records import Verdict, ViolationKind, ViolationState
from edge.release.ledger import TrialOutcome
from edge.software import Software
from edge.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Figures:
    """All of one moment."""

    telemetry: Telemetry
    started_at_s: float
    """The program's start, by the wall clock as it is now: seconds since 1970."""
    steps: Mapping[str, Distribution]
    people: Mapping[tuple[bool, Verdict], int]
    """Who have left, by whether a mask was required of them, and by what their visits came to."""
    alerts: Mapping[ViolationKind, int]
    """Confirmed ones."""
    people_by_place: Mapping[str, Mapping[Verdict, int]]
    """By zone; an empty name is what is in none. Without zones there are none."""
    alerts_by_place: Mapping[str, Mapping[ViolationKind, int]]
    watched_s: float
    undone: Mapping[Slot, bool]
    """Whether the last change of each was undone."""
    by_camera: Mapping[str, CameraTotals]
    """Of each of several cameras; empty: there is one."""


@dataclass(frozen=True, slots=True)
class CameraTotals:
    """What was counted at one camera."""

    people: Mapping[Verdict, int]
    alerts: Mapping[ViolationKind, int]
    watched_s: float

    def plus(self, glance: Glance) -> CameraTotals:
        """Return the same with what one turn has brought."""
        people, alerts = Counter(self.people), Counter(self.alerts)
        people.update(each.verdict for each in glance.decision.visits)
        confirmed = ViolationState.CONFIRMED
        alerts.update(v.kind for v in glance.decision.violations if v.state is confirmed)
        return CameraTotals(people, alerts, self.watched_s + glance.watched_s)


NOTHING = CameraTotals(dict.fromkeys(Verdict, 0), dict.fromkeys(ViolationKind, 0), 0.0)


@dataclass(slots=True)
class Counts:
    """Counts what is decided; for one thread."""

    stopwatches: Mapping[str, Stopwatch]
    """By camera."""
    places: Callable[[], Sequence[str]] = tuple
    """By which visits are counted: see `ComplianceCounter.places`."""
    _people: dict[tuple[bool, Verdict], int] = field(
        default_factory=lambda: dict.fromkeys(product((True, False), Verdict), 0)
    )
    _alerts: dict[ViolationKind, int] = field(
        default_factory=lambda: dict.fromkeys(ViolationKind, 0)
    )
    _people_by_place: dict[str, dict[Verdict, int]] = field(default_factory=dict)
    _alerts_by_place: dict[str, dict[ViolationKind, int]] = field(default_factory=dict)
    _by_camera: dict[str, CameraTotals] = field(default_factory=dict)
    _watched_s: float = 0.0
    _started_at_s: float = 0.0
    _clock_steps: int | None = None

    def add(self, glance: Glance) -> None:
        """Count what one turn of the loop brought."""
        self._watched_s += glance.watched_s
        if len(self.stopwatches) > 1 and glance.camera in self.stopwatches:
            before = self._by_camera.get(glance.camera, NOTHING)
            self._by_camera[glance.camera] = before.plus(glance)
        places = self.places()
        self._people_by_place = _of(places, Verdict, self._people_by_place)
        self._alerts_by_place = _of(places, ViolationKind, self._alerts_by_place)
        for visit in glance.decision.visits:
            self._people[visit.is_required, visit.verdict] += 1
            if places:
                self._people_by_place[_place(visit.zone, places)][visit.verdict] += 1
        for violation in glance.decision.violations:
            if violation.state is ViolationState.CONFIRMED:
                self._alerts[violation.kind] += 1
                if places:
                    self._alerts_by_place[_place(violation.zone, places)][violation.kind] += 1

    def figures(self, telemetry: Telemetry, software: Software) -> Figures:
        """Return all as it is now."""
        if telemetry.clock.steps != self._clock_steps and telemetry.at is not None:
            # Only then, or it would differ by microseconds each time, and look like a restart.
            self._clock_steps = telemetry.clock.steps
            self._started_at_s = telemetry.at.timestamp() - telemetry.uptime_s
        return Figures(
            telemetry,
            self._started_at_s,
            together(each.distributions() for each in self.stopwatches.values()),
            dict(self._people),
            dict(self._alerts),
            {place: dict(counts) for place, counts in self._people_by_place.items()},
            {place: dict(counts) for place, counts in self._alerts_by_place.items()},
            self._watched_s,
            undone_in(software),
            dict(self._by_camera),
        )


def together(every: Iterable[Mapping[str, Distribution]]) -> Mapping[str, Distribution]:
    """Return what each step took at all cameras."""
    first, *others = every
    added = dict(first)
    for other in others:
        for step, took in other.items():
            counts = zip(added[step].counts, took.counts, strict=True)
            added[step] = Distribution(
                tuple(one + more for one, more in counts), added[step].sum_s + took.sum_s
            )
    return added


Counted = TypeVar("Counted", Verdict, ViolationKind)


def _of(
    places: Sequence[str], kinds: Iterable[Counted], counts: dict[str, dict[Counted, int]]
) -> dict[str, dict[Counted, int]]:
    """Return the counts of these places only, so that they are bounded, and zeros for new ones."""
    if tuple(counts) == tuple(places):
        return counts
    return {place: counts.get(place) or dict.fromkeys(kinds, 0) for place in places}


def _place(zone: str, places: Sequence[str]) -> str:
    return zone if zone in places else ""


def undone_in(software: Software) -> dict[Slot, bool]:
    """Return of each kind of software whether its last change was undone."""
    last = {each.slot: each.outcome for each in software.settled}
    return {slot: last.get(slot) in (TrialOutcome.REFUSED, TrialOutcome.UNDONE) for slot in Slot}
