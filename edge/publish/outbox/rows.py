"""Documents as rows of the outbox's file, each with a checksum over what it says."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge.clock import Moment
from edge.publish.outbox.trouble import DamagedError

COLUMNS = "sequence, accepted_at, clock_is_right, run, run_s, topic, payload, crc32"


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A row of the outbox."""

    sequence: int
    accepted: Moment
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that the broker does not take, and why."""

    document: StoredDocument
    reason: str


@dataclass(frozen=True, slots=True)
class Stub:
    """A row without what it says."""

    sequence: int
    accepted: Moment
    payload_bytes: int


def row_of(document: StoredDocument) -> tuple[Any, ...]:
    """Return the content of the columns, but for the checksum."""
    when = document.accepted
    at = when.at.isoformat()
    return (
        document.sequence, at, int(when.clock_is_right), when.run, when.run_s,
        document.topic, document.payload,
    )  # fmt: skip


def document_of(sequence: int, *content: Any) -> StoredDocument:
    """Return the document of such a content. Raises DamagedError where its time is none."""
    *when, topic, payload = content
    return StoredDocument(sequence, moment_of(*when), topic, payload)


def moment_of(accepted_at: str, clock_is_right: int, run: str, run_s: float) -> Moment:
    """Return when a document was accepted. Raises DamagedError where that is no time."""
    try:
        at = datetime.fromisoformat(accepted_at).astimezone(UTC)
    except (ValueError, OverflowError, TypeError) as error:
        raise DamagedError(f"a time was altered on the disk: {accepted_at}") from error
    return Moment(at, bool(clock_is_right), run, run_s)


def checksum(*content: object) -> int:
    """Return the checksum over a row, which SQLite itself does not keep."""
    return zlib.crc32(repr(content).encode())
