"""The device's condition as a file, for other programs on the same machine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edge.telemetry import Telemetry
from edge.untrusted import decoded, read_file

NAME = "telemetry.json"
DIRECTORY = Path("/run/tensormask")
"""The service's RuntimeDirectory, in memory: what is written there wears nothing out."""


class StatusFile:
    """Written anew again and again, always whole; gone when the service has ended."""

    def __init__(self, directory: Path | None) -> None:
        """Without a directory nothing is written."""
        self._path = None if directory is None else directory / NAME
        self._has_failed = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StatusFile:
        given = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
        return cls(Path(given) if given else None)

    def write(self, telemetry: Telemetry) -> None:
        """Replace what is there. Whatever hinders it is said once, and worth no more."""
        if self._path is None:
            return
        fresh = self._path.with_name(f"{NAME}.new")
        try:
            fresh.write_bytes(msgspec.json.encode(telemetry))
            fresh.replace(self._path)
        except OSError as error:
            if not self._has_failed:
                logging.getLogger(__name__).warning("%s: %s", self._path, error.strerror)
            self._has_failed = True


FRESH_S = 10.0
MAX_BYTES = 64 * 1024


def read_telemetry(path: Path = DIRECTORY / NAME) -> Telemetry | None:
    """Return what the running service says of itself; None: it does not run, or stands still."""
    try:
        if time.time() - path.lstat().st_mtime > FRESH_S:
            return None
        return decoded(read_file(path, MAX_BYTES), Telemetry)
    except (OSError, msgspec.DecodeError):
        return None
