"""The device's condition as a file, for other programs and every user of the same machine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edge.files import DamagedFileError, read_json
from edge.telemetry import Telemetry

NAME = "telemetry.json"
DIRECTORY = Path("/run/tensormask")
"""The service's RuntimeDirectory, in memory: what is written there wears nothing out."""
FILE = DIRECTORY / NAME
MODE = 0o644
"""No secret is in it, and `tensormask status` is for everybody."""
FRESH_S = 10.0
MAX_BYTES = 64 * 1024


def runtime_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder that systemd has made for this service; None: none was made."""
    given = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(given) if given else None


class StatusFile:
    """Rewritten regularly, always whole; gone when the service has ended."""

    def __init__(self, directory: Path | None) -> None:
        """Without a directory nothing is written."""
        self._path = None if directory is None else directory / NAME
        self._has_failed = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StatusFile:
        return cls(runtime_directory(environment))

    def write(self, telemetry: Telemetry) -> None:
        """Replace what is there. Whatever hinders it is said once, and worth no more."""
        if self._path is None:
            return
        fresh = self._path.with_name(f"{NAME}.new")
        try:
            fresh.write_bytes(msgspec.json.encode(telemetry))
            fresh.chmod(MODE)  # the unit's UMask= closes what the service writes
            fresh.replace(self._path)
        except OSError as error:
            if not self._has_failed:
                logging.getLogger(__name__).warning("%s: %s", self._path, error.strerror)
            self._has_failed = True


class StaleError(Exception):
    """Nothing new has been written for longer than FRESH_S."""

    def __init__(self, age_s: float) -> None:
        super().__init__(f"nothing new for {age_s:.0f} s")
        self.age_s = age_s


def fresh_telemetry(path: Path = FILE) -> Telemetry:
    """Return what the running service says of itself.

    Raises OSError, StaleError, and DamagedFileError.
    """
    age_s = time.time() - path.stat().st_mtime
    if age_s > FRESH_S:
        raise StaleError(age_s)
    return read_json(path, Telemetry, MAX_BYTES)


def read_telemetry(path: Path = FILE) -> Telemetry | None:
    """Return the same; None: it does not run, hangs, or cannot be read, for whatever reason."""
    try:
        return fresh_telemetry(path)
    except (OSError, StaleError, DamagedFileError):
        return None
