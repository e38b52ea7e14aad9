"""Decide: when a missing mask is a violation.

Each look at a face gives log-odds of each state that the network tells apart. A person's evidence
is their mean over the last seconds, each look weighted by the time that it stands for, so neither a
fast camera nor one odd frame decides. A small weight for "not known yet" keeps the first looks from
counting for more than they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from edge.config import PolicySettings
from edge.records import (
    MaskState,
    Sighting,
    Verdict,
    Violation,
    ViolationKind,
    ViolationState,
    Visit,
)

MEMORY_S = 2.0
"""Looks fade with this time constant: long enough to bridge a gesture, short enough to notice that
a mask is put on."""
PRIOR_S = 0.2
"""The weight of "not known yet"."""
FIRST_LOOK_S = 0.1
MAX_LOOK_S = 0.5
"""A look stands for the time since the look before it, but for no more than this."""
MAX_LOG_ODDS = 5.0
"""One look is never surer: int8 outputs come in steps of 1/256, whose log-odds end at 5.5."""
MIN_SIGHTINGS = 3
"""What was seen less often is a detector's slip, not a visit."""


class Thresholds(Protocol):
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
    """So long it has said what may become a violation."""
    confirm_s: float
    """So long it must; 0: nothing is awaited."""
    looks: int
    """Judged in that time."""
    sure_finds: int
    is_told: bool
    """A violation of this visit has been confirmed."""


@dataclass(slots=True)
class Evidence:
    """What the looks at one face say together."""

    weight_s: float = 0.0
    weighted_log_odds: dict[MaskState, float] = field(default_factory=dict)
    """Of each state against all others."""
    last_look_s: float | None = None

    def probability(self, state: MaskState) -> float:
        """Return how likely the state is; 0 where the network does not tell it apart."""
        if state not in self.weighted_log_odds:
            return 0.0
        return 1 / (1 + math.exp(-self.weighted_log_odds[state] / (self.weight_s + PRIOR_S)))

    @property
    def bare_probability(self) -> float:
        return self.probability(MaskState.BARE)

    @property
    def unmasked_probability(self) -> float:
        """How likely all states but a mask are together; of two, the bare one alone."""
        return sum(self.probability(state) for state in MaskState if state != MaskState.MASKED)

    def add(self, probabilities: Mapping[MaskState, float], now_s: float) -> float:
        """Take in a look; return the seconds that it stands for."""
        since_s = FIRST_LOOK_S if self.last_look_s is None else now_s - self.last_look_s
        self.last_look_s = now_s
        look_s = min(since_s, MAX_LOOK_S)
        kept = math.exp(-since_s / MEMORY_S)
        self.weight_s = self.weight_s * kept + look_s
        for state, probability in probabilities.items():
            before = self.weighted_log_odds.get(state, 0.0)
            self.weighted_log_odds[state] = before * kept + look_s * log_odds(probability)
        return look_s


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)), bounded to what one look can know."""
    limit = 1 / (1 + math.exp(MAX_LOG_ODDS))
    inside = min(max(probability, limit), 1 - limit)
    return math.log(inside / (1 - inside))


@dataclass(slots=True)
class _Spell:
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
    bare: _Spell = field(default_factory=_Spell)
    worn: _Spell = field(default_factory=_Spell)
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


class ViolationPolicy:
    """Judges the people in the scene: at most one violation for each visit."""

    def __init__(
        self,
        settings: PolicySettings,
        thresholds: Thresholds,
        new_event_id: Callable[[datetime], str],
        sure_confidence: float = 0.0,
    ) -> None:
        """`thresholds` are the bundle's; `new_event_id` names a violation of that time; from
        `sure_confidence` on the detector is sure of a face."""
        self._settings = settings
        self._bare = max(settings.bare_probability, thresholds.bare)
        self._worn = settings.bare_probability
        self._masked = thresholds.masked
        self._new_event_id = new_event_id
        self._sure_confidence = sure_confidence
        self._people: dict[int, _Person] = {}

    def update(self, sightings: Sequence[Sighting], ended: Sequence[int]) -> Decision:
        """Take in what a frame showed, and the tracks that had ended before it."""
        violations: list[Violation] = []
        visits: list[Visit] = []
        for track_id in ended:
            person = self._people.pop(track_id)
            violations += _end(person)
            if person.sightings >= MIN_SIGHTINGS:
                visits.append(_visit(person))
        for sighting in sightings:
            person = self._people.setdefault(sighting.track_id, _Person(sighting, sighting))
            person.last = sighting
            person.sightings += 1
            person.sure_finds += sighting.reading.face.confidence >= self._sure_confidence
            if sighting.reading.probabilities is not None:
                self._take_in(person, sighting, sighting.reading.probabilities)
                violations += self._judge(person, sighting)
            # Not looked at this time, but in sight: as it was at the last look.
            elif person.bare.since is not None:
                person.bare.until = sighting
            elif person.worn.since is not None:
                person.worn.until = sighting
        return Decision(tuple(violations), tuple(visits))

    def standings(self, sightings: Sequence[Sighting]) -> tuple[Standing, ...]:
        """Return what is known of those in `sightings`, after `update` with them."""
        return tuple(self._standing(self._people[each.track_id], each) for each in sightings)

    def _standing(self, person: _Person, now: Sighting) -> Standing:
        evidence = person.evidence
        spell, confirm_s = _Spell(), 0.0
        if person.bare.since is not None:
            state, probability = MaskState.BARE, evidence.bare_probability
            spell, confirm_s = person.bare, self._settings.confirm_s
        elif person.worn.since is not None and self._settings.worn_wrongly != "ignore":
            state, probability = (
                MaskState.WORN_WRONGLY,
                evidence.probability(MaskState.WORN_WRONGLY),
            )
            if self._settings.worn_wrongly == "violation":
                spell, confirm_s = person.worn, self._settings.worn_wrongly_s
        elif person.masked_from is not None:
            state, probability = MaskState.MASKED, 1 - self._unmasked(evidence)
        else:
            state, probability = None, 0.0
        wrong_for_s = 0.0 if spell.since is None else now.monotonic_s - spell.since.monotonic_s
        return Standing(
            now.track_id,
            state,
            probability,
            wrong_for_s,
            confirm_s,
            spell.looks,
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
        for kind, spell, least, seconds in wrongs:
            if (
                spell.since is not None
                and spell.looks >= self._settings.min_looks
                and person.evidence.probability(MaskState(kind)) >= least
                and now.monotonic_s - spell.since.monotonic_s >= seconds
            ):
                return [self._confirm(person, now, spell.since, kind)]
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
