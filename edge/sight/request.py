"""A request to the running service: an empty file in its runtime directory, which is in memory.

Only root and the service's user may make one there, and a second request is the same as the first.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class SightRequest(StrEnum):
    NOW = "now"
    """Prove what is seen."""
    LEARN = "learn"
    """Forget what was normal here, and then the same."""


def leave_request(folder: Path, request: SightRequest, camera: str = "") -> None:
    """`camera` is the name of one of several, as the settings have it; empty: all of them.

    Raises OSError.
    """
    _file(folder, request, camera).touch()


def take_request(folder: Path, camera: str = "") -> SightRequest | None:
    """Return what was asked of a camera, or of all, which is then gone; None: nothing was."""
    for request in (SightRequest.LEARN, SightRequest.NOW):
        try:
            _file(folder, request, camera).unlink()
        except OSError:
            continue
        return request
    return None


def _file(folder: Path, request: SightRequest, camera: str) -> Path:
    return folder / f"sight-{request}{f'-{camera}' if camera else ''}.request"
