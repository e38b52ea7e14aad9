"""The durable outbox: what the broker has not acknowledged yet, on disk, oldest first.

What `append` has returned for survives a power cut, unless the disk refuses it: then it waits in
memory, is published from there, and goes to the disk as soon as that takes it again.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from edge.clock import Moment, this_moment
from edge.config import OutboxSettings
from edge.publish.outbox.disk import SpoolDisk
from edge.publish.outbox.file import Refused, SpoolFile, StoredDocument, Stub
from edge.publish.outbox.sequence import is_counted
from edge.publish.outbox.unended import Unended
from edge.telemetry import Dropped, OutboxState

_log = logging.getLogger(__name__)

MEMORY_ROWS = 1000
MEMORY_BYTES = 8_000_000
"""So much waits in memory at most while the disk refuses it; then the oldest is dropped."""
RETRY_S = 5.0
"""How often a disk that refuses is tried."""
DELETE_ROWS = 100
DELETE_AFTER_S = 600.0
"""What was acknowledged is deleted along with the next document, to spare the card; without one,
when so many rows have gathered, or after so long."""
DELIVERED_TOLD = 1000
"""So many of them are named at most while the disk refuses, and none is deleted."""
_AGE_CHECK_S = 60.0
_BATCH = 100
_REFUSED_IN_MEMORY = 10
_DEFAULTS = OutboxSettings()


class Outbox:
    """The queue of documents for the broker. Any thread may call it.

    Each transaction costs the card a page or two, so there is one for a document: it brings that to
    the disk, and takes away what was acknowledged before, and what is beyond the bounds.
    """

    def __init__(
        self,
        path: Path,
        settings: OutboxSettings = _DEFAULTS,
        now: Callable[[], Moment] = this_moment,
    ) -> None:
        """Open the file, or make it with its folder; its bounds are in `settings`.

        Raises OutboxError where another process has it open, or nobody may have it there. A disk
        that is full, read-only or broken is no reason not to start.
        """
        self._settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._disk = SpoolDisk(path, now)
        self._held: list[StoredDocument] = []
        """In memory only: newer than all that is on the disk."""
        self._refused: deque[Refused] = deque(maxlen=_REFUSED_IN_MEMORY)
        """Refused, but not yet put aside in the file."""
        self._done: set[int] = set()
        """Rows that were acknowledged, but not yet deleted."""
        self._done_up_to = 0
        """All rows up to this one are among them."""
        self._live = 0
        self._told_drops: set[str] = set()
        self._flushed_s = now().run_s
        self._age_checked_s = -math.inf
        self._begun: dict[str, Unended] = {}
        self._ended: set[str] = set()
        """Events of which the disk is still to learn that they have begun, or ended."""
        self._is_closed = False

    def append(
        self,
        topic: str,
        encode: Callable[[int], bytes],
        *,
        begins: Unended | None = None,
        ends: str | None = None,
    ) -> int:
        """Give a document its sequence, `encode` it with that, and return once it is on disk.

        One that `begins` an event brings along how that ends where this run does not come to it;
        one that `ends` an event names it. Where the disk refuses, it returns too: the document
        waits in memory. When `encode` raises, nothing has happened and the sequence goes to the
        next document.
        """
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the outbox is closed")
            accepted = self._now()

            def numbered() -> StoredDocument:
                sequence = self._disk.next_sequence(self._newest())
                return StoredDocument(sequence, accepted, topic, encode(sequence))

            document = numbered()
            if begins is not None:
                self._begun[begins.event_id] = begins
            if ends is not None:
                self._disk.left_open.pop(ends, None)
                if self._begun.pop(ends, None) is None:
                    self._ended.add(ends)
            if not self._may_try(accepted) or not self._flush(document):
                refused, document = document, numbered()  # without the disk it may need another
                if document.sequence != refused.sequence:
                    # A crash may yet bring to light what a failed transaction has written.
                    self._disk.give(refused.sequence)
                self._hold(document)
            self._disk.give(document.sequence)
            return document.sequence

    def left_open(self) -> list[Unended]:
        """Return the events that earlier runs have begun and not ended, oldest first."""
        with self._lock:
            return list(self._disk.left_open.values())

    def pending(self, limit: int, after: int = 0) -> list[StoredDocument]:
        """Return at most `limit` documents with a sequence above `after`, oldest first."""
        with self._lock:
            self._tend()
            return self._pending(limit, after) if limit > 0 else []

    def acknowledge(self, sequences: Iterable[int]) -> None:
        """Note that the broker has these; those that are gone already don't matter.

        They are deleted later, so a power cut can make the broker get them once more.
        """
        with self._lock:
            delivered = set(sequences)
            held = [document for document in self._held if document.sequence not in delivered]
            self._live += len(self._held) - len(held)
            self._held = held
            self._done |= self._disk.attempt(lambda file: file.among(delivered), set[int]())
            self._tend()
            if self._told_drops and self._rows == 0:
                self._told_drops.clear()
                _log.info("the outbox is empty again; dropped so far: %s", self._disk.dropped)

    def refuse(self, sequence: int, reason: str) -> None:
        """Put a document aside that the broker does not take: it waits no longer.

        It is kept in the file with its reason, among a bounded number of others, for
        `tensormask outbox`; while the disk refuses, in memory until that takes it.
        """
        with self._lock:
            found = [held for held in self._held if held.sequence == sequence]
            found += self._disk.attempt(
                lambda file: file.select(sequence - 1, 1), list[StoredDocument]()
            )
            for document in found:
                if document.sequence == sequence:
                    self._refused.append(Refused(document, reason))
                    self._done.add(sequence)
            self._held = [held for held in self._held if held.sequence != sequence]
            self._flush()

    def state(self) -> OutboxState:
        """Return the figures for the health report; no payload is read for them."""
        with self._lock:
            self._tend()
            oldest = self._oldest()
            set_aside, set_aside_at = self._disk.set_aside()
            file = self._disk.file
            return OutboxState(
                rows=self._rows,
                bytes=(file.payload_bytes if file else 0) + _size(self._held),
                oldest_age_s=None if oldest is None else oldest.age_s(self._now()),
                dropped=self._disk.dropped,
                is_refused=self._disk.refused_s is not None,
                in_memory=len(self._held),
                live=self._live,
                set_aside=set_aside,
                set_aside_at=set_aside_at,
                refused=(file.refused if file else 0) + len(self._refused),
                delivered=self._delivered(),
            )

    def close(self) -> None:
        """Delete what was acknowledged, and close the file; the other rows stay."""
        with self._lock:
            if self._is_closed:
                return
            self._flush()
            self._is_closed = True
            if self._held:
                _log.error("%d documents are lost: no room on the disk", len(self._held))
            self._disk.close()

    # From here on: with the lock held.

    @property
    def _rows(self) -> int:
        file = self._disk.file
        return (max(0, file.rows - len(self._done)) if file else 0) + len(self._held)

    def _delivered(self) -> tuple[int, ...]:
        """Return what was acknowledged and not yet deleted, the newest first, as far as is told."""
        refused = {each.document.sequence for each in self._refused}
        return tuple(sorted(self._done - refused, reverse=True)[:DELIVERED_TOLD])

    def _newest(self) -> int:
        """Return the sequence of the newest document that waits; 0: none does."""
        if self._held:
            return self._held[-1].sequence
        return self._disk.attempt(lambda file: file.newest(), 0) if self._rows else 0

    def _oldest(self) -> Moment | None:
        """Return when the oldest document that waits was accepted; None: none waits."""
        stub = self._disk.attempt(self._oldest_stub, None)
        if stub is not None:
            return stub.accepted
        return self._held[0].accepted if self._held else None

    def _oldest_stub(self, file: SpoolFile) -> Stub | None:
        place = self._done_up_to
        while stubs := file.stubs(_BATCH, place):
            for stub in stubs:
                if stub.sequence not in self._done:
                    return stub
            place = stubs[-1].sequence
        return None

    def _pending(self, limit: int, after: int) -> list[StoredDocument]:
        found = self._disk.attempt(
            lambda file: self._undelivered(file, limit, after), list[StoredDocument]()
        )
        return [*found, *(held for held in self._held if held.sequence > after)][:limit]

    def _undelivered(self, file: SpoolFile, limit: int, after: int) -> list[StoredDocument]:
        found: list[StoredDocument] = []
        place = max(after, self._done_up_to)
        while len(found) < limit and (rows := file.select(place, limit)):
            found += [row for row in rows if row.sequence not in self._done]
            place = rows[-1].sequence
            if not found and after <= self._done_up_to:
                self._done_up_to = place
        return found

    def _tend(self) -> None:
        """Do what is due: try a disk that refuses, delete, drop what is too old."""
        now = self._now()
        is_resting = now.run_s - self._flushed_s < DELETE_AFTER_S
        is_due = self._disk.refused_s is not None or (
            len(self._done) >= (DELETE_ROWS if is_resting else 1)
        )
        if now.run_s - self._age_checked_s >= _AGE_CHECK_S:
            self._age_checked_s = now.run_s
            is_due |= self._disk.attempt(lambda file: bool(self._aged(file, now)), False)
        if is_due and self._may_try(now) and not self._is_closed:
            self._flush()

    def _may_try(self, now: Moment) -> bool:
        return self._disk.refused_s is None or now.run_s - self._flushed_s >= RETRY_S

    def _flush(self, *new: StoredDocument) -> bool:
        """Bring all that is in memory, and `new`, to the disk; False: it refuses."""
        now = self._now()
        self._flushed_s = now.run_s
        documents = (*self._held, *new)
        counted = [each.sequence for each in documents if is_counted(each.sequence)]
        last = max(self._disk.last_sequence, *counted, 0)
        before = self._disk.dropped
        if not self._disk.store(documents, last, lambda file: self._thin_out(file, now)):
            return False
        self._held.clear()
        self._refused.clear()
        self._begun.clear()
        self._ended.clear()
        self._done.clear()
        self._done_up_to = 0
        self._tell_dropped(before)
        return True

    def _thin_out(self, file: SpoolFile, now: Moment) -> Dropped:
        """Delete what was acknowledged, and the oldest rows beyond the bounds.

        Return what is dropped in all by now.
        """
        file.unended.write(self._begun.values())
        file.unended.delete(self._ended)
        file.refuse(self._refused)
        file.delete(self._done)
        dropped = self._disk.dropped
        while aged := self._aged(file, now):
            file.delete(aged)
            dropped = replace(dropped, age=dropped.age + len(aged))
        while (surplus := file.rows - self._settings.max_rows) > 0:
            file.delete([stub.sequence for stub in file.stubs(surplus)])
            dropped = replace(dropped, rows=dropped.rows + surplus)
        while file.payload_bytes > self._settings.max_bytes and file.rows > 1:
            file.delete([file.stubs(1)[0].sequence])
            dropped = replace(dropped, bytes=dropped.bytes + 1)
        return dropped

    def _aged(self, file: SpoolFile, now: Moment) -> list[int]:
        """Return the oldest sequences up to the newest of them that is certainly too old.

        Those before it are older still, even where their own age is not known.
        """
        stubs = file.stubs(_BATCH)
        for count in range(len(stubs), 0, -1):
            if stubs[count - 1].accepted.age_s(now) > self._settings.max_age_s:
                return [stub.sequence for stub in stubs[:count]]
        return []

    def _hold(self, document: StoredDocument) -> None:
        """Keep a document in memory; the oldest goes where there are too many."""
        before = self._disk.dropped
        self._held.append(document)
        while len(self._held) > MEMORY_ROWS or _size(self._held) > MEMORY_BYTES:
            del self._held[0]
            dropped = self._disk.dropped
            self._disk.dropped = replace(dropped, memory=dropped.memory + 1)
        self._tell_dropped(before)

    def _tell_dropped(self, before: Dropped) -> None:
        """Say for each bound once that it was met, until the outbox has been empty."""
        for bound in ("rows", "bytes", "age", "memory"):
            if bound not in self._told_drops and (
                getattr(self._disk.dropped, bound) > getattr(before, bound)
            ):
                self._told_drops.add(bound)
                _log.warning(
                    "the outbox is beyond its bound of %s: its oldest documents are dropped", bound
                )


def _size(documents: Iterable[StoredDocument]) -> int:
    return sum(len(document.payload) for document in documents)
