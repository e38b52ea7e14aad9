"""What waits to be written, in a file in memory: a crash of the program loses nothing of it.

It lies in the service's RuntimeDirectory, which outlives the program and wears nothing out. A power
cut loses it: then some minutes are missing as a whole, with the time that was watched in them, so
that no rate is wrong for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.files import DamagedFileError, read_json
from edge.history.store import HistoryBatch

_log = logging.getLogger(__name__)

NAME = "history-queue.json"
MAX_BYTES = 16_000_000


class Standby:
    """The file; without a folder there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / NAME
        self._has_failed = False

    def read(self) -> list[HistoryBatch]:
        """Return what a run that crashed has left, the oldest first."""
        if self._path is None:
            return []
        try:
            return read_json(self._path, list[HistoryBatch], MAX_BYTES)
        except FileNotFoundError:
            return []
        except (OSError, DamagedFileError) as error:
            _log.warning("%s: %s; what waited there is lost", self._path, error)
            return []

    def write(self, batches: Sequence[HistoryBatch]) -> None:
        """Replace what is there. Whatever hinders it is said once."""
        if self._path is None:
            return
        fresh = self._path.with_name(f"{NAME}.new")
        try:
            fresh.write_bytes(msgspec.json.encode(batches))
            fresh.replace(self._path)
        except OSError as error:
            if not self._has_failed:
                _log.warning("%s: %s", self._path, error.strerror)
            self._has_failed = True

    def clear(self) -> None:
        """Remove the file: all is written."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()
