"""Small networks that convert in a second, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.network import import_keras, quiet_tensorflow
from edge.classify.card import LABELS
from edge.records import Pixels

SIDE_PX = 32


@pytest.fixture(scope="session")
def tiny_network() -> Callable[[], Any]:
    """Return a maker of one-convolution classifiers with a layer called as MobileNetV2 is."""
    with quiet_tensorflow():
        keras = import_keras()

    def make() -> Any:
        keras.utils.set_random_seed(1)
        return keras.Sequential(
            [
                keras.Input((SIDE_PX, SIDE_PX, 3)),
                keras.layers.Conv2D(4, 3, activation="relu", name="backbone"),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(len(LABELS), activation="softmax"),
            ]
        )

    return make


@pytest.fixture(scope="session")
def random_crops() -> Pixels:
    shape = (12, SIDE_PX, SIDE_PX, 3)
    return np.random.default_rng(3).integers(0, 255, shape).astype(np.uint8)
