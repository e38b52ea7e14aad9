"""How fast what has waited is sent: a token bucket, without a clock of its own."""

from __future__ import annotations

from typing import Final

_BURST_S: Final = 0.1


class TokenBucket:
    """So many a second; after a rest a tenth of a second's worth, and at least one, at once."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, per_s * _BURST_S)
        self._tokens = self._most
        self._counted_s = 0.0

    def ready(self, now_s: float) -> int:
        """Return how many may go now."""
        earned = max(0.0, now_s - self._counted_s) * self._per_s
        self._tokens = min(self._most, self._tokens + earned)
        self._counted_s = now_s
        return int(self._tokens)

    def spend(self, count: int) -> None:
        """Count what has gone."""
        self._tokens -= count

    def wait_s(self) -> float:
        """Return how long after the last `ready` the next one may go; 0: at once."""
        return max(0.0, 1.0 - self._tokens) / self._per_s
