"""Decide: when a missing mask is a violation.

Evidence (`edge.decide.evidence`) must say for a while without a break that mouth and nose are not
covered; then it is one, once for each visit. Which one is said afterwards: no mask, or one that is
worn wrongly, whichever is likelier. Looks that swing between the two break nothing.

Somebody who stood still and was hidden is known again by the place alone. The visit goes on,
but what is not confirmed yet takes its whole time again; and where the looks since then are sure of
a mask and those before were sure that there was none, or the other way round, it is somebody else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
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

PICTURE_S = 10.0
"""Who has shown no sign of life for so long is not counted either."""
MIN_SIGHTINGS = 3
"""What was seen less often is a detector's slip, not a visit."""


class PolicyThresholds(Protocol):
    """Where a probability becomes a verdict: those of the bundle."""

    @property
    def bare(self) -> float:
        """At or above, bare and worn wrongly together: mouth and nose are not covered."""

    @property
    def masked(self) -> float:
        """At or below, the same: masked."""


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
    """The evidence that mouth and nose are covered or, whatever the kind, are not; 0 to 1."""
    wrong_for_s: float
    """How long it has said what may become a violation."""
    confirm_s: float
    """How long it must; 0: nothing is awaited."""
    looks: int
    """Judged in that time."""
    sure_finds: int
    is_reported: bool
    """A violation of this visit has been confirmed."""
    is_lifeless: bool = False
    """As far as is known, a picture on the wall."""


@dataclass(slots=True)
class _Streak:
    """How long mouth and nose have not been covered, from when on one kind was the likelier."""

    since: Sighting | None = None
    """None while they are covered, or the kind has never been the likelier since they were."""
    until: Sighting | None = None
    """When it last was."""
    looks: int = 0
    """Judged looks since `since`."""

    def take_in(self, is_uncovered: bool, is_likelier: bool, sighting: Sighting) -> None:
        if not is_uncovered:
            self.since, self.looks = None, 0
            return
        if is_likelier:
            self.since, self.until = self.since or sighting, sighting
        self.looks += self.since is not None


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
    seconds: dict[MaskState, float] = field(default_factory=dict)
    """For how long the evidence has been sure of each."""
    face_px: float = 0.0
    violation: Violation | None = None
    """As it was confirmed: one for each visit."""
    violation_from_s: float = 0.0
    is_lifeless: bool = False
    """A picture on the wall, as far as is known: nobody is reported."""
    has_lived: bool = False
    """It has been known to be none: who comes back stays who he was."""
    is_over: bool = False
    returned: _Return | None = None
    """While it may be somebody else."""

    def streak_of(self, kind: MaskState | ViolationKind) -> _Streak:
        return self.bare if kind == MaskState.BARE else self.worn

    @property
    def is_picture(self) -> bool:
        stayed_s = self.last.monotonic_s - self.first.monotonic_s
        return not self.has_lived and stayed_s >= PICTURE_S

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
        self._confirm_s = {MaskState.BARE: settings.confirm_s}
        """What is a violation, and how long it must have been so."""
        if settings.worn_wrongly == "violation":
            self._confirm_s[MaskState.WORN_WRONGLY] = settings.worn_wrongly_s
        self._uncovered = max(settings.bare_probability, thresholds.bare)
        self._masked = thresholds.masked
        self._new_event_id = new_event_id
        self._people: dict[int, _Person] = {}
        self.reports = True
        """Whether the mask rule is on; off: everybody is counted, nobody is reported."""

    def update(
        self,
        sightings: Sequence[Sighting],
        ended: Sequence[int],
        returned: Sequence[int] = (),
        lifeless: Collection[int] = (),
    ) -> Decision:
        """Take in what a frame showed, the tracks that had ended before it, those among the
        sightings that go on after they were hidden, and those that may be pictures on a wall."""
        violations: list[Violation] = []
        visits: list[Visit] = []

        def leave(person: _Person) -> None:
            violations.extend(_end(person))
            if person.sightings >= MIN_SIGHTINGS and not person.is_picture:
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
            comes_alive = person.is_lifeless and sighting.track_id not in lifeless
            person.is_lifeless = sighting.track_id in lifeless
            # Of the very first picture of a source nothing is known.
            person.has_lived |= not person.is_lifeless and person.sightings > 1
            if sighting.reading.probabilities is not None:
                self._take_in(person, sighting, sighting.reading.probabilities)
            # Not looked at this time, but in sight: as it was at the last look.
            elif (streak := person.streak_of(person.evidence.kind)).since is not None:
                streak.until = sighting
            if comes_alive or sighting.reading.probabilities is not None:
                violations += self._judge(person, sighting)
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
        """Return what evidence is sure of."""
        if self._unmasked(evidence) <= self._masked:
            return MaskState.MASKED
        if evidence.uncovered_probability < self._uncovered:
            return None
        return MaskState.MASKED if self._is_mask(evidence.kind) else evidence.kind

    def standings(self, sightings: Sequence[Sighting]) -> tuple[Standing, ...]:
        """Return what is known of those in `sightings`, after `update` with them."""
        return tuple(self._standing(self._people[each.track_id], each) for each in sightings)

    def _standing(self, person: _Person, now: Sighting) -> Standing:
        evidence, kind = person.evidence, person.evidence.kind
        state: MaskState | None = None
        probability = 0.0
        streak, confirm_s = _Streak(), 0.0
        if person.streak_of(kind).since is not None and not self._is_mask(kind):
            state, probability = kind, evidence.uncovered_probability
            if kind in self._confirm_s:
                streak, confirm_s = person.streak_of(kind), self._confirm_s[kind]
        elif person.masked_from is not None:
            state, probability = MaskState.MASKED, 1 - self._unmasked(evidence)
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
            person.is_lifeless,
        )

    def _take_in(
        self, person: _Person, sighting: Sighting, probabilities: Mapping[MaskState, float]
    ) -> None:
        look_s = person.evidence.add(probabilities, sighting.monotonic_s)
        person.face_px = max(person.face_px, sighting.reading.face.box.size_px)
        kind, is_uncovered = person.evidence.kind, person.evidence.uncovered_probability > 0.5
        person.bare.take_in(is_uncovered, kind is MaskState.BARE, sighting)
        person.worn.take_in(is_uncovered, kind is MaskState.WORN_WRONGLY, sighting)
        state = self._says(person.evidence)
        if state is not None:
            person.seconds[state] = person.seconds.get(state, 0.0) + look_s
        is_masked = state is MaskState.MASKED
        person.masked_from = (person.masked_from or sighting) if is_masked else None

    def _unmasked(self, evidence: Evidence) -> float:
        """Return how likely it is no mask, or none that counts as one."""
        if self._is_mask(evidence.kind):
            return evidence.bare_probability
        return evidence.uncovered_probability

    def _is_mask(self, kind: MaskState) -> bool:
        """Return whether the settings take it for one."""
        return kind is MaskState.WORN_WRONGLY and self._settings.worn_wrongly == "ignore"

    def _judge(self, person: _Person, now: Sighting) -> list[Violation]:
        if person.violation is not None:
            put_on, confirm_s = person.masked_from, self._settings.confirm_s
            is_masked = put_on is not None and now.monotonic_s - put_on.monotonic_s >= confirm_s
            return _end(person) if is_masked else []
        kind = person.evidence.kind
        since, looks = person.streak_of(kind).since, person.streak_of(kind).looks
        if (
            self.reports
            and kind in self._confirm_s
            and not person.is_lifeless
            and since is not None
            and now.monotonic_s - since.monotonic_s >= self._confirm_s[kind]
            # What the detector is sure of once is a hand or a sleeve as often as a face.
            and min(looks, person.sure_finds) >= self._settings.min_looks
            and person.evidence.uncovered_probability >= self._uncovered
        ):
            return [self._confirm(person, now, since, ViolationKind(kind))]
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
            probability=person.evidence.uncovered_probability,
        )
        person.violation_from_s = since.monotonic_s
        return person.violation


def _end(person: _Person) -> list[Violation]:
    """Return the violation's second document, where there is one that is not over yet."""
    if person.violation is None or person.is_over:
        return []
    until = person.streak_of(person.violation.kind).until
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
    if person.violation is not None:
        verdict = Verdict(person.violation.kind)
    elif person.seconds:
        verdict = Verdict(max(person.seconds, key=lambda state: person.seconds[state]))
    else:
        verdict = Verdict.UNKNOWN
    return Visit(
        person.last.track_id,
        verdict,
        person.first.seen_at,
        person.last.seen_at,
        person.face_px,
    )
