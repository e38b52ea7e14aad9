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


def leave_request(folder: Path, request: SightRequest) -> None:
    """Raises OSError."""
    _file(folder, request).touch()


def take_request(folder: Path) -> SightRequest | None:
    """Return the request that was left there, which is then gone; None: there is none."""
    for request in (SightRequest.LEARN, SightRequest.NOW):
        try:
            _file(folder, request).unlink()
        except OSError:
            continue
        return request
    return None


def _file(folder: Path, request: SightRequest) -> Path:
    return folder / f"sight-{request}.request"
