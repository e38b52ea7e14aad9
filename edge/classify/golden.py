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


def self_test(network: Network, golden: Golden, bare: int = BARE) -> None:
    """Raise ModelError unless the network answers its patterns as the bundle says.

    `bare` is the place of the output `without_mask`.
    """
    crops = np.stack([draw(number, network.side_px) for number in golden.patterns])
    try:
        answers = network.answers(crops)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the model cannot be run ({error}); make the bundle again") from error
    # Of each output that is described, over all patterns; the worst counts.
    off = np.abs(answers[:, bare] - np.asarray(golden.bare_answers)).mean()
    if golden.answers:
        off = max(off, np.abs(answers - np.asarray(golden.answers)).mean(axis=0).max())
    off_steps = float(off)
    if off_steps > TOLERANCE_STEPS:
        raise ModelError(
            f"the model fails its self-test: its answers are off by {off_steps:.0f} of 256 steps, "
            f"{TOLERANCE_STEPS:.0f} are allowed; it is not the model described, or "
            f"{runtime_version()} gives wrong results on this machine: install bundle and program "
            "again"
        )
