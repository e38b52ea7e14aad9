"""Look: which of the faces in a frame are judged.

A look is the dearest thing that one more person costs. New and doubtful faces are looked at as
often as they are found; a person whose looks have agreed for a while is known, and is looked at
again once every `recheck_s`. A look that is unsure or disagrees ends that. What is judged less
often weighs no less: evidence goes by time (`edge.decide.evidence`). In a crowd, where not
everybody's turn comes in time, people who looked bare come first, those who looked masked last, and
of two who are new the larger first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.config import ClassifierSettings
from edge.records import Face, Frame, MaskReading, Sighting, TrackedFace

SURE = 0.8
"""A look is sure of a bare face from this probability, and of a mask from one minus it."""
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


class MaskJudge(Protocol):
    """Who looks: `MaskClassifier`."""

    def classify(self, frame: Frame, faces: Sequence[Face]) -> Sequence[MaskReading]: ...


@dataclass(slots=True)
class _Impression:
    """What the looks at one person have said so far."""

    due_s: float = -math.inf
    looked_s: float = -math.inf
    bare_looks: int = 0
    """How many of the last ones in a row thought so, sure or not."""
    is_bare: bool | None = None
    """What the last looks were sure of; None: of nothing."""
    since_s: float = 0.0
    agreed: int = 0
    """How many of them."""

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

    def __init__(self, judge: MaskJudge, settings: ClassifierSettings) -> None:
        self._judge = judge
        self._settings = settings
        self._impressions: dict[int, _Impression] = {}
        self.looks = 0

    @property
    def known(self) -> int:
        """How many people are remembered."""
        return len(self._impressions)

    def look(
        self, frame: Frame, tracked: Sequence[TrackedFace], ended: Sequence[int]
    ) -> tuple[Sighting, ...]:
        """Return a sighting of each face, in their order; what was known of `ended` tracks, or of
        those that may be somebody else's now, is forgotten."""
        self.forget(ended)
        now_s = frame.monotonic_s
        chosen = self._chosen(tracked, now_s)
        readings = self._judge.classify(frame, [each.face for each in chosen])
        self.looks += len(readings)
        judged: dict[int, MaskReading] = {}
        for each, reading in zip(chosen, readings, strict=True):
            judged[each.track_id] = reading
            impression = self._impressions[each.track_id]
            impression.take_in(reading.bare_probability, now_s, self._settings.recheck_s)
        return tuple(
            Sighting(
                each.track_id,
                judged.get(each.track_id) or MaskReading(each.face, None),
                frame.captured_at,
                now_s,
            )
            for each in tracked
        )

    def forget(self, ended: Sequence[int]) -> None:
        """These people have left."""
        for track_id in ended:
            self._impressions.pop(track_id, None)

    def _chosen(self, tracked: Sequence[TrackedFace], now_s: float) -> list[TrackedFace]:
        """Return the faces to look at: urgent ones, then those due longest, the larger first."""
        due = []
        for each in tracked:
            impression = self._impressions.setdefault(each.track_id, _Impression())
            if impression.due_s <= now_s:
                waits_s = MASKED_LATER_S if impression.is_bare is False else 0.0
                due.append(
                    (
                        not impression.is_urgent(now_s),
                        impression.due_s + waits_s,
                        -each.face.box.size_px,
                        each.track_id,
                        each,
                    )
                )
        return [each for *_, each in sorted(due)[: self._settings.looks_per_frame]]
