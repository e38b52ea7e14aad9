"""Figures of a service that say something only over time: its memory, and the age of its queue."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

LEAK_BYTES_PER_S = 200_000
SLICE_S, SLICES = 15.0, 6
"""Memory that grows at this rate in each of this many slices of a run is a leak. A page that is
opened, or a first face, is one step."""
OLD_S = 30.0
"""A message that has waited for so long, with the broker connected, and goes on to, is stuck."""
SLACK_S = 3.0
"""By so much the age of a message may be off from one look to another."""


@dataclass(slots=True)
class Memory:
    """The least memory that one run of the service took in each of the last slices of time."""

    _run: str = ""
    _begun_s: float = 0.0
    _floors: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=SLICES + 1))
    """Bytes, and when that was."""

    def leak(self, run: str, at_s: float, rss_bytes: int) -> float:
        """Take a figure in; return by how many bytes a second it leaks, 0: it does not."""
        if run != self._run:
            self._run = run
            self._floors.clear()
        if not self._floors or at_s >= self._begun_s + SLICE_S:
            self._begun_s = at_s
            self._floors.append((rss_bytes, at_s))
        self._floors[-1] = min(self._floors[-1], (rss_bytes, at_s))
        whole = list(self._floors)[:-1]
        steps = [after[0] - before[0] for before, after in pairwise(whole)]
        if len(whole) < SLICES or min(steps) < LEAK_BYTES_PER_S * SLICE_S:
            return 0.0
        return sum(steps) / (whole[-1][1] - whole[0][1])


@dataclass(slots=True)
class Queue:
    """The message that waits for the broker longest."""

    _since_s: float = 0.0
    """When it was first seen to be that."""
    _age_s: float | None = None
    """How old it was then; None: none waits."""

    def is_stuck(self, at_s: float, oldest_s: float | None) -> bool:
        """Take a figure in, the age of the oldest; tell whether it is old, and the same as before.

        A backlog that is delivered has another one each time.
        """
        if oldest_s is None:
            self._age_s = None
            return False
        if self._age_s is None or oldest_s < self._age_s + (at_s - self._since_s) - SLACK_S:
            self._since_s, self._age_s = at_s, oldest_s
            return False
        return oldest_s >= OLD_S
