"""Life: a face that never changes is a picture on the wall, and nobody is reported for it.

People who do not walk sway, breathe and turn their heads. A poster does not, and neither does a
screen that shows one picture. So the small gray picture of each new face is compared with what was
there before: where it has changed beyond noise for a while, somebody lives there, and nothing is
compared any more. What has not is lifeless, for as long as it takes. Somebody who passes before a
poster changes it as well, but then it is again what it was.

Nothing follows from a source whose pictures have all been the same to the last bit: it is none
itself. One that has shown another may repeat a picture for long: encoders do in a quiet room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config import Polygon
from edge.records import Box, Frame, TrackedFace

AROUND = 0.15
"""Of a face's width and height, on each side: its outline moves against what is behind it."""
LEAST_SIDE_PX, MOST_SIDE_PX = 24, 48
"""The picture that is compared has a side of half the face's, within these: noise averages out."""
CHANGED_LEVELS = 4.0
NOISES = 1.2
"""A pixel has changed where it is outside of what its neighbors were, by more than these levels and
so many times the noise: so nothing changes where the camera trembles by a pixel of it."""
MOST_NOISE = 3.0
"""The noise is what half of the picture's pixels differ by; more is movement."""
CHANGED_SHARE = 0.02
"""So many pixels are no noise."""
BEGINS_S = 0.6
"""As long each look is compared with the one before: a poster that comes out from behind somebody
is not yet what it will be."""
LIVES_S = 0.4
"""How long a face must have been changed, less a share of the time in which it was not."""
STILL_WEIGHT = 0.1
STILLEST_S = 1.0
"""And no more than this is subtracted: who has stood like a statue may move at last."""
LOOK_S = 0.25
"""The time that one look stands for, at most."""
PROPOSED_S = 30.0
"""After so long the place of a lifeless face is proposed as an excluded area."""
MOST_PLACES = 8
"""No more are proposed at once."""
PLACE_MARGIN = 0.3
"""What is proposed is larger than the face by this share on each side."""


@dataclass(slots=True)
class _Face:
    """What is known of a face that has not been seen alive."""

    place: Box
    """Where it is compared, in pixels."""
    was: NDArray[np.float32]
    since_s: float
    looked_s: float
    changed_s: float = 0.0

    def look(self, frame: Frame, box: Box) -> bool:
        """Return whether the face is known to live."""
        now_s = frame.monotonic_s
        now = _picture_of(frame, self.place)
        elapsed_s = min(now_s - self.looked_s, LOOK_S)
        self.looked_s = now_s
        if _has_changed(self.was, now):
            self.changed_s += elapsed_s
        else:
            self.changed_s = max(self.changed_s - STILL_WEIGHT * elapsed_s, -STILLEST_S)
        if now_s - self.since_s < BEGINS_S:
            self.place, self.was = box, _picture_of(frame, box)
        return self.changed_s >= LIVES_S


class Life:
    """Knows which of the faces in sight have shown no sign of life."""

    def __init__(self) -> None:
        self._faces: dict[int, _Face | None] = {}
        """None: lives."""
        self._sample: NDArray[np.uint8] | None = None
        self._is_live = False
        """Whether the source has given two pictures that differ, be it by noise only."""
        self.places: tuple[Polygon, ...] = ()
        """Where lifeless faces have been for long: polygons in fractions of the picture, as
        `[detector] excluded` takes them."""

    def lifeless(
        self,
        frame: Frame,
        tracked: Sequence[TrackedFace],
        ended: Sequence[int],
        returned: Sequence[int] = (),
    ) -> frozenset[int]:
        """Return which of the tracks may be pictures; those that `returned` may be others now."""
        self.forget(ended)
        for track_id in returned:
            # Behind somebody who has left there may be a poster. One that comes back is the same.
            if self._faces.get(track_id, True) is None:
                del self._faces[track_id]
        self._note_liveness(frame)
        for each in tracked:
            self._look(frame, each)
        if not self._is_live:
            return frozenset()
        self.places = self._proposed(frame)
        return frozenset(each.track_id for each in tracked if self._faces[each.track_id])

    def finish(self, ended: Sequence[int]) -> None:
        """Everybody has left: the source is over, or a pause begins."""
        self.forget(ended)
        self.places = ()

    def forget(self, ended: Sequence[int]) -> None:
        """Drop what is known of those who have left."""
        for track_id in ended:
            self._faces.pop(track_id, None)

    def _look(self, frame: Frame, each: TrackedFace) -> None:
        box = each.face.box
        if each.track_id not in self._faces:
            was = _picture_of(frame, box)
            now_s = frame.monotonic_s
            self._faces[each.track_id] = _Face(box, was, now_s, now_s)
            return
        face = self._faces[each.track_id]
        if face is not None and face.look(frame, box):
            self._faces[each.track_id] = None

    def _note_liveness(self, frame: Frame) -> None:
        if self._is_live:
            return
        sample = frame.pixels[::4, ::4].copy()
        self._is_live = self._sample is not None and not np.array_equal(self._sample, sample)
        self._sample = sample

    def _proposed(self, frame: Frame) -> tuple[Polygon, ...]:
        now_s = frame.monotonic_s
        long = [each for each in self._faces.values() if each and now_s - each.since_s > PROPOSED_S]
        return tuple(_polygon(each.place, frame) for each in long[:MOST_PLACES])


def _picture_of(frame: Frame, box: Box) -> NDArray[np.float32]:
    """Return the small picture of a face: gray, without its light and contrast."""
    around = box.grown(AROUND)
    size = max(2, round(around.width)), max(2, round(around.height))
    # Beyond the edge of the picture this repeats the edge.
    cut = cv2.cvtColor(cv2.getRectSubPix(frame.pixels, size, around.centre), cv2.COLOR_BGR2GRAY)
    side = round(min(max(box.size_px / 2, LEAST_SIDE_PX), MOST_SIDE_PX))
    small = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.blur(small, (3, 3)), np.float32)


def _has_changed(before: NDArray[np.float32], now: NDArray[np.float32]) -> bool:
    """Return whether a face shows something else, whatever the light does."""
    contrast = float(before.std()) / max(float(now.std()), 1.0)
    now = (now - now.mean()) * contrast + before.mean()
    noise = min(float(np.median(cv2.absdiff(before, now))), MOST_NOISE)
    least = CHANGED_LEVELS + NOISES * noise
    neighbors = np.ones((3, 3), np.uint8)
    changed = now > cv2.dilate(before, neighbors) + least
    changed |= now < cv2.erode(before, neighbors) - least
    return bool(changed.mean() >= CHANGED_SHARE)


def _polygon(box: Box, frame: Frame) -> Polygon:
    place = box.grown(PLACE_MARGIN).clipped(frame.width, frame.height) or box
    left, top, right, bottom = place.scaled(1 / frame.width, 1 / frame.height).sides
    corners = (left, top), (right, top), (right, bottom), (left, bottom)
    return tuple((round(x, 3), round(y, 3)) for x, y in corners)
