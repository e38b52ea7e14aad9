"""How often something may happen: a token bucket, without a clock of its own."""

from __future__ import annotations


class TokenBucket:
    """How many a second on average, after a rest `burst` at once. Times are monotonic seconds."""

    def __init__(self, per_s: float, burst: float) -> None:
        """`burst` is 1 or more."""
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._filled_s = 0.0

    def ready(self, now_s: float) -> int:
        """Return how many may happen now."""
        earned = max(0.0, now_s - self._filled_s) * self._per_s
        self._tokens = min(self._burst, self._tokens + earned)
        self._filled_s = now_s
        return int(self._tokens)

    def spend(self, count: int) -> None:
        """Count what has happened."""
        self._tokens -= count

    def wait_s(self) -> float:
        """Return how long after the last `ready` the next one may happen; 0: at once."""
        return max(0.0, 1.0 - self._tokens) / self._per_s
