"""The golden self-test: a few patterns of which the bundle says how its model answers them.

It finds what a digest cannot: a runtime that calculates wrongly, an input prepared in another way
than the model was trained on, a model that is not the one described.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edge.classify.card import BARE, Golden
from edge.classify.network import Network
from edge.classify.runtime import runtime_version
from edge.errors import ModelError
from edge.patterns import draw

TOLERANCE_STEPS: Final = 12.0
"""How far the answers may be off in the mean, in steps of 1/256. XNNPACK answers alike to the step
on x86-64 and on ARM, in LiteRT 1.4 and 2.3; the runtimes' other kernels are off by up to 6 (they
round elsewhere, 50 layers long); swapped channels, a wrong scale or another training by 21 and
more.
"""
FEATURES_TOLERANCE: Final = 0.5
"""How far the features may be off in the mean, as a share of their mean size: most are zero, so
steps alone tell little. The runtimes' other kernels are off by 0.07, swapped colors, half the
contrast and features in another order by 0.9 and more."""


def self_test(network: Network, golden: Golden, bare: int = BARE) -> None:
    """Raise ModelError unless the network answers its patterns as the bundle says.

    `bare` is the place of the output `without_mask`.
    """
    crops = np.stack([draw(number, network.side_px) for number in golden.patterns])
    try:
        answers, features = network.outputs(crops)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the model cannot be run ({error}); make the bundle again") from error
    # Of each output that is described, over all patterns; the worst counts.
    off = np.abs(answers[:, bare] - np.asarray(golden.bare_answers)).mean()
    if golden.answers:
        off = max(off, np.abs(answers - np.asarray(golden.answers)).mean(axis=0).max())
    off_steps = float(off)
    if off_steps > TOLERANCE_STEPS:
        raise _failed(
            f"its answers are off by {off_steps:.0f} of 256 steps, "
            f"{TOLERANCE_STEPS:.0f} are allowed"
        )
    if golden.features and network.features_quantization is not None:
        wanted = np.asarray(golden.features, np.float64)
        size_steps = float(np.abs(wanted - network.features_quantization[1]).mean())
        off_steps = float(np.abs(features - wanted).mean())
        if off_steps > FEATURES_TOLERANCE * size_steps:
            raise _failed(
                f"its features are off by {off_steps:.1f} of 256 steps, "
                f"{FEATURES_TOLERANCE * size_steps:.1f} are allowed"
            )


def _failed(how: str) -> ModelError:
    return ModelError(
        f"the model fails its self-test: {how}; it is not the model described, or "
        f"{runtime_version()} gives wrong results on this machine: install bundle and program again"
    )
