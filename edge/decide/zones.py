"""Zones: named parts of the picture, each with rules of its own.

A face is where its center is. Where zones overlap, the first of the list holds; outside all of them
it is as [policy] says, like in one more zone without a name. So everybody is in one place at a
time, and the time between two sightings belongs to the place of the earlier one.

- A visit is counted once, in the place where the person was longest; of equal ones the first that
  he was in. Time in an ignored zone counts for none, and who was nowhere else is no visit.
- A violation is confirmed by the rules of the place where the person is then. What is known of his
  mask goes along from one to the next, and so does the time for which it has been missing where it
  must not be: crossing from one such place to another does not start it again. Time in places where
  nobody is reported does not count for it.
- In an ignored zone nothing is taken in. Who stays there leaves what was known behind, and a
  violation is over.
- Faces at a border jump to and fro: who is elsewhere for less than `GRACE_S` has not left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from edge.config import PolicySettings, ZonePolicy, ZoneSettings
from edge.config.hours import Hours
from edge.outline import Point, contains
from edge.records import Box, Frame, Sighting, TrackedFace

GRACE_S = 1.0
OUTSIDE = ""
"""The name of what is in no zone."""


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """What holds for a person in one place at one moment."""

    policy: ZonePolicy
    confirm_s: float
    """How long a mask must have been missing; how long it must have been worn wrongly is the same
    everywhere."""
    min_face_px: float = 0.0
    """Smaller faces are not judged."""

    @property
    def reports(self) -> bool:
        return self.policy is ZonePolicy.VIOLATION

    @property
    def ignores(self) -> bool:
        return self.policy is ZonePolicy.IGNORE


@dataclass(frozen=True, slots=True)
class _Zone:
    name: str
    polygon: tuple[Point, ...]
    rules: ZoneRules
    otherwise: ZoneRules
    hours: Hours | None


class Zones:
    """Tells where a face is, and what holds there."""

    def __init__(
        self,
        zones: Sequence[ZoneSettings],
        policy: PolicySettings,
        local: Callable[[datetime], datetime] | None = None,
    ) -> None:
        """`local` tells what a clock on the wall shows at a time; without it, as in a clip that has
        no date, it is always within a zone's hours."""
        self._policy = policy
        self._local = local
        self._outside = ZoneRules(ZonePolicy.VIOLATION, policy.confirm_s)
        self._zones = {each.name: self._zone(each) for each in zones}
        self._may_ignore = any(
            each.rules.ignores or each.otherwise.ignores for each in self._zones.values()
        )

    def of(self, zones: Sequence[ZoneSettings]) -> Zones:
        """Return others, under the same policy and by the same clock."""
        return Zones(zones, self._policy, self._local)

    def _zone(self, settings: ZoneSettings) -> _Zone:
        rules = ZoneRules(
            settings.policy,
            self._policy.confirm_s if settings.confirm_s is None else settings.confirm_s,
            settings.min_face_px or 0.0,
        )
        otherwise = replace(rules, policy=settings.otherwise)
        return _Zone(settings.name, settings.polygon, rules, otherwise, settings.times)

    def placed(self, frame: Frame, sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
        """Return the sightings in `frame`, each with its zone."""
        if not self._zones:
            return tuple(sightings)
        return tuple(
            replace(each, zone=self._at(frame, each.reading.face.box)) for each in sightings
        )

    def ignored(self, frame: Frame, faces: Sequence[TrackedFace]) -> frozenset[int]:
        """Return the tracks of those who are in an ignored zone now."""
        if not self._may_ignore:
            return frozenset()
        return frozenset(
            each.track_id
            for each in faces
            if self._rules_of(self._at(frame, each.face.box), frame.captured_at).ignores
        )

    def rules(self, sighting: Sighting) -> ZoneRules:
        """Return what holds for somebody who was placed."""
        return self._rules_of(sighting.zone, sighting.seen_at)

    def reports(self, name: str, at: datetime) -> bool:
        """Return whether a missing mask is reported in a zone then."""
        return self._rules_of(name, at).reports

    def _rules_of(self, name: str, at: datetime) -> ZoneRules:
        zone = self._zones.get(name)
        if zone is None:
            return self._outside
        if zone.hours is None or self._local is None:
            return zone.rules
        return zone.rules if zone.hours.contain(self._local(at)) else zone.otherwise

    def _at(self, frame: Frame, box: Box) -> str:
        x, y = box.centre
        point = (x / frame.width, y / frame.height)
        found = (name for name, zone in self._zones.items() if contains(zone.polygon, point))
        return next(found, OUTSIDE)


@dataclass(slots=True)
class Whereabouts:
    """Where one person was, and for how long."""

    seconds: dict[str, float] = field(default_factory=dict)
    """By zone, in the order in which he came there; without the ignored ones."""
    _zone: str | None = None
    """Where he was last; None: nowhere yet, or in an ignored zone."""
    _since_s: float = 0.0

    def note(self, zone: str | None, now_s: float) -> None:
        """He is there now; None: in an ignored zone."""
        if self._zone is not None:
            self.seconds[self._zone] += now_s - self._since_s
        if zone is not None:
            self.seconds.setdefault(zone, 0.0)
        self._zone, self._since_s = zone, now_s

    @property
    def longest(self) -> str:
        """The zone where he was longest."""
        return max(self.seconds, key=lambda zone: self.seconds[zone], default=OUTSIDE)


@dataclass(slots=True)
class Lasting:
    """Since when something has been so, but for breaks of less than `GRACE_S`."""

    since_s: float | None = None
    """None: it is not so."""
    _broken_s: float | None = None

    def note(self, is_so: bool, now_s: float) -> None:
        if self._broken_s is not None and now_s - self._broken_s >= GRACE_S:
            self.since_s = None
        if is_so:
            self._broken_s = None
            self.since_s = now_s if self.since_s is None else self.since_s
        elif self._broken_s is None:
            self._broken_s = now_s
