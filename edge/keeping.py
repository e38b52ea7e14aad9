"""How the device keeps what happens, as it reports it (`edge.history`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HistoryFault(StrEnum):
    """Why the history is not written: that decides what fixes it."""

    DISK = "disk"
    """It takes nothing, or is busy."""
    READ_ONLY = "read-only"
    """The service may not write there."""
    NEWER = "newer"
    """A newer release has written the file, and this one leaves it alone."""
    LOST = "lost"
    """The file is gone, another one or damaged: the service goes on by itself within seconds."""


@dataclass(frozen=True, slots=True)
class HistoryState:
    """What the box records of what happens, where that is enabled."""

    trouble: str = ""
    """Why nothing is written, in a sentence; empty: it is."""
    fault: HistoryFault = HistoryFault.DISK
    """Of which kind the trouble is."""
    written_at: datetime | None = None
    """When all that had happened was in the file; None: not since the start."""
