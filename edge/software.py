"""What is installed, on trial or settled, and what the program was started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OnTrial:
    """A release or model that is to show whether it does as well as the former."""

    slot: str
    """`release`, `bundle` or `detector`."""
    name: str
    """Empty: the model included in the release."""
    former: str
    begun_at: datetime
    watched_s: float
    """How long it has done well."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of another one."""

    slot: str
    name: str
    outcome: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Software:
    """What is installed and runs."""

    current: Mapping[str, str]
    """By slot; an empty name: the model included in the release."""
    trial: OnTrial | None
    settled: tuple[Settled, ...]
    """The newest last."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What the program was started with, as far as everybody may know it: no secret is in it."""

    device_id: str
    site: str
    zone: str
    source: str
    """The camera's, without user, password and path of a stream; of several, with a comma between
    them."""
    broker: str
    """Its host and port."""
    settings: str
    """The file's path."""
    settings_written_ns: int
    """When that was written, in ns since 1970: one that was written since is not in use yet."""
    broker_settings: str = ""
    """A digest of all that concerns the broker; empty: of an older version."""
