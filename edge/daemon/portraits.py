"""A few small pictures of each person in sight, to be labeled; see `edge.daemon.labels`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.config import ClassifierSettings
from edge.observers import Judged
from edge.page.scene import InSight
from edge.privacy.heads import AGAIN, GROWTH, HOLD_S, FindFaces
from edge.privacy.picture import close_up
from edge.qualify.labels import LabelPicture
from edge.records import Box, Frame

EACH = 2
"""Pictures of a person: those with the largest face."""
APART_S = 0.7
"""Two pictures of the same person are taken so far apart."""
LARGER = 1.1
"""By this factor a face has to be larger for one more picture than there is room for."""
LOOK_EVERY_S = 0.25
"""Frames in which heads are searched are so far apart, as in the live view."""
SOON_S = 0.1
"""And so far where a picture of somebody is wanted: the road sees nobody in most frames."""
LOOKS = 2
"""From so many looks on a picture may be taken: one of them may miss a head."""
PATIENCE_S = 1.5
"""On a device that searches slowly the look before is held so long, the others HOLD_S."""
GONE_S = 30.0
"""So long after a person was last in sight the pictures are kept."""
LEFT, ABOVE, BELOW = 2.5, 1.5, 4.0
"""What a picture shows around a face, in widths and heights of it: coat and bag, to tell who it
is."""
LONGEST_SIDE_PX = 360
MAX_BYTES = 20_000


@dataclass(slots=True)
class _Kept:
    due_s: float = -math.inf
    """When the next picture may be taken."""
    seen_s: float = -math.inf
    pictures: list[tuple[float, LabelPicture]] = field(default_factory=list)
    """With the size of the face, the largest first; 0: the face should be shown, and is not."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a search found, each head with the track of the person whose it surely is."""

    at_s: float
    found: Sequence[tuple[int | None, Box]]


class PeoplePictures:
    """Takes them from frames that were judged. For one thread.

    What the live view covers is covered here, too: where people were seen last, what a search
    finds, and what earlier ones have found in the last half second. So heads are searched all the
    time while somebody is in sight, not only for a picture.
    """

    def __init__(self, find: FindFaces, *, uncovers: bool) -> None:
        """`uncovers`: have each picture also with the person's own head as it is."""
        self._find = find
        self._uncovers = uncovers
        self._in_sight = InSight(ClassifierSettings())  # of which only the places are used
        self._looks: deque[_Look] = deque()
        self._people: dict[int, _Kept] = {}

    def note(self, judged: Judged) -> None:
        """Take pictures of the people in a frame, if it is time. Raises cv2.error."""
        frame, outcome = judged.frame, judged.outcome
        now_s = frame.monotonic_s
        self._in_sight.note(frame, outcome)
        self._people = {
            track_id: kept
            for track_id, kept in self._people.items()
            if now_s - kept.seen_s < GONE_S
        }
        for each in outcome.sightings:
            self._people.setdefault(each.track_id, _Kept()).seen_s = now_s
        wanted = [
            (kept, each.track_id, each.reading.face.box)
            for each in outcome.sightings
            if self._is_wanted(kept := self._people[each.track_id], each.reading.face.box, now_s)
        ]
        if not self._look(frame, SOON_S if wanted else LOOK_EVERY_S):
            return
        for kept, track_id, box in wanted:
            picture = self._picture(frame, track_id, box)
            if picture.uncovered or not self._uncovers:
                size_px, kept.due_s = box.size_px, now_s + APART_S
            else:
                size_px, kept.due_s = 0.0, now_s + LOOK_EVERY_S
            kept.pictures.append((size_px, picture))
            kept.pictures.sort(key=lambda each: -each[0])
            del kept.pictures[EACH:]

    def of(self, track_id: int) -> tuple[LabelPicture, ...]:
        """Return those of a person who has left, and forget them here."""
        kept = self._people.pop(track_id, None)
        return () if kept is None else tuple(picture for _, picture in kept.pictures)

    def clear(self) -> None:
        """Forget everybody."""
        self._people.clear()
        self._looks.clear()
        self._in_sight.clear()

    def _look(self, frame: Frame, every_s: float) -> bool:
        """Search heads, if the last time is so long ago; return whether a picture may be taken."""
        now_s = frame.monotonic_s
        while self._looks:
            held_s = HOLD_S if len(self._looks) > 1 else PATIENCE_S
            if 0 <= now_s - self._looks[0].at_s <= held_s:
                break
            self._looks.popleft()
        if not self._in_sight.people:
            return False
        if self._looks and now_s - self._looks[-1].at_s < every_s:
            return False
        self._looks.append(_Look(now_s, _owned(self._find(frame), self._in_sight.placed)))
        return len(self._looks) >= LOOKS

    def _is_wanted(self, kept: _Kept, box: Box, now_s: float) -> bool:
        if now_s < kept.due_s:
            return False
        return len(kept.pictures) < EACH or box.size_px > LARGER * kept.pictures[-1][0]

    def _picture(self, frame: Frame, track_id: int, face: Box) -> LabelPicture:
        part = Box(
            face.left - LEFT * face.width,
            face.top - ABOVE * face.height,
            face.right + LEFT * face.width,
            face.bottom + BELOW * face.height,
        )
        heads = self._heads(frame.monotonic_s)
        everybody = [cover for _, _, cover in heads]
        covered = close_up(frame, part, everybody, LONGEST_SIDE_PX, MAX_BYTES)
        others = [(box, cover) for owner, box, cover in heads if owner != track_id]
        # Whose a head is that overlaps this one is not sure enough to show either.
        if not self._uncovers or any(box.iou(face) > 0 for box, _ in others):
            return LabelPicture(covered)
        covers = [cover for _, cover in others]
        return LabelPicture(covered, close_up(frame, part, covers, LONGEST_SIDE_PX, MAX_BYTES))

    def _heads(self, now_s: float) -> Sequence[tuple[int | None, Box, Box]]:
        """Return all heads that are to be covered now: whose each is, where it was, and, grown by
        how far it may have moved since, where it may be. Found again, it is not held."""
        now = self._looks[-1].found
        held = (
            (owner, box, box.grown(GROWTH * (now_s - look.at_s)))
            for look in self._looks
            for owner, box in look.found
            if look.at_s == now_s
            or not any(who == owner and box.iou(each) >= AGAIN for who, each in now)
        )
        return (*((owner, box, box) for owner, box in self._in_sight.placed), *held)


def _owned(
    found: Sequence[Box], placed: Sequence[tuple[int | None, Box]]
) -> Sequence[tuple[int | None, Box]]:
    """Return each head that was found with the track whose place it matches best, and which it
    matches best; None: it is nobody's, or it is not sure whose."""
    pairs = sorted(
        (
            (overlap, head, place)
            for head, box in enumerate(found)
            for place, (_, there) in enumerate(placed)
            if (overlap := box.iou(there)) >= AGAIN
        ),
        reverse=True,
    )
    owners: dict[int, int | None] = {}
    taken: set[int] = set()
    for _, head, place in pairs:
        if head not in owners and place not in taken:
            owners[head] = placed[place][0]
            taken.add(place)
    return [(owners.get(head), box) for head, box in enumerate(found)]
