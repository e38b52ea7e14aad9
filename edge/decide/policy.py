"""Decide: when a missing mask is a violation.

Evidence (`edge.decide.evidence`) must say for a while without a break that mouth and nose are not
covered; then it is one, once for each visit. Which one is said afterwards: no mask, or one that is
worn wrongly, whichever is likelier. Looks that swing between the two break nothing.

Which rules hold is a matter of where somebody is (`edge.decide.zones`).

Somebody who stood still and was hidden is known again by the place alone. The visit goes on,
but what is not confirmed yet takes its whole time again; and where the looks since then are sure of
a mask and those before were sure that there was none, or the other way round, it is somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from edge.config import PolicySettings
from edge.decide.evidence import Evidence
from edge.decide.person import JudgedPerson, end_of, visit_of
from edge.decide.zones import ZoneRules, Zones
from edge.records import (
    MaskState,
    Sighting,
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
    least_px: float = 0.0
    """Smaller faces are not judged where the person is; 0: as everywhere."""


class ViolationPolicy:
    """Judges the people in the scene: at most one violation for each visit."""

    def __init__(
        self,
        settings: PolicySettings,
        thresholds: PolicyThresholds,
        new_event_id: Callable[[datetime], str],
        zones: Zones | None = None,
    ) -> None:
        """`thresholds` are the bundle's; `new_event_id` names a violation of that time. Without
        `zones` it is everywhere as `settings` say."""
        self._settings = settings
        self.zones = zones or Zones((), settings)
        self._uncovered = max(settings.bare_probability, thresholds.bare)
        self._masked = thresholds.masked
        self._new_event_id = new_event_id
        self._people: dict[int, JudgedPerson] = {}
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

        def leave(person: JudgedPerson) -> None:
            violations.extend(end_of(person))
            if person.sightings >= MIN_SIGHTINGS and not person.is_picture:
                visits.append(visit_of(person, self.zones.reports))

        # A track that was never somebody's has no sightings.
        for track_id in ended:
            if track_id in self._people:
                leave(self._people.pop(track_id))
        for track_id in returned:
            if track_id in self._people:
                self._people[track_id].come_back()
        for sighting in sightings:
            rules = self.zones.rules(sighting)
            person = self._people.setdefault(sighting.track_id, JudgedPerson(sighting, sighting))
            former = None if rules.ignores else self._somebody_else(person, sighting)
            if former is not None:
                leave(former)
                person = self._people[sighting.track_id] = JudgedPerson(sighting, sighting)
            person.stand(rules, sighting, self.reports)
            violations += self._taken_in(person, sighting, rules, sighting.track_id in lifeless)
        return Decision(tuple(violations), tuple(visits))

    def _taken_in(
        self, person: JudgedPerson, now: Sighting, rules: ZoneRules, is_lifeless: bool
    ) -> list[Violation]:
        """Take in a sighting of somebody; return what it decides."""
        comes_alive = person.is_lifeless and not is_lifeless
        person.is_lifeless = is_lifeless
        # Of the very first picture of a source nothing is known.
        person.has_lived |= not is_lifeless and person.sightings > 0
        if rules.ignores:
            has_left = person.judged.since_s is None
            ended = end_of(person) if has_left else []
            if has_left:
                person.leave_behind()
            return ended
        person.appear(now)
        probabilities = now.reading.probabilities
        is_judged = probabilities is not None and now.reading.face.box.size_px >= rules.min_face_px
        if probabilities is not None and is_judged:
            self._look(person, now, probabilities)
        # Not looked at this time, but in sight: as it was at the last look.
        elif (streak := person.streak_of(person.evidence.kind)).since is not None:
            streak.until = now
        return self._judge(person, now, rules) if comes_alive or is_judged else []

    def _somebody_else(self, person: JudgedPerson, now: Sighting) -> JudgedPerson | None:
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

    def _standing(self, person: JudgedPerson, now: Sighting) -> Standing:
        evidence, kind = person.evidence, person.evidence.kind
        state: MaskState | None = None
        probability = 0.0
        wrong_for_s, confirm_s, looks = 0.0, 0.0, 0
        if person.streak_of(kind).since is not None and not self._is_mask(kind):
            state, probability = kind, evidence.uncovered_probability
            wanted_s = self._confirm_s(kind, self.zones.rules(now))
            since_s = person.wrong_since_s(kind)
            if wanted_s is not None and since_s is not None:
                wrong_for_s, confirm_s = now.monotonic_s - since_s, wanted_s
                looks = person.streak_of(kind).looks
        elif person.masked_from is not None:
            state, probability = MaskState.MASKED, 1 - self._unmasked(evidence)
        return Standing(
            now.track_id,
            state,
            probability,
            wrong_for_s,
            confirm_s,
            looks,
            person.sure_finds,
            person.violation is not None,
            person.is_lifeless,
            self.zones.rules(now).min_face_px,
        )

    def _look(
        self, person: JudgedPerson, sighting: Sighting, probabilities: Mapping[MaskState, float]
    ) -> None:
        look_s = person.evidence.add(probabilities, sighting.monotonic_s)
        person.face_px = max(person.face_px, sighting.reading.face.box.size_px)
        kind, is_uncovered = person.evidence.kind, person.evidence.uncovered_probability > 0.5
        person.bare.take_in(is_uncovered, kind is MaskState.BARE, sighting)
        person.worn.take_in(is_uncovered, kind is MaskState.WORN_WRONGLY, sighting)
        state = self._says(person.evidence)
        if state is not None:
            person.sure_for(state, look_s, sighting.zone)
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

    def _confirm_s(self, kind: MaskState, rules: ZoneRules) -> float | None:
        """Return how long this must last until it is a violation; None: it is none."""
        if not (self.reports and rules.reports):
            return None
        if kind is MaskState.BARE:
            return rules.confirm_s
        return self._settings.worn_wrongly_s if self._settings.worn_wrongly == "violation" else None

    def _judge(self, person: JudgedPerson, now: Sighting, rules: ZoneRules) -> list[Violation]:
        if person.violation is not None:
            put_on, sure_s = person.masked_from, self._settings.confirm_s
            is_masked = put_on is not None and now.monotonic_s - put_on.monotonic_s >= sure_s
            return end_of(person) if is_masked else []
        kind = person.evidence.kind
        since_s, confirm_s = person.wrong_since_s(kind), self._confirm_s(kind, rules)
        if (
            confirm_s is not None
            and not person.is_lifeless
            and since_s is not None
            and now.monotonic_s - since_s >= confirm_s
            # What the detector is sure of once is a hand or a sleeve as often as a face.
            and min(person.streak_of(kind).looks, person.sure_finds) >= self._settings.min_looks
            and person.evidence.uncovered_probability >= self._uncovered
        ):
            return [self._confirm(person, now, since_s, ViolationKind(kind))]
        return []

    def _confirm(
        self, person: JudgedPerson, now: Sighting, since_s: float, kind: ViolationKind
    ) -> Violation:
        duration_s = now.monotonic_s - since_s
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
            zone=now.zone,
        )
        person.violation_from_s = since_s
        return person.violation
