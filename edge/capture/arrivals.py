"""When pictures were taken that have no time of their own, as far as their arrival tells.

Motion JPEG over HTTP says nothing of time, so a picture's time is that of its arrival. Only where
none has come for long, and then many come at once, they were held up on their way: a camera takes
them evenly, and so they are spread from the last one before on.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable

KNOWN = 25
REMEMBERED = 250
"""How many intervals between the times taken tell the usual one, at least and at most."""
HELD_UP = 3.0
"""Usual intervals without a picture, from which on the next ones may have been held up."""
AT_ONCE = 0.5
"""Of the usual interval: what follows as closely was not taken as closely."""


class ArrivalTimes:
    """Tells the times of one stream, in the order in which its pictures come."""

    def __init__(self) -> None:
        self._intervals_s: deque[float] = deque(maxlen=REMEMBERED)
        self._arrived_s: float | None = None
        self._taken_s = 0.0

    def taken_s(self, arrived_s: float, follows_s: Callable[[float], bool]) -> float:
        """Return when a picture was taken that came at `arrived_s`, both on the monotonic clock.

        `follows_s` waits so long for the next one, and says whether it has come.
        """
        before_s, self._arrived_s = self._arrived_s, arrived_s
        if before_s is None:
            self._taken_s = arrived_s
            return arrived_s
        gap_s = arrived_s - before_s
        usual_s = statistics.median(self._intervals_s) if self._is_known else 0.0
        wait_s = AT_ONCE * usual_s
        is_held_up = gap_s < wait_s or (gap_s > HELD_UP * usual_s > 0 and follows_s(wait_s))
        before_s, self._taken_s = self._taken_s, arrived_s
        if is_held_up:
            self._taken_s = min(arrived_s, before_s + usual_s)
        self._intervals_s.append(self._taken_s - before_s)
        return self._taken_s

    @property
    def _is_known(self) -> bool:
        return len(self._intervals_s) >= KNOWN
