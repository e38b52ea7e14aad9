"""What metrics are made of: the device's state, and counts since the program's start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.daemon.lookout import Glance
from edge.host.health import Distribution, Stopwatch
from edge.installed import Slot
from edge.records import Verdict, ViolationKind, ViolationState
from edge.release.ledger import TrialOutcome
from edge.telemetry import Software, Telemetry


@dataclass(frozen=True, slots=True)
class Figures:
    """All of one moment."""

    telemetry: Telemetry
    started_at_s: float
    """The program's start, by the wall clock as it is now: seconds since 1970."""
    steps: Mapping[str, Distribution]
    people: Mapping[Verdict, int]
    """Who have left, by what their visits came to."""
    alerts: Mapping[ViolationKind, int]
    """Confirmed ones."""
    watched_s: float
    undone: Mapping[Slot, bool]
    """Whether the last change of each was undone."""


@dataclass(slots=True)
class Counts:
    """Counts what is decided; for one thread."""

    stopwatch: Stopwatch
    _people: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    _alerts: dict[ViolationKind, int] = field(
        default_factory=lambda: dict.fromkeys(ViolationKind, 0)
    )
    _watched_s: float = 0.0
    _started_at_s: float = 0.0
    _clock_steps: int | None = None

    def add(self, glance: Glance) -> None:
        """Count what one turn of the loop brought."""
        self._watched_s += glance.watched_s
        for visit in glance.decision.visits:
            self._people[visit.verdict] += 1
        for violation in glance.decision.violations:
            if violation.state is ViolationState.CONFIRMED:
                self._alerts[violation.kind] += 1

    def figures(self, telemetry: Telemetry, software: Software) -> Figures:
        """Return all as it is now."""
        if telemetry.clock.steps != self._clock_steps and telemetry.at is not None:
            # Only then, or it would differ by microseconds each time, and look like a restart.
            self._clock_steps = telemetry.clock.steps
            self._started_at_s = telemetry.at.timestamp() - telemetry.uptime_s
        return Figures(
            telemetry,
            self._started_at_s,
            self.stopwatch.distributions(),
            dict(self._people),
            dict(self._alerts),
            self._watched_s,
            undone_in(software),
        )


def undone_in(software: Software) -> dict[Slot, bool]:
    """Return of each kind of software whether its last change was undone."""
    last = {each.slot: each.outcome for each in software.settled}
    return {slot: last.get(slot) in (TrialOutcome.REFUSED, TrialOutcome.UNDONE) for slot in Slot}
