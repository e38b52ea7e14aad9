"""How far a qualification has come, kept beside the device's state between two runs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.durable import replace_file
from edge.errors import TensorMaskError
from edge.eyes import NetworkPair
from edge.files import DamagedFileError, read_json
from edge.qualify.walks import Progress

FILE = "qualify.json"
MAX_BYTES = 256 * 1024
SCHEMA = 1
MAX_AGE_S = 24 * 3600.0
"""After a day the light is another one."""


class NotKeptError(TensorMaskError):
    """Make room: how far it has come cannot be kept."""


def read_progress(
    folder: Path, networks: NetworkPair, now_s: float, camera: str = ""
) -> tuple[Progress | None, str]:
    """Return what an earlier run has left; or None, and why that cannot go on, if it was there.

    `now_s` is seconds since 1970.
    """
    path = folder / FILE
    try:
        found = read_json(path, Progress, MAX_BYTES)
    except FileNotFoundError:
        return None, ""
    except (OSError, DamagedFileError) as error:
        return None, f"what was begun cannot be read ({error}), so it begins again"
    if found.schema != SCHEMA:
        return None, "what was begun is of another release, so it begins again"
    if found.networks != networks:
        return None, "the networks have changed since it was begun, so it begins again"
    if found.camera != camera:
        return None, "what was begun was begun at another camera, so it begins again"
    if not 0 <= now_s - found.began_at <= MAX_AGE_S:
        return None, "what was begun is older than a day, so it begins again"
    return found, ""


def keep_progress(folder: Path, progress: Progress) -> None:
    """Keep it. Raises NotKeptError."""
    try:
        replace_file(folder / FILE, msgspec.json.encode(progress), 0o600)
    except OSError as error:
        raise NotKeptError(f"{folder / FILE}: {error.strerror or error}") from error


def drop_progress(folder: Path) -> None:
    """Have nothing to go on with. Raises NotKeptError."""
    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise NotKeptError(f"{folder / FILE}: {error.strerror or error}") from error
