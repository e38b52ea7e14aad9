"""Choose the patterns of the golden self-test: those that tell a wrong preparation best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.classify.card import BARE, Golden
from edge.classify.golden import TOLERANCE_STEPS
from edge.classify.runtime import Int8Network
from edge.patterns import draw
from edge.records import Pixels

CANDIDATES: Final = 512
CHOSEN: Final = 8
_NOISE_WEIGHT: Final = 4


def choose_golden(network: Int8Network, say: Callable[[str], None]) -> Golden:
    """Return the part of `model.json`; say how well it tells.

    A good pattern is answered otherwise when its colors are swapped or its contrast is halved, and
    alike when it is two gray levels brighter or darker, which stands for other kernels' rounding.
    """
    crops = np.stack([draw(number, network.side_px) for number in range(CANDIDATES)])

    def answers(changed: Pixels) -> NDArray[np.int64]:
        return network.answers(changed)[:, BARE].astype(np.int64)

    right = answers(crops)
    swapped = np.abs(answers(np.ascontiguousarray(crops[..., ::-1])) - right)
    paler = np.abs(answers(np.asarray(crops // 2 + 128, np.uint8)) - right)
    grey = crops.astype(np.int16)
    wobble = np.max(
        [
            np.abs(answers(np.asarray(np.clip(grey + level, 0, 255), np.uint8)) - right)
            for level in (-2, 2)
        ],
        axis=0,
    )
    worth = np.minimum(swapped, paler) - _NOISE_WEIGHT * wobble
    best = np.sort(np.argsort(-worth, kind="stable")[:CHOSEN])
    say(
        f"self-test: {CHOSEN} patterns; with swapped colors it would be off by "
        f"{swapped[best].mean():.0f} steps, {TOLERANCE_STEPS:.0f} are allowed"
    )
    all_answers, features = network.outputs(crops[best])
    return Golden(
        recipe="blotches/1",
        patterns=tuple(int(number) for number in best),
        bare_answers=tuple(int(answer) for answer in right[best]),
        answers=tuple(tuple(row) for row in all_answers.tolist()),
        features=tuple(tuple(row) for row in features.tolist()) if network.features_size else (),
    )
