"""The golden self-test: a few patterns of which the bundle says how its model answers them.

It finds what a digest cannot: a runtime that calculates wrongly, an input prepared in another way
than the model was trained on, a model that is not the one described. Patterns are drawn from their
number by whole-number arithmetic, the same on every machine, so a bundle holds no pictures.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.classify.card import BARE, Golden
from edge.classify.network import Network
from edge.classify.runtime import runtime_version
from edge.errors import ModelError
from edge.records import Pixels

TOLERANCE_STEPS: Final = 12.0
"""How far the answers may be off in the mean, in steps of 1/256. XNNPACK answers alike to the step
on x86-64 and on ARM, in LiteRT 1.4 and 2.3; the runtimes' other kernels are off by up to 6 (they
round elsewhere, 50 layers long); swapped channels, a wrong scale or another training by 21 and
more.
"""

_CELLS: Final = (2, 3, 4, 6, 8)


def draw(number: int, side_px: int) -> Pixels:
    """Return pattern `number` as a crop (side_px, side_px, 3) uint8 BGR: blotches of colour.

    A grid of random colours, with everything between them interpolated.
    """
    cells = _CELLS[number % len(_CELLS)]
    corners = _noise(number, 3 * (cells + 1) ** 2).reshape(cells + 1, cells + 1, 3)
    # In 256ths of a cell.
    places = np.arange(side_px) * cells * 256 // side_px
    before, weight = places >> 8, (places & 255)[:, None]
    rows = corners[before] * (256 - weight[..., None]) + corners[before + 1] * weight[..., None]
    pixels = rows[:, before] * (256 - weight) + rows[:, before + 1] * weight
    return np.asarray(pixels >> 16, np.uint8)


def self_test(network: Network, golden: Golden, bare: int = BARE) -> None:
    """Raise ModelError unless the network answers its patterns as the bundle says.

    `bare` is the place of the output `without_mask`.
    """
    crops = np.stack([draw(number, network.side_px) for number in golden.patterns])
    try:
        answers = network.answers(crops)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the model cannot be run ({error}); make the bundle anew") from error
    # Of each output that is described, over all patterns; the worst counts.
    off = np.abs(answers[:, bare] - np.asarray(golden.bare_answers)).mean()
    if golden.answers:
        off = max(off, np.abs(answers - np.asarray(golden.answers)).mean(axis=0).max())
    off_steps = float(off)
    if off_steps > TOLERANCE_STEPS:
        raise ModelError(
            f"the model fails its self-test: its answers are off by {off_steps:.0f} of 256 steps, "
            f"{TOLERANCE_STEPS:.0f} are allowed; it is not the model described, or "
            f"{runtime_version()} does not run it rightly: install bundle and program again"
        )


def _noise(seed: int, count: int) -> NDArray[np.int64]:
    """Return `count` values of 0 to 255, by SplitMix64 (Steele, Lea and Flood, 2014)."""
    # numpy's own generators may change from version to version.
    state = np.uint64(seed << 32) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(56)).astype(np.int64)
