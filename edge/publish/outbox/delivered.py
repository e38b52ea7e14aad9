"""The rows that wait no longer, delivered or refused, and that the file still has.

To delete a row costs the card a page, so it waits for the next document; until then whatever is
read from the file is read past these rows.
"""

from __future__ import annotations

from edge.publish.outbox.file import SpoolFile
from edge.publish.outbox.rows import StoredDocument, Stub

DELIVERED_REPORTED = 1000
"""How many of them are named at most while the disk refuses, and none is deleted."""
_BATCH = 100


class DeliveredRows:
    """Their sequences."""

    def __init__(self) -> None:
        self.sequences: set[int] = set()
        self.count = 0
        """How many were delivered, since the start."""
        self._up_to = 0
        """All rows up to this one are among them."""

    def __len__(self) -> int:
        return len(self.sequences)

    def add(self, sequences: set[int]) -> None:
        """Note that these were delivered, some perhaps again."""
        self.count += len(sequences - self.sequences)
        self.sequences |= sequences

    def clear(self) -> None:
        """Forget them: the file has deleted them."""
        self.sequences.clear()
        self._up_to = 0

    def newest_but(self, refused: set[int]) -> tuple[int, ...]:
        """Return what was delivered, without what was `refused`, the newest first; bounded."""
        return tuple(sorted(self.sequences - refused, reverse=True)[:DELIVERED_REPORTED])

    def oldest_other(self, file: SpoolFile) -> Stub | None:
        """Return the oldest row that still waits; None: none does. Raises as `SpoolFile`."""
        place = self._up_to
        while stubs := file.stubs(_BATCH, place):
            for stub in stubs:
                if stub.sequence not in self.sequences:
                    return stub
            place = stubs[-1].sequence
        return None

    def others(self, file: SpoolFile, limit: int, after: int) -> list[StoredDocument]:
        """Return at most `limit` rows that still wait, or some more, with a sequence above `after`.

        Oldest first. Raises as `SpoolFile` does.
        """
        found: list[StoredDocument] = []
        place = max(after, self._up_to)
        while len(found) < limit and (rows := file.select(place, limit)):
            found += [row for row in rows if row.sequence not in self.sequences]
            place = rows[-1].sequence
            if not found and after <= self._up_to:
                self._up_to = place
        return found
