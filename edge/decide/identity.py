"""Names of events: UUID version 7, which sort by time (RFC 9562, section 5.7)."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BITS = 74
_STEP_BITS = 32


class EventIds:
    """Makes event ids; those of one millisecond still sort in the order in which they were made."""

    def __init__(self, source: random.Random | None = None) -> None:
        """With a seeded `source` the ids depend on the times alone, so a replay repeats its own.

        Without one they come from the operating system's random numbers.
        """
        self._source = source or random.SystemRandom()
        self._last_ms = -1
        self._last_random = 0

    def __call__(self, at: datetime) -> str:
        """Return a new id for an event at the aware time `at`, in the usual 36 characters."""
        at_ms = (at - _EPOCH) // timedelta(milliseconds=1)
        if at_ms == self._last_ms:
            # RFC 9562, section 6.2, method 2: a random step up keeps the order, and the next id
            # can't be guessed.
            number = self._last_random + 1 + self._source.getrandbits(_STEP_BITS)
        else:
            # The highest bit stays free, so that the steps of a millisecond can't overflow.
            number = self._source.getrandbits(_RANDOM_BITS - 1)
        self._last_ms, self._last_random = at_ms, number
        high, low = number >> 62, number & ((1 << 62) - 1)
        return str(uuid.UUID(int=at_ms << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
