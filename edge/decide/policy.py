"""Decide: when a missing mask is a violation.

Evidence (`edge.decide.evidence`) must say so for a while without a break; then it is one, once for
each visit.

Somebody who stood still and was hidden is known again by the place alone. The visit goes on,
but what is not confirmed yet takes its whole time again; and where the looks since then are sure of
a mask and those before were sure that there was none, or the other way round, it is somebody else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from edge.config import PolicySettings
from edge.decide.evidence import Evidence
from edge.records import (
    MaskState,
    Sighting,
    Verdict,
    Violation,
    ViolationKind,
    ViolationState,
    Visit,
)

MIN_SIGHTINGS = 3
"""What was seen less often is a detector's slip, not a visit."""


class PolicyThresholds(Protocol):
    """Where a probability becomes a verdict: those of the bundle."""

    @property
    def bare(self) -> float:
        """At or above: no mask."""

    @property
    def masked(self) -> float:
        """At or below, bare and worn wrongly together: masked."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one frame decided; usually nothing."""

    violations: tuple[Violation, ...] = ()
    visits: tuple[Visit, ...] = ()
    """The people who have left."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of somebody in sight, and what a violation would take."""

    track_id: int
    state: MaskState | None
    """What the evidence says; None: nothing yet."""
    probability: float
    """The evidence for that, 0 to 1."""
    wrong_for_s: float
    """How long it has said what may become a violation."""
    confirm_s: float
    """How long it must; 0: nothing is awaited."""
    looks: int
    """Judged in that time."""
    sure_finds: int
    is_reported: bool
    """A violation of this visit has been confirmed."""


@dataclass(slots=True)
class _Streak:
    """How long the evidence has said one thing."""

    since: Sighting | None = None
    """From when on without a break; None while it does not."""
    until: Sighting | None = None
    """When it last did."""
    looks: int = 0
    """Judged looks since then."""

    def take_in(self, says_so: bool, sighting: Sighting) -> None:
        if says_so:
            self.since, self.until = self.since or sighting, sighting
            self.looks += 1
        else:
            self.since, self.looks = None, 0


@dataclass(slots=True)
class _Person:
    """What is known of one visit."""

    first: Sighting
    last: Sighting
    sightings: int = 0
    sure_finds: int = 0
    evidence: Evidence = field(default_factory=Evidence)
    bare: _Streak = field(default_factory=_Streak)
    worn: _Streak = field(default_factory=_Streak)
    """Of a mask worn wrongly."""
    masked_from: Sighting | None = None
    """Since when the evidence has been sure of a mask."""
    bare_s: float = 0.0
    masked_s: float = 0.0
    worn_s: float = 0.0
    face_px: float = 0.0
    violation: Violation | None = None
    """As it was confirmed: one for each visit."""
    violation_from_s: float = 0.0
    is_over: bool = False
    returned: _Return | None = None
    """While it may be somebody else."""

    def come_back(self) -> None:
        """Go on after having been hidden."""
        # Who was certainly there: not who has come back since, and may have been another one.
        before = copy.deepcopy(self) if self.returned is None else self.returned.before
        self.returned = _Return(before)
        self.masked_from = None
        if self.violation is None:
            self.bare, self.worn = _Streak(), _Streak()


@dataclass(slots=True)
class _Return:
    """What is known since somebody is back."""

    before: _Person
    first: Sighting | None = None
    evidence: Evidence = field(default_factory=Evidence)
    looks: int = 0

    def take_in(self, sighting: Sighting, probabilities: Mapping[MaskState, float]) -> float:
        """Return for how many seconds it has been looked."""
        self.first = self.first or sighting
        self.evidence.add(probabilities, sighting.monotonic_s)
        self.looks += 1
        return sighting.monotonic_s - self.first.monotonic_s


class ViolationPolicy:
    """Judges the people in the scene: at most one violation for each visit."""

    def __init__(
        self,
        settings: PolicySettings,
        thresholds: PolicyThresholds,
        new_event_id: Callable[[datetime], str],
    ) -> None:
        """`thresholds` are the bundle's; `new_event_id` names a violation of that time."""
        self._settings = settings
        self._bare = max(settings.bare_probability, thresholds.bare)
        self._worn = settings.bare_probability
        self._masked = thresholds.masked
        self._new_event_id = new_event_id
        self._people: dict[int, _Person] = {}

    def update(
        self, sightings: Sequence[Sighting], ended: Sequence[int], returned: Sequence[int] = ()
    ) -> Decision:
        """Take in what a frame showed, the tracks that had ended before it, and those among the
        sightings that go on after they were hidden."""
        violations: list[Violation] = []
        visits: list[Visit] = []

        def leave(person: _Person) -> None:
            violations.extend(_end(person))
            if person.sightings >= MIN_SIGHTINGS:
                visits.append(_visit(person))

        # A track that was never somebody's has no sightings.
        for track_id in ended:
            if track_id in self._people:
                leave(self._people.pop(track_id))
        for track_id in returned:
            if track_id in self._people:
                self._people[track_id].come_back()
        for sighting in sightings:
            person = self._people.setdefault(sighting.track_id, _Person(sighting, sighting))
            former = self._somebody_else(person, sighting)
            if former is not None:
                leave(former)
                person = self._people[sighting.track_id] = _Person(sighting, sighting)
            person.last = sighting
            person.sightings += 1
            person.sure_finds += sighting.is_sure
            if sighting.reading.probabilities is not None:
                self._take_in(person, sighting, sighting.reading.probabilities)
                violations += self._judge(person, sighting)
            # Not looked at this time, but in sight: as it was at the last look.
            elif person.bare.since is not None:
                person.bare.until = sighting
            elif person.worn.since is not None:
                person.worn.until = sighting
        return Decision(tuple(violations), tuple(visits))

    def _somebody_else(self, person: _Person, now: Sighting) -> _Person | None:
        """Return who was there before somebody was hidden, once the looks since then tell that it
        is not the same person."""
        back, probabilities = person.returned, now.reading.probabilities
        if back is None or probabilities is None:
            return None
        looked_s = back.take_in(now, probabilities)
        if back.looks < self._settings.min_looks or looked_s < self._settings.confirm_s:
            return None
        person.returned = None
        back.before.is_over |= person.is_over
        said = {self._says(back.before.evidence), self._says(back.evidence)}
        return back.before if said == {MaskState.BARE, MaskState.MASKED} else None

    def _says(self, evidence: Evidence) -> MaskState | None:
        """Return what evidence is sure of, if it is of a mask or of none."""
        if evidence.bare_probability >= self._bare:
            return MaskState.BARE
        return MaskState.MASKED if self._unmasked(evidence) <= self._masked else None

    def standings(self, sightings: Sequence[Sighting]) -> tuple[Standing, ...]:
        """Return what is known of those in `sightings`, after `update` with them."""
        return tuple(self._standing(self._people[each.track_id], each) for each in sightings)

    def _standing(self, person: _Person, now: Sighting) -> Standing:
        evidence = person.evidence
        streak, confirm_s = _Streak(), 0.0
        if person.bare.since is not None:
            state, probability = MaskState.BARE, evidence.bare_probability
            streak, confirm_s = person.bare, self._settings.confirm_s
        elif person.worn.since is not None and self._settings.worn_wrongly != "ignore":
            state, probability = (
                MaskState.WORN_WRONGLY,
                evidence.probability(MaskState.WORN_WRONGLY),
            )
            if self._settings.worn_wrongly == "violation":
                streak, confirm_s = person.worn, self._settings.worn_wrongly_s
        elif person.masked_from is not None:
            state, probability = MaskState.MASKED, 1 - self._unmasked(evidence)
        else:
            state, probability = None, 0.0
        wrong_for_s = 0.0 if streak.since is None else now.monotonic_s - streak.since.monotonic_s
        return Standing(
            now.track_id,
            state,
            probability,
            wrong_for_s,
            confirm_s,
            streak.looks,
            person.sure_finds,
            person.violation is not None,
        )

    def _take_in(
        self, person: _Person, sighting: Sighting, probabilities: Mapping[MaskState, float]
    ) -> None:
        look_s = person.evidence.add(probabilities, sighting.monotonic_s)
        person.face_px = max(person.face_px, sighting.reading.face.box.size_px)
        belief = person.evidence.bare_probability
        worn = person.evidence.probability(MaskState.WORN_WRONGLY)
        person.bare.take_in(belief > 0.5, sighting)
        person.worn.take_in(worn > 0.5, sighting)
        if self._unmasked(person.evidence) > self._masked:
            person.masked_from = None
        else:
            person.masked_from = person.masked_from or sighting
            person.masked_s += look_s
        if belief >= self._bare:
            person.bare_s += look_s
        if worn >= self._worn and self._settings.worn_wrongly != "ignore":
            person.worn_s += look_s

    def _unmasked(self, evidence: Evidence) -> float:
        """Return how likely it is no mask, or none that counts as one."""
        if self._settings.worn_wrongly == "ignore":
            return evidence.bare_probability
        return evidence.unmasked_probability

    def _judge(self, person: _Person, now: Sighting) -> list[Violation]:
        confirm_s = self._settings.confirm_s
        if person.violation is not None:
            put_on = person.masked_from
            is_masked = put_on is not None and now.monotonic_s - put_on.monotonic_s >= confirm_s
            return _end(person) if is_masked else []
        # What the detector is sure of once is a hand or a sleeve as often as a face.
        if person.sure_finds < self._settings.min_looks:
            return []
        wrongs = [(ViolationKind.BARE, person.bare, self._bare, confirm_s)]
        if self._settings.worn_wrongly == "violation":
            worn_s = self._settings.worn_wrongly_s
            wrongs.append((ViolationKind.WORN_WRONGLY, person.worn, self._worn, worn_s))
        for kind, streak, least, seconds in wrongs:
            if (
                streak.since is not None
                and streak.looks >= self._settings.min_looks
                and person.evidence.probability(MaskState(kind)) >= least
                and now.monotonic_s - streak.since.monotonic_s >= seconds
            ):
                return [self._confirm(person, now, streak.since, kind)]
        return []

    def _confirm(
        self, person: _Person, now: Sighting, since: Sighting, kind: ViolationKind
    ) -> Violation:
        duration_s = now.monotonic_s - since.monotonic_s
        person.violation = Violation(
            event_id=self._new_event_id(now.seen_at),
            state=ViolationState.CONFIRMED,
            track_id=now.track_id,
            # All times by the clock as it is now: it may have been set, and may be again.
            started_at=now.seen_at - timedelta(seconds=duration_s),
            confirmed_at=now.seen_at,
            ended_at=None,
            duration_s=duration_s,
            bare_probability=person.evidence.bare_probability,
            face_px=person.face_px,
            kind=kind,
            probability=person.evidence.probability(MaskState(kind)),
        )
        person.violation_from_s = since.monotonic_s
        return person.violation


def _end(person: _Person) -> list[Violation]:
    """Return the violation's second document, where there is one that is not over yet."""
    if person.violation is None or person.is_over:
        return []
    is_bare = person.violation.kind is ViolationKind.BARE
    until = (person.bare if is_bare else person.worn).until
    if until is None:
        return []
    person.is_over = True
    duration_s = until.monotonic_s - person.violation_from_s
    return [
        replace(
            person.violation,
            state=ViolationState.ENDED,
            ended_at=person.violation.started_at + timedelta(seconds=duration_s),
            duration_s=duration_s,
            face_px=person.face_px,
        )
    ]


def _visit(person: _Person) -> Visit:
    seconds = {
        Verdict.MASKED: person.masked_s,
        Verdict.BARE: person.bare_s,
        Verdict.WORN_WRONGLY: person.worn_s,
    }
    if person.violation is not None:
        verdict = Verdict(person.violation.kind)
    elif any(seconds.values()):
        verdict = max(seconds, key=lambda each: seconds[each])
    else:
        verdict = Verdict.UNKNOWN
    return Visit(person.last.track_id, verdict, person.first.seen_at, person.last.seen_at)
