"""Track: which face belongs to which person.

A track predicts where its face is next, at constant velocity, and is continued by the face that
overlaps the prediction most. Boxes are compared with a buffer around them (buffered IoU, Yang et
al., 2023): a face that moves by its own width between two scans still meets its track.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
MAX_TRACKS = 256
"""More faces than fit into a frame: the bound on memory, not a setting."""


@dataclass(slots=True)
class _Track:
    id: int
    box: Box
    seen_s: float
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels per second."""
    seen_once: bool = True

    def predicted(self, now_s: float) -> Box:
        ahead_s = min(now_s - self.seen_s, MAX_PREDICTION_S)
        return self.box.moved(self.velocity[0] * ahead_s, self.velocity[1] * ahead_s)

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
        self.box, self.seen_s, self.seen_once = box, now_s, False


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one frame did to the tracks."""

    faces: tuple[TrackedFace, ...]
    ended: tuple[int, ...]
    """Ids of the tracks that are over: their person has left."""


@dataclass(slots=True)
class Tracker:
    """Tells whose each face is. Time comes from the frames."""

    settings: TrackerSettings
    sure_confidence: float = 0.0
    """A track begins with a face found so surely; any face continues it (ByteTrack, Zhang et al.,
    2022)."""
    _tracks: dict[int, _Track] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def update(self, frame: Frame, faces: Sequence[Face]) -> TrackUpdate:
        """Return whose each face is, and the tracks that ended before this frame.

        A frame without faces, scanned or not, carries the tracks on until `max_missed_s`.
        """
        now_s = frame.monotonic_s
        ended = self._end(now_s)
        tracked = []
        matches = self._match(faces, now_s)
        for index, face in enumerate(faces):
            track = matches.get(index)
            if track is not None:
                track.continue_at(face.box, now_s)
            elif face.confidence >= self.sure_confidence and len(self._tracks) < MAX_TRACKS:
                track = _Track(next(self._ids), face.box, now_s)
                self._tracks[track.id] = track
            else:
                continue
            tracked.append(TrackedFace(track.id, face))
        return TrackUpdate(tuple(tracked), ended)

    def expected(self, now_s: float) -> tuple[Box, ...]:
        """Return where the people in sight are at `now_s`, found in the last frame or not."""
        return tuple(track.predicted(now_s) for track in self._tracks.values())

    def finish(self) -> tuple[int, ...]:
        """End all tracks: the source is over."""
        ended = tuple(self._tracks)
        self._tracks.clear()
        return ended

    def _end(self, now_s: float) -> tuple[int, ...]:
        ended = tuple(
            track.id
            for track in self._tracks.values()
            if now_s - track.seen_s > self.settings.max_missed_s
        )
        for track_id in ended:
            del self._tracks[track_id]
        return ended

    def _match(self, faces: Sequence[Face], now_s: float) -> dict[int, _Track]:
        """Return the track of each face that continues one, the best overlaps first."""
        if not faces:
            return {}
        boxes: dict[float, list[Box]] = {}
        pairs = []
        for track in self._tracks.values():
            buffer = FIRST_BUFFER if track.seen_once else BUFFER
            if buffer not in boxes:
                boxes[buffer] = [face.box.grown(buffer) for face in faces]
            # Whoever was walking may have stopped.
            for place in (track.predicted(now_s), track.box):
                for index, overlap in _overlaps(place.grown(buffer), boxes[buffer]):
                    if overlap >= self.settings.min_iou:
                        pairs.append((-overlap, track.id, index))
        matches: dict[int, _Track] = {}
        taken: set[int] = set()
        for _, track_id, index in sorted(pairs):
            if track_id not in taken and index not in matches:
                matches[index] = self._tracks[track_id]
                taken.add(track_id)
        return matches


def _overlaps(place: Box, boxes: Sequence[Box]) -> Iterator[tuple[int, float]]:
    """Return which of `boxes` share something with `place`, and the intersection over union.

    Most pairs share nothing, and with a hundred faces there are ten thousand of them.
    """
    left, top, right, bottom = place.sides
    for index, box in enumerate(boxes):
        if box.left < right and box.top < bottom and left < box.right and top < box.bottom:
            yield index, place.iou(box)
