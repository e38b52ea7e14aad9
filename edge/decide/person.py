"""One visit: who is there, since when, and what is known of him."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from edge.decide.evidence import Evidence
from edge.decide.zones import Lasting, Whereabouts, ZoneRules
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


@dataclass(slots=True)
class Streak:
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
class JudgedPerson:
    """What is known of one visit."""

    first: Sighting
    last: Sighting
    sightings: int = 0
    sure_finds: int = 0
    evidence: Evidence = field(default_factory=Evidence)
    bare: Streak = field(default_factory=Streak)
    worn: Streak = field(default_factory=Streak)
    """Of a mask worn wrongly."""
    masked_from: Sighting | None = None
    """Since when the evidence has been sure of a mask."""
    seconds: dict[str, dict[MaskState, float]] = field(default_factory=dict)
    """By zone: for how long the evidence has been sure of each."""
    whereabouts: Whereabouts = field(default_factory=Whereabouts)
    judged: Lasting = field(default_factory=Lasting)
    """In no ignored zone."""
    required: Lasting = field(default_factory=Lasting)
    """In a place where a missing mask is reported, while the mask rule is on."""
    is_rule_on: bool = True
    """The mask rule, when the person was last in sight."""
    face_px: float = 0.0
    violation: Violation | None = None
    """As it was confirmed: one for each visit."""
    violation_from_s: float = 0.0
    is_lifeless: bool = False
    """A picture on the wall, as far as is known: nobody is reported."""
    has_lived: bool = False
    """It has been known to be none: who comes back stays who he was."""
    is_over: bool = False
    returned: Return | None = None
    """While it may be somebody else."""

    def streak_of(self, kind: MaskState | ViolationKind) -> Streak:
        return self.bare if kind == MaskState.BARE else self.worn

    @property
    def is_picture(self) -> bool:
        stayed_s = self.last.monotonic_s - self.first.monotonic_s
        return not self.has_lived and stayed_s >= PICTURE_S

    def stand(self, rules: ZoneRules, now: Sighting, is_rule_on: bool) -> None:
        """Note where the person is, and which rules hold there."""
        now_s = now.monotonic_s
        self.whereabouts.note(None if rules.ignores else now.zone, now_s)
        self.judged.note(not rules.ignores, now_s)
        self.is_rule_on = is_rule_on
        if is_rule_on:
            self.required.note(rules.reports, now_s)
        else:  # without grace: that is for who steps out of a place for a moment
            self.required = Lasting()

    def appear(self, now: Sighting) -> None:
        """Count a sighting, in no ignored zone."""
        if not self.sightings:
            self.first = now
        self.last = now
        self.sightings += 1
        self.sure_finds += now.is_sure

    def sure_for(self, state: MaskState, look_s: float, zone: str) -> None:
        """Note that the evidence was sure of a state for so long."""
        seconds = self.seconds.setdefault(zone, {})
        seconds[state] = seconds.get(state, 0.0) + look_s

    def wrong_since_s(self, kind: MaskState) -> float | None:
        """Return since when a mask has been missing, or worn wrongly, where it must not be."""
        since = self.streak_of(kind).since
        if since is None or self.required.since_s is None:
            return None
        return max(since.monotonic_s, self.required.since_s)

    def leave_behind(self) -> None:
        """Forget what was known of the mask: from now on it is another one, or none."""
        self.evidence, self.masked_from, self.returned = Evidence(), None, None
        self.bare, self.worn = Streak(), Streak()

    def come_back(self) -> None:
        """Go on after having been hidden."""
        # Who was certainly there: not who has come back since, and may have been another one.
        before = copy.deepcopy(self) if self.returned is None else self.returned.before
        self.returned = Return(before)
        self.masked_from = None
        if self.violation is None:
            self.bare, self.worn = Streak(), Streak()


@dataclass(slots=True)
class Return:
    """What is known since somebody is back."""

    before: JudgedPerson
    first: Sighting | None = None
    evidence: Evidence = field(default_factory=Evidence)
    looks: int = 0

    def take_in(self, sighting: Sighting, probabilities: Mapping[MaskState, float]) -> float:
        """Return for how many seconds it has been looked."""
        self.first = self.first or sighting
        self.evidence.add(probabilities, sighting.monotonic_s)
        self.looks += 1
        return sighting.monotonic_s - self.first.monotonic_s


def end_of(person: JudgedPerson) -> list[Violation]:
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


def visit_of(person: JudgedPerson, reports: Callable[[str, datetime], bool]) -> Visit:
    """Return what the visit came to: what was reported, else what the mask was for longest in the
    zone where the person was longest; where nothing is known of that, anywhere.

    `reports` says whether a missing mask is reported in a zone at a time."""
    zone = person.whereabouts.longest
    seconds = person.seconds.get(zone) or _added_up(person.seconds)
    if person.violation is not None:
        verdict = Verdict(person.violation.kind)
    elif seconds:
        verdict = Verdict(max(seconds, key=lambda state: seconds[state]))
    else:
        verdict = Verdict.UNKNOWN
    return Visit(
        person.last.track_id,
        verdict,
        person.first.seen_at,
        person.last.seen_at,
        person.face_px,
        zone,
        person.is_rule_on and reports(zone, person.last.seen_at),
    )


def _added_up(by_zone: Mapping[str, Mapping[MaskState, float]]) -> dict[MaskState, float]:
    total: dict[MaskState, float] = {}
    for seconds in by_zone.values():
        for state, duration_s in seconds.items():
            total[state] = total.get(state, 0.0) + duration_s
    return total
