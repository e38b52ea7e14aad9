"""When the pictures of a live stream are to be given on, by the stream's own times.

A network delivers in bursts: a segment of HLS every few seconds, everything at once after a stall.
So pictures wait until they are due (a jitter buffer), and the newest of each moment is judged, as
of a camera that delivers evenly. With one that does, nothing waits.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

MAX_DELAY_S = 10.0
"""A picture that comes so much later than its time begins a new count of time."""
LONGEST_WAIT_S = 2.5
"""So does a picture that would be due so long after the one before it: its clock has jumped."""
REORDERED_S = 1.0
"""A picture whose time is before that of the one before it by less than this has no time: some
containers and servers have them in the order of decoding only."""
JITTER_S = 0.25
"""What comes later than this makes everything after it wait as long, at once; less, by and by."""
MEMORY_S = 30.0
"""How long the delays of pictures are remembered."""
SLEW = 0.05
"""Seconds in a second by which a delay is changed: nobody seems to walk much faster for it."""
MOST_ASTRAY_S, ASTRAY_IN_S = 45.0, 600.0
"""A stream whose clock leaves ours by so much in this time does not tell seconds, and is not
believed any more. Three segments of a playlist, which come at once at first, are 30 s at most."""
MOST_FPS, COUNTED = 125.0, 50
"""No camera gives more pictures in a second: a clock by which this many in a row would be faster is
known to be wrong at once, however they come."""
_LEAST_STEP_S = 0.001


@dataclass(frozen=True, slots=True)
class Due:
    """What becomes of one picture; seconds on the local monotonic clock."""

    at_s: float
    """When to give it on; where that has passed, at once."""
    stamp_s: float
    """When it was, as far as known; never later than it is given, always after the one before."""


class Playout:
    """Maps the clock of one stream onto ours.

    Two offsets are added to a picture's own time. The one tells when it is due, and follows those
    that come latest. The other tells its stamp, follows the first slowly, and so keeps the distance
    between two pictures right where one of them was held up.
    """

    def __init__(self) -> None:
        self._due_offset_s = 0.0
        self._stamp_offset_s = 0.0
        self._media_s: float | None = None
        self._stamp_s = -math.inf
        self._is_believed = True
        self._reference: tuple[float, float] = (0.0, 0.0)
        """What of a picture's time made ours, and when that was so."""
        self._count, self._counted_from_s = 0, 0.0
        """Pictures since one, and its time."""
        self._latest: deque[tuple[float, float]] = deque()
        """When a picture came and how late by its own clock, falling: the first is the latest of
        MEMORY_S."""

    def add(self, media_s: float | None, arrived_s: float, now_s: float) -> Due:
        """Take in the next picture, in the order in which they are shown.

        `media_s` is its time on the stream's clock; None: it has none, and is due at once, as all
        are of a stream whose clock does not tell seconds.
        `arrived_s`: when the last of it came; `now_s`: when the one before it had been given on.
        """
        if media_s is None or not self._is_believed or self._is_out_of_order(media_s):
            stamp_s = self._stamped(arrived_s)
            return Due(stamp_s, stamp_s)
        offset_s = arrived_s - media_s
        if self._has_jumped(media_s, offset_s, now_s):
            self._due_offset_s = self._stamp_offset_s = now_s - media_s
            self._latest = deque([(arrived_s, self._due_offset_s)])
            self._reference = self._due_offset_s, arrived_s
            self._count, self._counted_from_s = 0, media_s
        else:
            self._adjust(media_s, offset_s, arrived_s)
            self._doubt(media_s, offset_s, arrived_s)
        self._media_s = media_s
        stamp_s = self._stamped(media_s + self._stamp_offset_s)
        return Due(max(stamp_s, media_s + self._due_offset_s), stamp_s)

    def _is_out_of_order(self, media_s: float) -> bool:
        return self._media_s is not None and self._media_s - REORDERED_S < media_s <= self._media_s

    def _has_jumped(self, media_s: float, offset_s: float, now_s: float) -> bool:
        return (
            self._media_s is None
            or media_s < self._media_s
            or offset_s - self._due_offset_s > MAX_DELAY_S
            or media_s + self._due_offset_s - now_s > LONGEST_WAIT_S
        )

    def _adjust(self, media_s: float, offset_s: float, arrived_s: float) -> None:
        while self._latest and self._latest[-1][1] <= offset_s:
            self._latest.pop()
        self._latest.append((arrived_s, offset_s))
        while self._latest[0][0] < arrived_s - MEMORY_S:
            self._latest.popleft()
        if offset_s - self._due_offset_s > JITTER_S:
            self._due_offset_s = offset_s
        most_s = SLEW * (media_s - (self._media_s or 0.0))
        self._due_offset_s = _towards(self._due_offset_s, self._latest[0][1], most_s)
        stamp_offset_s = max(self._stamp_offset_s, self._due_offset_s - MAX_DELAY_S)
        self._stamp_offset_s = _towards(stamp_offset_s, self._due_offset_s, most_s)

    def _doubt(self, media_s: float, offset_s: float, arrived_s: float) -> None:
        was_s, since_s = self._reference
        self._is_believed = abs(offset_s - was_s) <= MOST_ASTRAY_S
        if arrived_s - since_s > ASTRAY_IN_S:
            self._reference = offset_s, arrived_s
        self._count += 1
        if self._count == COUNTED:
            self._is_believed &= media_s - self._counted_from_s >= COUNTED / MOST_FPS
            self._count, self._counted_from_s = 0, media_s

    def _stamped(self, stamp_s: float) -> float:
        self._stamp_s = max(stamp_s, self._stamp_s + _LEAST_STEP_S)
        return self._stamp_s


def _towards(value: float, target: float, most: float) -> float:
    """Return `value` changed by `most` at most."""
    return value + min(most, max(-most, target - value))
