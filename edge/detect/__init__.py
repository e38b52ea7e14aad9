"""Detect: where the faces are in a frame.

A back end (`yunet`, `res10`) finds faces in a picture as it is. The step around it,
`FaceDetection`, chooses the picture: the small stream where there is one, scaled to what the
settings ask for. It keeps the faces that matter: sure enough, large enough, inside the region of
interest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edge import weights
from edge.config import DetectorSettings
from edge.errors import ModelError
from edge.records import Face, Frame, Pixels


class FaceDetector(Protocol):
    """A back end."""

    name: str
    sure: float
    """The score from which on a find is so surely a face that a track may begin with it."""
    scales: bool
    """Whether it scales every picture to one size, so that a small one saves nothing."""

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        """Return the faces in `pixels`, boxes inside it and in its pixels, the surest first."""
        ...


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


class FaceDetection:
    """One frame in, its faces out."""

    def __init__(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        self._detector = detector
        self._settings = settings
        self._region = np.array(settings.region, np.float32) if settings.region else None

    @property
    def name(self) -> str:
        return self._detector.name

    def detect(self, frame: Frame, quick: bool = False) -> tuple[Face, ...]:
        """Return the faces that matter, boxes in pixels of `frame.pixels`.

        A quick look, in a small picture, is for large faces, and costs a fraction.
        """
        source = frame.pixels if frame.lores is None else frame.lores
        picture = self._scaled(source, quick and not self._detector.scales)
        x = frame.width / picture.shape[1]
        y = frame.height / picture.shape[0]
        faces = (
            Face(face.box.scaled(x, y), face.confidence) for face in self._detector.find(picture)
        )
        return tuple(face for face in faces if self._matters(face, frame))

    def _scaled(self, pixels: Pixels, quick: bool) -> Pixels:
        height, width = pixels.shape[:2]
        longest = max(width, height)
        most = self._settings.quick_side_px if quick else self._settings.longest_side_px
        if longest > most:
            ratio, how = most / longest, cv2.INTER_AREA
        elif longest < self._settings.upscale_below_px and not quick:
            ratio, how = 2.0, cv2.INTER_LINEAR
        else:
            return pixels
        size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
        return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)

    def _matters(self, face: Face, frame: Frame) -> bool:
        if face.box.size_px < self._settings.min_face_px:
            return False
        if self._region is None:
            return True
        x, y = face.box.centre
        point = (x / frame.width, y / frame.height)
        return cv2.pointPolygonTest(self._region, point, False) >= 0
