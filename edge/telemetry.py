"""How the device is doing: values that are read, told and acted on; no picture among them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CameraState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    LOST = "lost"


class CameraView(StrEnum):
    """What the picture is good for. But for `clear`, nobody can be seen, and nobody is counted."""

    CLEAR = "clear"
    DARK = "dark"
    BLINDED = "blinded"
    COVERED = "covered"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How the camera does."""

    state: CameraState
    outages: int
    """How often it was lost since the program's start."""
    view: CameraView | None
    """None while it gives no frames."""
    fps: float | None
    """Frames a second that it gives, whether or not they are judged; None while it gives none."""
    slow: bool
    """Too few of them to follow people."""


class ThrottlingFlag(StrEnum):
    """What the Raspberry Pi's firmware reports; the flags `_occurred` are since boot."""

    UNDER_VOLTAGE = "under_voltage"
    FREQUENCY_CAPPED = "frequency_capped"
    THROTTLED = "throttled"
    SOFT_TEMPERATURE_LIMIT = "soft_temperature_limit"
    UNDER_VOLTAGE_OCCURRED = "under_voltage_occurred"
    FREQUENCY_CAPPED_OCCURRED = "frequency_capped_occurred"
    THROTTLED_OCCURRED = "throttled_occurred"
    SOFT_TEMPERATURE_LIMIT_OCCURRED = "soft_temperature_limit_occurred"


class Strain(StrEnum):
    """What the device suffers from."""

    HEAT = "heat"
    POWER = "power"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was read from the machine; None: it cannot be."""

    temperature_c: float | None = None
    throttling: list[ThrottlingFlag] | None = None
    available_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How many frames may be judged a second (None: all), and why no more."""

    max_fps: float | None = None
    reasons: tuple[Strain, ...] = ()

    @property
    def interval_s(self) -> float:
        """The least time from one frame to the next."""
        return 0.0 if self.max_fps is None else 1 / self.max_fps


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one step of the road takes for a frame, in ms."""

    p50: float
    p95: float
