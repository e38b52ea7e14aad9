"""Track: which face belongs to which person.

A track predicts where its face is next, at constant velocity, and is continued by the face that
overlaps the prediction most. Boxes are compared with a buffer around them (buffered IoU, Yang et
al., 2023): a face that moves by its own width between two scans still meets its track.

Somebody who stands still may be hidden for seconds, or the camera may be away. A track that
stood still is kept for so long, apart from those in sight: only a face that nobody else's track
takes, found surely, at the same place and in the same size, and found there again a moment later,
continues it. Somebody who just passes by is elsewhere by then.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.clock import FrameInterval
from edge.config import TrackerSettings
from edge.records import Box, Face, Frame, TrackedFace

BUFFER = 0.5
"""Added on each side, as a share of the box's width and height."""
FIRST_BUFFER = 1.0
"""The same for a face that was seen once, whose velocity is not known yet."""
VELOCITY_MEMORY_S = 0.3
"""How slowly the velocity follows: below a change of pace, above a detector's jitter."""
MAX_PREDICTION_S = 1.3
"""A face that is missing longer is expected where it would have been by then. So long may somebody
far away wait for the next close-up, where others are far away too."""
SAME_PLACE = 0.6
"""Two faces are at the same place where their centers are apart by this share of the narrower one's
width at most."""
SAME_SIZE = 1.4
"""And where neither is wider than the other by more than this factor."""
STILL_S = 1.0
"""How long somebody must be at the same place to count as standing still."""
RETURN_S = 0.3
RETURN_PLACE = 0.25
"""How long a face stays there, not moving by this share of its width, before it is theirs."""
MAX_TRACKS = 256
"""More faces than fit into a frame: the bound on memory, not a setting."""


@dataclass(slots=True)
class _Track:
    id: int
    box: Box
    seen_s: float
    stands: Box
    """Where the face was when it began to stay at the same place."""
    stands_from_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels per second."""
    seen_once: bool = True
    returns: Box | None = None
    """The face that is found where this one is missed."""
    returns_from_s: float = 0.0

    @property
    def is_still(self) -> bool:
        return self.seen_s - self.stands_from_s >= STILL_S

    def predicted(self, now_s: float) -> Box:
        ahead_s = min(now_s - self.seen_s, MAX_PREDICTION_S)
        return self.box.moved(self.velocity[0] * ahead_s, self.velocity[1] * ahead_s)

    def returns_at(self, box: Box, now_s: float, bridged_s: float) -> bool:
        """Return whether a face at the place of the missed one has come to stay."""
        waited_s = now_s - self.returns_from_s
        if (
            self.returns is None
            or waited_s > bridged_s
            or not _is_same_place(self.returns, box, RETURN_PLACE)
        ):
            self.returns, self.returns_from_s = box, now_s
            return False
        return waited_s >= RETURN_S

    def continue_at(self, box: Box, now_s: float) -> None:
        elapsed_s = now_s - self.seen_s
        if elapsed_s > 0:
            (x0, y0), (x1, y1) = self.box.centre, box.centre
            share = 1.0 if self.seen_once else min(1.0, elapsed_s / VELOCITY_MEMORY_S)
            vx, vy = self.velocity
            self.velocity = (
                vx + share * ((x1 - x0) / elapsed_s - vx),
                vy + share * ((y1 - y0) / elapsed_s - vy),
            )
        if not _is_same_place(self.stands, box):
            self.stands, self.stands_from_s = box, now_s
        self.box, self.seen_s, self.seen_once, self.returns = box, now_s, False, None


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one frame did to the tracks."""

    faces: tuple[TrackedFace, ...]
    ended: tuple[int, ...]
    """Ids of the tracks that are over: their person has left."""
    returned: tuple[int, ...] = ()
    """Ids of those in `faces` that go on after they were missed for long: by the place alone."""


@dataclass(slots=True)
class Tracker:
    """Tells whose each face is. Time comes from the frames."""

    settings: TrackerSettings
    sure_confidence: float = 0.0
    """A track begins with a face found so surely; any face continues it (ByteTrack, Zhang et al.,
    2022). 0: any face begins one."""
    _tracks: dict[int, _Track] = field(default_factory=dict)
    """Of those in sight."""
    _missed: dict[int, _Track] = field(default_factory=dict)
    """Of those who stood still, and are hidden or have left."""
    _interval: FrameInterval = field(default_factory=FrameInterval)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def update(self, frame: Frame, faces: Sequence[Face], *, is_cut: bool = False) -> TrackUpdate:
        """Return whose each face is, and the tracks that ended before this frame: all, where it is
        the first of another scene.

        A frame without faces, scanned or not, carries the tracks on until `max_missed_s`, and those
        that stood still until `still_missed_s`.
        """
        now_s = frame.monotonic_s
        self._interval.note(now_s)
        ended = self.finish() if is_cut else self._end(now_s)
        tracked, returned = [], []
        matches = self._match(faces, now_s)
        for index, face in enumerate(faces):
            track = matches.get(index)
            if track is not None:
                track.continue_at(face.box, now_s)
            elif face.confidence >= self.sure_confidence:
                track = self._begun(face.box, now_s)
                if track is not None and not track.seen_once:
                    returned.append(track.id)
            if track is not None:
                tracked.append(TrackedFace(track.id, face))
        return TrackUpdate(tuple(tracked), ended, tuple(returned))

    def expected(self, now_s: float) -> tuple[Box, ...]:
        """Return where the people in sight are at `now_s`, found in the last frame or not.

        Another thread than that of `update` may ask, and gets those before or after its frame.
        """
        return tuple(track.predicted(now_s) for track in tuple(self._tracks.values()))

    def finish(self) -> tuple[int, ...]:
        """End all tracks: the source is over."""
        ended = tuple(sorted((*self._tracks, *self._missed)))
        self._tracks.clear()
        self._missed.clear()
        return ended

    def _end(self, now_s: float) -> tuple[int, ...]:
        if not (self._tracks or self._missed):
            return ()
        missed_s = self._bridged_s
        for track in [each for each in self._tracks.values() if now_s - each.seen_s > missed_s]:
            self._missed[track.id] = self._tracks.pop(track.id)
        if not self._missed:
            return ()
        ended = tuple(
            track.id
            for track in self._missed.values()
            if not track.is_still or now_s - track.seen_s > self.settings.still_missed_s
        )
        for track_id in ended:
            del self._missed[track_id]
        return ended

    @property
    def _bridged_s(self) -> float:
        return self.settings.bridged_s(self._interval.seconds)

    def _begun(self, box: Box, now_s: float) -> _Track | None:
        """Return the track that begins, or begins again, with a face that continues none in sight;
        None while it is not known which of both, or where there are too many."""
        there = [each for each in self._missed.values() if _is_same_place(each.box, box)]
        if not there:
            if len(self._tracks) + len(self._missed) >= MAX_TRACKS:
                return None
            track = _Track(next(self._ids), box, now_s, box, now_s)
        else:
            track = max(there, key=lambda each: each.box.iou(box))
            if not track.returns_at(box, now_s, self._bridged_s):
                return None
            del self._missed[track.id]
            track.continue_at(box, now_s)
        self._tracks[track.id] = track
        return track

    def _match(self, faces: Sequence[Face], now_s: float) -> dict[int, _Track]:
        """Return the track of each face that continues one, the best overlaps first."""
        if not faces:
            return {}
        min_iou = self.settings.min_iou
        grown: dict[float, list[Box]] = {}
        pairs = []
        for track in self._tracks.values():
            buffer = FIRST_BUFFER if track.seen_once else BUFFER
            if buffer not in grown:
                grown[buffer] = [face.box.grown(buffer) for face in faces]
            # Somebody who was walking may have stopped.
            for place in (track.predicted(now_s).grown(buffer), track.box.grown(buffer)):
                left, top, right, bottom = place.sides
                for index, box in enumerate(grown[buffer]):
                    # Most pairs share nothing, and with a hundred faces there are ten thousand.
                    if (
                        box.left < right
                        and left < box.right
                        and box.top < bottom
                        and top < box.bottom
                    ):
                        overlap = place.iou(box)
                        if overlap >= min_iou:
                            pairs.append((-overlap, track.id, index))
        matches: dict[int, _Track] = {}
        taken: set[int] = set()
        for _, track_id, index in sorted(pairs):
            if track_id not in taken and index not in matches:
                matches[index] = self._tracks[track_id]
                taken.add(track_id)
        return matches


def _is_same_place(one: Box, other: Box, within: float = SAME_PLACE) -> bool:
    """Return whether two faces are about where the other is, and about as large."""
    size, other_size = one.right - one.left, other.right - other.left
    if not 1 / SAME_SIZE <= size / other_size <= SAME_SIZE:
        return False
    apart = 2 * within * min(size, other_size)
    return (
        abs(one.left + one.right - other.left - other.right) <= apart
        and abs(one.top + one.bottom - other.top - other.bottom) <= apart
    )
