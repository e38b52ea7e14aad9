"""Look: which of the faces in a frame are judged.

A look is the dearest thing that one more person costs. New and doubtful faces are looked at as
often as they are found; a person whose looks have agreed for a while is known, and is looked at
again once every `recheck_s`. A look that is unsure or disagrees ends that. What is judged less
often weighs no less: evidence goes by time (`edge.decide.evidence`). In a crowd, where not
everybody's turn comes in time, people who looked bare come first, those who looked masked last, and
of two who are new the larger first; only what may be nobody queues behind those who wait already.

A network may also say that there is nobody: a hand, the back of a head. Then a track is somebody
once a look, or before the first look the detector, is sure of a face. Where looks say nobody, it is
nobody until one look is sure of a face again; looks come after growing pauses, and at once where
the track moves, changes its size, or the detector becomes sure of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from edge.config import ClassifierSettings
from edge.plan import USUAL
from edge.records import Face, Frame, MaskReading, Sighting, TrackedFace

SURE = 0.8
"""A look is sure from this probability that mouth and nose are not covered, and of a mask from one
minus it."""
SETTLED_S = 1.2
"""How long sure looks must agree until the person is known: longer than a violation takes to be
confirmed, so that this comes no later than with looks at every frame."""
SETTLED_LOOKS = 4
"""And this many of them: in a crowd there may be seconds between two."""
URGENT_S = 0.25
"""Who looks bare is looked at again before all others after this time: more often adds nothing to
the evidence."""
URGENT_LOOKS = 6
"""But not for ever, or the doubtful would take everybody's turn: a violation takes five."""
MASKED_LATER_S = 3.0
"""How much longer than the others they wait, if somebody has to."""
NOBODY = 0.5
"""A look from this probability on says that there is no face."""
GONE_LOOKS = 2
"""As many of them in a row make nobody of somebody: heads turn, and pictures blur."""
PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""After each of them in a row the next look waits longer."""
LATE_S = SETTLED_S / SETTLED_LOOKS
"""A look that waits longer because of other people is late: the person is not known as soon as
somebody alone would be."""
IGNORED_S = 5.0
"""Somebody whom nobody judges is looked at this often, only to know that there is a face."""
CROWDED_S = 1.0
"""So long after a late look it is called crowded."""
RESIZED = 1.4
"""A face that is wider or narrower by this factor is not the one that was looked at."""


class MaskJudge(Protocol):
    """Who looks: `MaskClassifier`."""

    def classify(self, frame: Frame, faces: Sequence[Face]) -> Sequence[MaskReading]: ...


@dataclass(slots=True)
class _Presence:
    """Whether a track is somebody."""

    is_detected: bool = False
    """The detector was sure of a face."""
    is_seen: bool = False
    """So was a look."""
    denials: int = 0
    """How many of the last looks said that there is no face, without one that was sure of it."""
    denied: Face | None = None
    """Where and how it was at the last of them."""

    @property
    def is_somebody(self) -> bool:
        if self.is_seen:
            return self.denials < GONE_LOOKS
        return self.is_detected and not self.denials

    @property
    def pause_s(self) -> float:
        """How long the last look is believed."""
        repeated = self.denials - (GONE_LOOKS if self.is_seen else 1)
        return PAUSES_S[min(repeated, len(PAUSES_S) - 1)] if repeated >= 0 else 0.0

    def deny(self, face: Face) -> None:
        self.denials += 1
        self.denied = face

    def confirm(self) -> None:
        self.is_seen, self.denials, self.denied = True, 0, None

    def has_changed(self, face: Face, sure_confidence: float) -> bool:
        """Return whether `face` is not what the last look denied."""
        if self.denied is None:
            return False
        before, now = self.denied.box, face.box
        return (
            math.dist(before.centre, now.centre) > before.width
            or not 1 / RESIZED <= now.width / before.width <= RESIZED
            or self.denied.confidence < sure_confidence <= face.confidence
        )


@dataclass(slots=True)
class _Impression:
    """What the looks at one person have said so far."""

    since_there_s: float
    due_s: float = -math.inf
    looked_s: float = -math.inf
    bare_looks: int = 0
    """How many of the last ones in a row thought so, sure or not."""
    is_bare: bool | None = None
    """What the last looks were sure of; None: of nothing."""
    since_s: float = 0.0
    agreed: int = 0
    """How many of them."""
    presence: _Presence = field(default_factory=_Presence)

    def is_urgent(self, now_s: float) -> bool:
        """Return whether a violation may wait for the next look."""
        return 0 < self.bare_looks < URGENT_LOOKS and now_s - self.looked_s >= URGENT_S

    def take_in(self, probability: float | None, now_s: float, recheck_s: float) -> None:
        self.due_s = self.looked_s = now_s
        if probability is None:
            # Who cannot be judged any more is not waited for: it counts as one of these looks.
            self.bare_looks += self.bare_looks > 0
            return
        self.bare_looks = self.bare_looks + 1 if probability > 0.5 else 0
        is_bare = True if probability >= SURE else False if probability <= 1 - SURE else None
        if is_bare is None or is_bare is not self.is_bare:
            self.is_bare, self.since_s, self.agreed = is_bare, now_s, 0
        self.agreed += 1
        if self.agreed >= SETTLED_LOOKS and now_s - self.since_s >= SETTLED_S:
            self.due_s += recheck_s


class Attention:
    """Turns tracked faces into sightings, looking at those that are worth it."""

    def __init__(
        self,
        judge: MaskJudge,
        settings: ClassifierSettings,
        sure_confidence: float = 0.0,
        somebody: float | None = None,
    ) -> None:
        """From `sure_confidence` on the detector is sure of a face, from the surety `somebody` on a
        look; None: the network does not tell, and every track is somebody."""
        self._judge = judge
        self._settings = settings
        self._sure_confidence = sure_confidence
        self._somebody = somebody
        self.plan = USUAL
        self._impressions: dict[int, _Impression] = {}
        self._late_s = -math.inf
        self.looks = 0

    @property
    def known(self) -> int:
        """How many people are remembered."""
        return len(self._impressions)

    def is_crowded(self, now_s: float) -> bool:
        """Return whether a look at somebody is late, or was lately: there are more people than
        `looks_per_frame` serves. Who passes meanwhile may be gone before the verdict."""
        return now_s - self._late_s < CROWDED_S

    def look(
        self,
        frame: Frame,
        tracked: Sequence[TrackedFace],
        ended: Sequence[int],
        ignored: Collection[int] = (),
    ) -> tuple[Sighting, ...]:
        """Return a sighting of each face that is somebody's, in their order; what was known of
        `ended` tracks, or of those that may be somebody else's now, is forgotten. `ignored` ones
        are in a place where nobody is judged, and take nobody's turn."""
        self.forget(ended)
        now_s = frame.monotonic_s
        chosen = self._chosen(tracked, now_s, ignored)
        readings = self._judge.classify(frame, [each.face for each in chosen])
        self.looks += len(readings)
        judged: dict[int, MaskReading] = {}
        for each, reading in zip(chosen, readings, strict=True):
            judged[each.track_id] = self._taken_in(each.track_id, reading, now_s)
        sightings = []
        for each in filter(self._is_somebody, tracked):
            reading = judged.get(each.track_id) or MaskReading(each.face, None)
            is_sure = self._is_sure(reading)
            sightings.append(Sighting(each.track_id, reading, frame.captured_at, now_s, is_sure))
        return tuple(sightings)

    def _taken_in(self, track_id: int, reading: MaskReading, now_s: float) -> MaskReading:
        """Return what counts of a look: nobody's mask says nothing."""
        impression = self._impressions[track_id]
        presence = impression.presence
        if reading.nobody >= NOBODY:
            presence.deny(reading.face)
            reading = replace(reading, probabilities=None)
        elif self._is_sure(reading):
            presence.confirm()
        impression.take_in(reading.uncovered_probability, now_s, self._settings.recheck_s)
        if reading.probabilities is None:
            impression.due_s += presence.pause_s
        return reading

    def _is_sure(self, reading: MaskReading) -> bool:
        """Return whether a face is sure enough for a violation: a look, where looks tell."""
        if self._somebody is None:
            return reading.face.confidence >= self._sure_confidence
        return reading.probabilities is not None and reading.surety >= self._somebody

    def _is_somebody(self, tracked: TrackedFace) -> bool:
        presence = self._impressions[tracked.track_id].presence
        presence.is_detected |= tracked.face.confidence >= self._sure_confidence
        return self._somebody is None or presence.is_somebody

    def forget(self, ended: Sequence[int]) -> None:
        """These people have left."""
        for track_id in ended:
            self._impressions.pop(track_id, None)

    def _first(self, tracked: TrackedFace, now_s: float) -> _Impression:
        """Return that of somebody new, who comes before all others; what may be nobody does not."""
        is_doubtful = self._somebody is not None and tracked.face.confidence < self._sure_confidence
        return _Impression(now_s, due_s=now_s) if is_doubtful else _Impression(now_s)

    def _chosen(
        self, tracked: Sequence[TrackedFace], now_s: float, ignored: Collection[int]
    ) -> list[TrackedFace]:
        """Return the faces to look at: urgent ones, then those due longest, the larger first, and
        at last those of ignored people."""
        due = []
        for each in tracked:
            impression = self._impressions.get(each.track_id)
            if impression is None:
                impression = self._impressions[each.track_id] = self._first(each, now_s)
            is_ignored = each.track_id in ignored
            if is_ignored and now_s - impression.looked_s < IGNORED_S:
                continue
            if impression.due_s <= now_s or impression.presence.has_changed(
                each.face, self._sure_confidence
            ):
                waits_s = MASKED_LATER_S if impression.is_bare is False else 0.0
                due.append(
                    (
                        is_ignored,
                        not impression.is_urgent(now_s),
                        impression.due_s + waits_s,
                        -each.face.box.size_px,
                        each.track_id,
                        each,
                    )
                )
        most = self._settings.looks_per_frame or self.plan.looks_per_frame
        due.sort()
        for is_ignored, _, wanted_s, *_, each in due[most:]:
            if not is_ignored and self._is_late(each, wanted_s, now_s):
                self._late_s = now_s
        return [each for *_, each in due[:most]]

    def _is_late(self, tracked: TrackedFace, wanted_s: float, now_s: float) -> bool:
        """Return whether the look that somebody goes without now is late: nobody's never is."""
        impression = self._impressions[tracked.track_id]
        is_somebody = self._somebody is None or impression.presence.is_somebody
        return is_somebody and now_s - max(wanted_s, impression.since_there_s) > LATE_S
