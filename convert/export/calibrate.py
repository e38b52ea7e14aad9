"""Choose the pictures by which the converter finds the range of every tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from convert.data.augment import FACE_PX, View
from convert.data.dataset import Picture, labels_of
from edge.classify.card import LABELS
from edge.errors import ConfigError
from edge.records import Pixels


def choose_pictures(pictures: Sequence[Picture], count: int, seed: int) -> list[int]:
    """Return the places of `count` pictures, as many of each class, the same ones for one seed.

    Raises ConfigError when a class has too few.
    """
    labels = labels_of(pictures)
    rng = np.random.default_rng(seed)
    present = np.unique(labels).tolist()
    each = count // len(present)
    chosen: list[int] = []
    for label in present:
        name, places = LABELS[label], np.flatnonzero(labels == label)
        if len(places) < each:
            raise ConfigError(
                f"calibration wants {each} training pictures of {name}, there are {len(places)}; "
                f"give --pictures {len(present) * len(places)} at most"
            )
        chosen += [int(place) for place in rng.choice(places, each, replace=False)]
    return sorted(chosen)


def calibration_crops(views: Sequence[View], side_px: int, seed: int) -> Pixels:
    """Return (n, side, side, 3): every other face as it is, the rest from farther away."""
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            view.crop(side_px, _far_px(rng) if place % 2 else None)
            for place, view in enumerate(views)
        ]
    )


def _far_px(rng: Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(FACE_PX))))
