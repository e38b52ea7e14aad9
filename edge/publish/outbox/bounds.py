"""How much the file holds at most: beyond that the oldest documents are dropped, and it is said."""

from __future__ import annotations

import logging
from dataclasses import replace

from edge.clock import Moment
from edge.config import OutboxSettings
from edge.publish.outbox.file import SpoolFile
from edge.telemetry import Dropped

_log = logging.getLogger(__name__)

_BATCH = 100


class OutboxBounds:
    """The bounds of `[outbox]`, and which of them were met."""

    def __init__(self, settings: OutboxSettings) -> None:
        self._settings = settings
        self._met: set[str] = set()

    def drop_surplus(self, file: SpoolFile, now: Moment, dropped: Dropped) -> Dropped:
        """Delete the oldest rows beyond the bounds; return what is `dropped` in all by then.

        The newest row stays, however large it is.
        """
        while aged := self.aged(file, now):
            file.delete(aged)
            dropped = replace(dropped, age=dropped.age + len(aged))
        while (surplus := file.rows - self._settings.max_rows) > 0:
            file.delete([stub.sequence for stub in file.stubs(surplus)])
            dropped = replace(dropped, rows=dropped.rows + surplus)
        while file.payload_bytes > self._settings.max_bytes and file.rows > 1:
            file.delete([file.stubs(1)[0].sequence])
            dropped = replace(dropped, bytes=dropped.bytes + 1)
        return dropped

    def aged(self, file: SpoolFile, now: Moment) -> list[int]:
        """Return the oldest sequences up to the newest of them that is certainly too old.

        Those before it are older still, even where their own age is not known.
        """
        stubs = file.stubs(_BATCH)
        for count in range(len(stubs), 0, -1):
            if stubs[count - 1].accepted.age_s(now) > self._settings.max_age_s:
                return [stub.sequence for stub in stubs[:count]]
        return []

    def tell_dropped(self, before: Dropped, dropped: Dropped) -> None:
        """Say for each bound once that it was met, until the outbox has been empty."""
        for bound in ("rows", "bytes", "age", "memory"):
            if bound not in self._met and getattr(dropped, bound) > getattr(before, bound):
                self._met.add(bound)
                _log.warning(
                    "the outbox is beyond its limit of %s: the oldest messages are dropped", bound
                )

    def tell_empty(self, dropped: Dropped) -> None:
        """Say that the outbox is empty again, where a bound was met."""
        if self._met:
            self._met.clear()
            _log.info("the outbox is empty again; dropped so far: %s", dropped)
