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
from edge.publish.outbox.bounds import OutboxBounds
from edge.publish.outbox.delivered import DeliveredRows
from edge.publish.outbox.disk import SpoolDisk
from edge.publish.outbox.file import SpoolFile
from edge.publish.outbox.memory import MemoryQueue
from edge.publish.outbox.rows import Refused, StoredDocument
from edge.publish.outbox.unended import Unended, UnendedChanges
from edge.telemetry import Dropped, OutboxState

_log = logging.getLogger(__name__)

RETRY_S = 5.0
"""How often a disk that refuses is tried."""
DELETE_ROWS = 100
DELETE_AFTER_S = 600.0
"""What was acknowledged is deleted along with the next document, to spare the card; without one,
when this many rows have gathered, or after so long."""
_AGE_CHECK_S = 60.0
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
        self._bounds = OutboxBounds(settings)
        self._now = now
        self._lock = threading.Lock()
        self._disk = SpoolDisk(path, now)
        self._in_memory = MemoryQueue()
        self._refused: deque[Refused] = deque(maxlen=_REFUSED_IN_MEMORY)
        """Refused, but not yet put aside in the file."""
        self._delivered = DeliveredRows()
        self._live = 0
        self._flushed_s = now().run_s
        self._age_checked_s = -math.inf
        self._events = UnendedChanges()
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
                newest = self._newest()
                sequence = self._disk.numbers.next(newest, is_refused=self._disk.is_refused)
                return StoredDocument(sequence, accepted, topic, encode(sequence))

            document = numbered()
            if begins is not None:
                self._events.begin(begins)
            if ends is not None:
                self._disk.left_open.pop(ends, None)
                self._events.end(ends)
            if not self._may_try(accepted) or not self._flush(document):
                refused, document = document, numbered()  # without the disk it may need another
                if document.sequence != refused.sequence:
                    # A crash may yet bring to light what a failed transaction has written.
                    self._disk.numbers.give(refused.sequence)
                self._hold(document)
            self._disk.numbers.give(document.sequence)
            return document.sequence

    @property
    def returns(self) -> int:
        """How often the disk has come back: then `pending` may have older documents than before."""
        return self._disk.returns

    def left_open(self) -> list[Unended]:
        """Return the events that earlier runs have begun and not ended, oldest first."""
        with self._lock:
            return list(self._disk.left_open.values())

    def pending(self, limit: int, after: int = 0) -> list[StoredDocument]:
        """Return at most `limit` documents with a sequence above `after`, oldest first."""
        with self._lock:
            self._tend()
            if limit <= 0:
                return []
            on_disk = self._disk.attempt(
                lambda file: self._delivered.others(file, limit, after), list[StoredDocument]()
            )
            return [*on_disk, *self._in_memory.after(after)][:limit]

    def acknowledge(self, sequences: Iterable[int], *, at_once: bool = False) -> None:
        """Note that the broker has these; those that are gone already don't matter.

        They are deleted later, so a power cut can make the broker get them twice, or `at_once`.
        """
        with self._lock:
            delivered = set(sequences)
            self._live += len(self._in_memory.remove(delivered))
            self._delivered.add(self._disk.attempt(lambda file: file.among(delivered), set[int]()))
            self._tend(at_once=at_once)
            if self._rows == 0:
                self._bounds.tell_empty(self._disk.dropped)

    def refuse(self, sequence: int, reason: str) -> None:
        """Put a document aside that the broker does not take: it waits no longer.

        It is kept in the file with its reason, among a bounded number of others, for
        `tensormask outbox`; while the disk refuses, in memory until that takes it.
        """
        with self._lock:
            on_disk = self._disk.attempt(
                lambda file: file.select(sequence - 1, 1), list[StoredDocument]()
            )
            for document in (*self._in_memory.remove({sequence}), *on_disk):
                if document.sequence == sequence:
                    self._refused.append(Refused(document, reason))
                    self._delivered.sequences.add(sequence)
            self._flush()

    def state(self) -> OutboxState:
        """Return the figures for the health report; no payload is read for them."""
        with self._lock:
            self._tend()
            oldest = self._oldest()
            set_aside, set_aside_at = self._disk.quarantined()
            refused = {each.document.sequence for each in self._refused}
            file = self._disk.file
            return OutboxState(
                rows=self._rows,
                bytes=(file.payload_bytes if file else 0) + self._in_memory.payload_bytes,
                oldest_age_s=None if oldest is None else oldest.age_s(self._now()),
                dropped=self._disk.dropped,
                is_refused=self._disk.is_refused,
                in_memory=len(self._in_memory),
                live=self._live,
                acknowledged=self._live + self._delivered.count,
                set_aside=set_aside,
                set_aside_at=set_aside_at,
                refused=(file.refused if file else 0) + len(self._refused),
                delivered=self._delivered.newest_but(refused),
            )

    def close(self) -> None:
        """Delete what was acknowledged, and close the file; the other rows stay."""
        with self._lock:
            if self._is_closed:
                return
            self._flush()
            self._is_closed = True
            if self._in_memory:
                _log.error("lost messages: %d; no room on the disk", len(self._in_memory))
            self._disk.close()

    # From here on: with the lock held.

    @property
    def _rows(self) -> int:
        file = self._disk.file
        on_disk = max(0, file.rows - len(self._delivered)) if file else 0
        return on_disk + len(self._in_memory)

    def _newest(self) -> int:
        """Return the sequence of the newest document that waits; 0: none does."""
        if self._in_memory:
            return self._in_memory.documents[-1].sequence
        return self._disk.attempt(lambda file: file.newest(), 0) if self._rows else 0

    def _oldest(self) -> Moment | None:
        """Return when the oldest document that waits was accepted; None: none waits."""
        if (stub := self._disk.attempt(self._delivered.oldest_other, None)) is not None:
            return stub.accepted
        return self._in_memory.documents[0].accepted if self._in_memory else None

    def _tend(self, *, at_once: bool = False) -> None:
        """Do what is due: try a disk that refuses, delete, drop what is too old."""
        now = self._now()
        is_resting = now.run_s - self._flushed_s < DELETE_AFTER_S
        gathered = DELETE_ROWS if is_resting else 1
        is_due = at_once or self._disk.is_refused or len(self._delivered) >= gathered
        if now.run_s - self._age_checked_s >= _AGE_CHECK_S:
            self._age_checked_s = now.run_s
            is_due |= self._disk.attempt(lambda file: bool(self._bounds.aged(file, now)), False)
        if is_due and self._may_try(now) and not self._is_closed:
            self._flush()

    def _may_try(self, now: Moment) -> bool:
        return not self._disk.is_refused or now.run_s - self._flushed_s >= RETRY_S

    def _flush(self, *new: StoredDocument) -> bool:
        """Bring all that is in memory, and `new`, to the disk; False: it refuses."""
        now = self._now()
        self._flushed_s = now.run_s
        documents = (*self._in_memory.documents, *new)
        before = self._disk.dropped
        if not self._disk.store(documents, lambda file: self._change(file, now)):
            return False
        self._in_memory.clear()
        self._refused.clear()
        self._events.clear()
        self._delivered.clear()
        self._bounds.tell_dropped(before, self._disk.dropped)
        return True

    def _change(self, file: SpoolFile, now: Moment) -> Dropped:
        """Write down what has become of events and documents; return what is dropped in all."""
        self._events.write(file.unended)
        file.refuse(self._refused)
        file.delete(self._delivered.sequences)
        return self._bounds.drop_surplus(file, now, self._disk.dropped)

    def _hold(self, document: StoredDocument) -> None:
        """Keep a document in memory."""
        before = self._disk.dropped
        dropped = self._in_memory.append(document)
        self._disk.dropped = replace(before, memory=before.memory + dropped)
        self._bounds.tell_dropped(before, self._disk.dropped)
