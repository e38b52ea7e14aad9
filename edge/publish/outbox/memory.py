"""The documents that wait in memory while the disk refuses them."""

from __future__ import annotations

from collections.abc import Collection

from edge.publish.outbox.rows import StoredDocument

MEMORY_ROWS = 1000
MEMORY_BYTES = 8_000_000
"""How much waits in memory at most; then the oldest is dropped."""


class MemoryQueue:
    """Documents in the order of their sequences; each is newer than all that is on the disk."""

    def __init__(self) -> None:
        self.documents: list[StoredDocument] = []

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def payload_bytes(self) -> int:
        return sum(len(document.payload) for document in self.documents)

    def append(self, document: StoredDocument) -> int:
        """Keep a document; return how many of the oldest were dropped for it."""
        self.documents.append(document)
        dropped = 0
        while len(self) > MEMORY_ROWS or self.payload_bytes > MEMORY_BYTES:
            del self.documents[0]
            dropped += 1
        return dropped

    def remove(self, sequences: Collection[int]) -> list[StoredDocument]:
        """Take out those of `sequences` that are here, and return them."""
        removed = [each for each in self.documents if each.sequence in sequences]
        self.documents = [each for each in self.documents if each.sequence not in sequences]
        return removed

    def after(self, sequence: int) -> list[StoredDocument]:
        """Return the documents with a sequence above `sequence`."""
        return [document for document in self.documents if document.sequence > sequence]

    def clear(self) -> None:
        self.documents.clear()
