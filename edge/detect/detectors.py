"""The detectors that there are, by name."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge.detect import weights
from edge.detect.detector import FaceDetector
from edge.errors import ModelError


def open_detector(
    name: str = "auto", model: str = "", confidence: float | None = None
) -> FaceDetector:
    """Load a back end: `yunet`, `res10`, or `auto` for yunet where it has been fetched.

    `model` is the path of weights of one's own choice; without it the known ones are used, checked
    by digest. Without `confidence` the back end's own holds. Raises ModelError when the weights are
    missing or cannot be read.
    """
    if name == "auto":
        name = "yunet" if weights.locate(weights.YUNET) or model.endswith(".onnx") else "res10"
    try:
        if name == "yunet":
            from edge.detect.yunet import YuNet

            (network,) = _contents(weights.YUNET, model)
            return YuNet(network, confidence)
        from edge.detect.res10 import Res10

        description, network = _contents(weights.RES10, model)
        return Res10(description, network, confidence)
    except cv2.error as error:
        raise ModelError(
            f"{model or name}: OpenCV {cv2.__version__} cannot read these weights of {name} "
            f"({error.err}); is it the right file?"
        ) from error


def _contents(known: weights.Weights, model: str) -> tuple[bytes, ...]:
    if not model:
        return weights.read(known)
    # Weights of the owner's choice: the last file is the one named, others lie beside it.
    path = Path(model)
    paths = [path.with_name(file.name) for file in known.files[:-1]] + [path]
    try:
        return tuple(each.read_bytes() for each in paths)
    except OSError as error:
        raise ModelError(
            f"{error.filename}: {error.strerror}; [detector] model (--detector-model) names the "
            f"weights of {known.detector}"
        ) from error
