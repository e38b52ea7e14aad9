"""How fast the box may work: when it is hot, short of power or short of memory, it works slower.

A Raspberry Pi's firmware lowers the processor's clock at 80 °C, and further at 85 °C; working
slower from 75 °C on keeps a steady pace in its place. The plan is pure: readings and time come from
outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.telemetry import Pace, Strain, ThrottlingFlag, Vitals

MIB = 1 << 20
CALM_S = 60.0
"""Faster again only after so long without need: else the pace would swing."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a step of the plan is taken, and when it is left again."""

    hot_c: float
    cool_c: float
    short_bytes: int
    ample_bytes: int


MAX_FPS = (None, 4.0, 2.0)
"""The steps: all frames; 4 a second, which is half of the work, and a quarter. With fewer, somebody
who walks past would not be followed."""
BOUNDS = (
    Bounds(hot_c=75, cool_c=70, short_bytes=96 * MIB, ample_bytes=144 * MIB),
    Bounds(hot_c=80, cool_c=75, short_bytes=48 * MIB, ample_bytes=72 * MIB),
)
"""Of the first step down and the second."""


class Load:
    """Keeps the pace that the readings allow."""

    def __init__(self) -> None:
        self.pace = Pace()
        self._steps = dict.fromkeys(Strain, 0)
        self._calm_since_s: float | None = None

    def update(self, vitals: Vitals, now_s: float) -> bool:
        """Take in a reading; return whether the pace has changed."""
        before = self.pace
        self._steps = {strain: STEP_FOR[strain](vitals, at) for strain, at in self._steps.items()}
        reasons = tuple(strain for strain, step in self._steps.items() if step)
        wanted = Pace(MAX_FPS[max(self._steps.values())], reasons)
        if wanted.interval_s >= before.interval_s:
            self.pace, self._calm_since_s = wanted, None
        elif self._calm_since_s is None:
            self._calm_since_s = now_s
        elif now_s - self._calm_since_s >= CALM_S:
            self.pace, self._calm_since_s = wanted, None
        return self.pace.max_fps != before.max_fps


def _for_heat(vitals: Vitals, before: int) -> int:
    flags = vitals.throttling
    if flags is None:  # no Raspberry Pi: another processor may be made for 100 °C
        return 0
    if ThrottlingFlag.THROTTLED in flags and ThrottlingFlag.UNDER_VOLTAGE not in flags:
        return 2
    felt_c = vitals.temperature_c
    if felt_c is None:
        return int(ThrottlingFlag.SOFT_TEMPERATURE_LIMIT in flags)
    return _steps_down(before, lambda b: felt_c >= b.hot_c, lambda b: felt_c >= b.cool_c)


def _for_power(vitals: Vitals, before: int) -> int:
    return int(ThrottlingFlag.UNDER_VOLTAGE in (vitals.throttling or ()))


def _for_memory(vitals: Vitals, before: int) -> int:
    left = vitals.available_bytes
    if left is None:
        return 0
    return _steps_down(before, lambda b: left < b.short_bytes, lambda b: left < b.ample_bytes)


STEP_FOR: dict[Strain, Callable[[Vitals, int], int]] = {
    Strain.HEAT: _for_heat,
    Strain.POWER: _for_power,
    Strain.MEMORY: _for_memory,
}
"""How far down each strain asks for, having asked for as much before."""


def _steps_down(
    before: int, takes: Callable[[Bounds], bool], keeps: Callable[[Bounds], bool]
) -> int:
    """Return how many steps are new, or kept where they had been taken."""
    return sum(
        takes(bounds) or (step <= before and keeps(bounds))
        for step, bounds in enumerate(BOUNDS, start=1)
    )
