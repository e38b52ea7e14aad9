"""What a network is to its users, and the table of those that a bundle may hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.classify.runtime import Int8Network
from edge.errors import ModelError
from edge.records import Pixels


class Network(Protocol):
    """A classifier in some runtime: crops in, probabilities out, perhaps with features."""

    side_px: int
    labels: int
    """How many probabilities there are."""
    features_size: int
    """How many features there are; 0: it gives none."""
    input_quantization: tuple[float, int]
    output_quantization: tuple[float, int]
    features_quantization: tuple[float, int] | None
    """None: it gives none."""

    def probabilities(self, crops: Pixels) -> NDArray[np.float32]:
        """Return (n, labels) probabilities for crops (n, side, side, 3) uint8 BGR."""
        ...

    def answers(self, crops: Pixels) -> NDArray[np.int8]:
        """Return the same as int8 steps, 1/256 of a probability each."""
        ...

    def outputs(self, crops: Pixels) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return the answers (n, labels) and the features (n, features_size) of the same run, as
        int8 steps: what a self-test holds."""
        ...


NETWORKS: Final[dict[str, Callable[[bytes, int], Network]]] = {"tflite-int8": Int8Network}
"""By the card's `format`: what loads the bytes of the model for this many threads."""


def open_network(format_: str, model: bytes, threads: int = 1) -> Network:
    """Load a model of that format. Raises ModelError when it is unknown or cannot be loaded."""
    if format_ not in NETWORKS:
        raise ModelError(
            f"the model's format is {format_}; this program runs {', '.join(NETWORKS)}: "
            "make the bundle again, or install a newer program"
        )
    return NETWORKS[format_](model, threads)
