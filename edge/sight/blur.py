"""How much a scene was blurred since the reference: a standard deviation, in pixels.

A band of a pyramid holds some of the octaves beside it, and a steep spectrum leaks into the finest.
So what a blur leaves of each band is computed for a scene of the reference's own steepness (power
in proportion to frequency^-slope, as natural scenes have), and the blur is the one that fits best.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.sight.scene import BANDS

SIGMAS_PX: Final = np.concatenate(([0.0], np.geomspace(0.4, 12, 36)))
SLOPES: Final = np.arange(0.0, 9.01, 0.5)
FINE: Final = slice(0, 3)
"""Bands that tell the slope and the blur."""
LEAST: Final = 0.02
"""Less is left of no band than this: noise and edges of what lies on the lens."""


def slope_of(power: NDArray[np.float64]) -> float:
    """Return how steep a spectrum is, from the mean power of its bands."""
    measured = np.log(np.maximum(power[FINE], 1e-3))
    expected = np.log(_table()[0][:, FINE])
    apart = expected - measured
    errors = ((apart - apart.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return float(SLOPES[int(errors.argmin())])


def sigma_of(kept: NDArray[np.float64], slope: float) -> float:
    """Return the blur that leaves so much of each band, as a share of its amplitude."""
    gains = _table()[1][int(np.abs(SLOPES - slope).argmin())]
    apart = np.log(np.maximum(gains[:, FINE], LEAST)) - np.log(np.clip(kept[FINE], LEAST, 1))
    return float(SIGMAS_PX[int((apart**2).sum(axis=1).argmin())])


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the power of each band by slope, and what each blur leaves of its amplitude, by slope
    and blur."""
    frequency = np.linspace(0.005, np.pi, 600)
    bands = _responses(frequency) ** 2
    weights = frequency[None, :] ** (1 - SLOPES[:, None])
    power = np.einsum("sf,bf->sb", weights, bands)
    blurs = np.exp(-((SIGMAS_PX[:, None] * frequency[None, :]) ** 2))
    left = np.einsum("sf,bf,gf->sgb", weights, bands, blurs)
    return power, np.sqrt(left / power[:, None, :])


def _responses(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each band of `pyramid` lets through: its filter is [1 4 6 4 1] / 16."""
    passed = np.ones_like(frequency)
    rows = []
    for band in range(BANDS):
        scaled = 2.0**band * frequency
        smooth = np.where(scaled < np.pi, np.cos(np.minimum(scaled, np.pi) / 2) ** 4, 0.0)
        rows.append(passed * (1 - smooth**2))
        passed = passed * smooth
    return np.asarray(rows)
