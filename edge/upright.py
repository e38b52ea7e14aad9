"""Upright: on a camera that hangs upside down or on its side nobody is judged.

A detector finds many faces however they are turned, and a mask that is upside down reads as a bare
face. So a face that looks unmasked is cut out and scored by the detector in all four positions
before the look counts, and now and then any other. Where another position is clearly better, the
face is turned, and cannot be judged. Where several people's are, or one person's repeatedly,
so is the camera: it is said, and nobody is judged until faces are upright again.

Of 121 faces of street and press pictures in upright pictures none is called turned, of 46 in the
same pictures upside down 89 %, in 9 and 12 on either side all and 83 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from edge.pixels import resize
from edge.records import Box, Face, Frame, MaskReading, Pixels, Sighting

CROP_MARGIN = 2.4
"""Side of what is cut out, as a multiple of the face's: with hair, chin and shoulders."""
CROP_PX = 160
"""It is scaled to this; the four positions side by side are one scan of twice as many."""
CLEARLY = 0.05
"""By so much another position scores better where a face is turned."""
LEAST_PX = 24
"""A smaller face tells nothing of the camera."""
VOTE_EVERY_S = 3.0
"""As often one person counts for how the camera hangs."""
NEEDED = 3
"""More votes for one position than for others, until the camera is said to hang so."""
MOST_VOTES = 6
CLEARED = 2
"""More upright than turned scores, until a person's looks count without them; one, once it is known
that the camera hangs well."""
DOUBT_S = 1.0
CALM_S = 60.0
"""As often a face is scored that looks masked: while something hints at a turned camera, and
while nothing does."""
UNMASKED = 0.5


class Finder(Protocol):
    """A face detector."""

    sure: float

    def find(self, pixels: Pixels) -> tuple[Face, ...]: ...


@dataclass(slots=True)
class _Person:
    turned: int = 0
    """Scores that were better turned, less the others."""
    scored: int = 0
    voted_s: float = -math.inf


class Upright:
    """Holds back what looks at turned faces say, and finds out whether the camera is turned."""

    def __init__(self, detector: Finder, rotation_deg: int = 0) -> None:
        """By `rotation_deg`, clockwise, the camera's pictures are turned already."""
        self._detector = detector
        self._rotation_deg = rotation_deg
        self._people: dict[int, _Person] = {}
        self._votes = [0, 0, 0, 0]
        """For each position but the first: by how many quarters a picture is to be turned."""
        self._quarters = 0
        self._due_s = -math.inf
        self.scores = 0
        """How many faces were scored."""

    @property
    def rotation_wanted_deg(self) -> int | None:
        """What `[camera] rotation_deg` should be; None: faces are upright, or nothing is known."""
        if not self._quarters:
            return None
        return (self._rotation_deg + 90 * self._quarters) % 360

    def hold_back(
        self, frame: Frame, sightings: Sequence[Sighting], ended: Sequence[int]
    ) -> tuple[Sighting, ...]:
        """Return the sightings, those of turned faces without what the look said."""
        self.forget(ended)
        for each in sightings:
            self._people.setdefault(each.track_id, _Person())
        chosen = self._chosen(sightings, frame.monotonic_s)
        if chosen is not None:
            self._score(frame, chosen)
        return tuple(
            each
            if self._counts(each, chosen)
            else replace(each, reading=MaskReading(each.reading.face, None))
            for each in sightings
        )

    def start_over(self) -> None:
        """Drop what is known of the camera: it may have been turned."""
        self._votes, self._quarters, self._due_s = [0, 0, 0, 0], 0, -math.inf

    def forget(self, ended: Sequence[int]) -> None:
        """Drop what is known of people who have left."""
        for track_id in ended:
            self._people.pop(track_id, None)

    def _chosen(self, sightings: Sequence[Sighting], now_s: float) -> Sighting | None:
        """Return whose face is scored: of the unmasked ones the one that was least, else any."""
        doubtful = [] if self._quarters else [each for each in sightings if self._is_open(each)]
        if doubtful:
            return min(doubtful, key=lambda each: self._people[each.track_id].scored)
        if now_s < self._due_s:
            return None
        telling = [
            each
            for each in sightings
            if each.reading.face.confidence >= self._detector.sure
            and each.reading.face.box.size_px >= LEAST_PX
            and now_s - self._people[each.track_id].voted_s >= VOTE_EVERY_S
        ]
        return min(telling, key=lambda each: self._people[each.track_id].voted_s, default=None)

    def _is_open(self, sighting: Sighting) -> bool:
        """Return whether it looks unmasked, and it is not known whether the face is turned."""
        person = self._people[sighting.track_id]
        return _is_unmasked(sighting) and not self._is_cleared(person) and person.turned <= CLEARED

    def _is_cleared(self, person: _Person) -> bool:
        return person.turned <= (-1 if self._hangs_well else -CLEARED)

    @property
    def _hangs_well(self) -> bool:
        return max(self._votes[1:]) <= -NEEDED

    def _counts(self, sighting: Sighting, chosen: Sighting | None) -> bool:
        person = self._people[sighting.track_id]
        if self._quarters or person.turned > 0:
            return False
        if not _is_unmasked(sighting) or self._hangs_well or self._is_cleared(person):
            return True
        return sighting is chosen

    def _score(self, frame: Frame, sighting: Sighting) -> None:
        now_s, person = frame.monotonic_s, self._people[sighting.track_id]
        scores = scores_turned(self._detector, frame.pixels, sighting.reading.face.box)
        best = scores.index(max(scores))
        quarters = best if scores[best] - scores[0] > CLEARLY else 0
        self.scores += 1
        person.scored += 1
        person.turned += 1 if quarters else -1
        person.turned = min(max(person.turned, -CLEARED), CLEARED + 1)
        # What is surely a face in no position tells nothing of the camera.
        if scores[best] >= self._detector.sure and now_s - person.voted_s >= VOTE_EVERY_S:
            person.voted_s = now_s
            self._vote(quarters)
        self._due_s = now_s + (DOUBT_S if max(self._votes[1:]) > 0 else CALM_S)

    def _vote(self, quarters: int) -> None:
        for each in (1, 2, 3):
            votes = self._votes[each] + (1 if each == quarters else -1)
            self._votes[each] = min(max(votes, -MOST_VOTES), MOST_VOTES)
        best = self._votes.index(max(self._votes[1:]), 1)
        if self._votes[best] >= NEEDED:
            self._quarters = best
        elif self._votes[self._quarters] <= 0:
            self._quarters = 0


def scores_turned(detector: Finder, pixels: Pixels, box: Box) -> list[float]:
    """Return how surely the picture around `box` is a face, turned clockwise by no quarter to three
    of them; 0: nothing is found."""
    side = max(2, round(CROP_MARGIN * max(box.width, box.height)))
    # Beyond the edge of the picture this repeats the edge.
    around = np.asarray(cv2.getRectSubPix(pixels, (side, side), box.centre), np.uint8)
    crop = resize(around, (CROP_PX, CROP_PX))
    first, second, third, fourth = (np.rot90(crop, -quarters) for quarters in range(4))
    scores = [0.0] * 4
    for face in detector.find(np.vstack((np.hstack((first, second)), np.hstack((third, fourth))))):
        x, y = face.box.centre
        position = int(x >= CROP_PX) + 2 * int(y >= CROP_PX)
        scores[position] = max(scores[position], face.confidence)
    return scores


def _is_unmasked(sighting: Sighting) -> bool:
    probability = sighting.reading.uncovered_probability
    return probability is not None and probability >= UNMASKED
