"""A few small pictures of each person in sight, to be labeled; see `edge.daemon.labels`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.observers import Judged
from edge.privacy.heads import FindFaces, Held
from edge.privacy.picture import close_up
from edge.qualify.labels import LabelPicture
from edge.records import Box, Face, Frame

EACH = 2
"""Pictures of a person: those with the largest face."""
APART_S = 0.7
"""Two pictures of the same person are taken so far apart."""
LARGER = 1.1
"""By this factor a face has to be larger for one more picture than there is room for."""
WORK_EVERY_S = 0.25
"""Frames in which heads are searched are so far apart."""
GONE_S = 30.0
"""So long after a person was last in sight the pictures are kept."""
LEFT, ABOVE, BELOW = 2.5, 1.5, 4.0
"""What a picture shows around a face, in widths and heights of it: coat and bag, to tell who it
is."""
LONGEST_SIDE_PX = 360
MAX_BYTES = 20_000
OVERLAP = 0.3
"""Intersection over union from which on it is the same head."""


@dataclass(slots=True)
class _Kept:
    taken_s: float = -math.inf
    seen_s: float = -math.inf
    pictures: list[tuple[float, LabelPicture]] = field(default_factory=list)
    """With the size of the face, the largest first."""


class PeoplePictures:
    """Takes them from frames that were judged. For one thread."""

    def __init__(self, find: FindFaces, *, uncovers: bool) -> None:
        """`uncovers`: have each picture also with the person's own head as it is."""
        self._find = find
        self._found: Sequence[Box] = ()
        self._held = Held(lambda frame: self._found)
        self._uncovers = uncovers
        self._worked_s = -math.inf
        self._people: dict[int, _Kept] = {}

    def note(self, judged: Judged) -> None:
        """Take pictures of the people in a frame, if it is time. Raises cv2.error."""
        frame, outcome = judged.frame, judged.outcome
        now_s = frame.monotonic_s
        self._people = {
            track_id: kept
            for track_id, kept in self._people.items()
            if now_s - kept.seen_s < GONE_S
        }
        wanted = []
        for each in outcome.sightings:
            box = each.reading.face.box
            kept = self._people.setdefault(each.track_id, _Kept())
            kept.seen_s = now_s
            if self._is_wanted(kept, box, now_s):
                wanted.append((kept, box))
        if not wanted or now_s - self._worked_s < WORK_EVERY_S:
            return
        self._worked_s = now_s
        self._found = self._find(frame)
        known = [each.reading.face.box for each in (*outcome.sightings, *outcome.ignored)]
        others: tuple[Face, ...] = outcome.outside or ()
        known += [each.face.box for each in outcome.denied] + [each.box for each in others]
        now, lately = [*known, *self._found], [*known, *self._held(frame)]
        for kept, box in wanted:
            kept.taken_s = now_s
            kept.pictures.append((box.size_px, self._picture(frame, box, now, lately)))
            kept.pictures.sort(key=lambda each: -each[0])
            del kept.pictures[EACH:]

    def of(self, track_id: int) -> tuple[LabelPicture, ...]:
        """Return those of a person who has left, and forget them here."""
        kept = self._people.pop(track_id, None)
        return () if kept is None else tuple(picture for _, picture in kept.pictures)

    def _is_wanted(self, kept: _Kept, box: Box, now_s: float) -> bool:
        if now_s - kept.taken_s < APART_S:
            return False
        return len(kept.pictures) < EACH or box.size_px > LARGER * kept.pictures[-1][0]

    def _picture(
        self, frame: Frame, face: Box, now: Sequence[Box], lately: Sequence[Box]
    ) -> LabelPicture:
        part = Box(
            face.left - LEFT * face.width,
            face.top - ABOVE * face.height,
            face.right + LEFT * face.width,
            face.bottom + BELOW * face.height,
        )
        covered = close_up(frame, part, lately, LONGEST_SIDE_PX, MAX_BYTES)
        if not self._uncovers:
            return LabelPicture(covered)
        others = [each for each in now if not _is_same(face, each)]
        return LabelPicture(covered, close_up(frame, part, others, LONGEST_SIDE_PX, MAX_BYTES))


def _is_same(face: Box, head: Box) -> bool:
    """Return whether both are of one person. What is not sure stays covered."""
    return face.iou(head) >= OVERLAP or (_holds(face, head) and _holds(head, face))


def _holds(one: Box, other: Box) -> bool:
    """Return whether the center of `other` is in `one`."""
    x, y = other.centre
    return one.left < x < one.right and one.top < y < one.bottom
