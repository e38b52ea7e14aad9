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

from edge.classify.preprocess import resize
from edge.config import DetectorSettings
from edge.detect import weights
from edge.errors import ModelError
from edge.records import Box, Face, Frame, Pixels

CUT = 0.02
"""A face as near to the edge of a part, as a share of its side, may go on beyond."""


class FaceDetector(Protocol):
    """A back end."""

    name: str
    sure: float
    """The score from which on a find is so surely a face that a track may begin with it."""
    input_px: int | None
    """The longest side of what it makes of every picture, so that a small one saves nothing; None:
    it takes pictures as they are."""

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

    def detect(
        self, frame: Frame, quick: bool = False, part: Box | None = None
    ) -> tuple[Face, ...]:
        """Return the faces that matter, boxes in pixels of `frame.pixels`.

        A quick look, in a small picture, is for large faces, and costs a fraction. With `part` only
        that part of the frame is looked at, in the size of a look at the whole, and only faces that
        lie within it are returned.
        """
        source = frame.pixels if frame.lores is None else frame.lores
        size = self._size(source, quick and self._detector.input_px is None)
        if part is None:
            part = Box(0, 0, frame.width, frame.height)
        else:
            source = frame.pixels[_slices(part)]
        picture = source if source.shape[1::-1] == size else resize(source, size)
        x, y = part.width / size[0], part.height / size[1]
        found = (
            Face(face.box.scaled(x, y).moved(part.left, part.top), face.confidence)
            for face in self._detector.find(picture)
        )
        return tuple(
            face for face in found if self._matters(face, frame) and _is_in(face, part, frame)
        )

    def scale(self, frame: Frame) -> float:
        """Return how many of the detector's pixels one of the frame's is in a look at the whole."""
        if self._detector.input_px is not None:
            return self._detector.input_px / max(frame.width, frame.height)
        whole = frame.pixels if frame.lores is None else frame.lores
        return self._size(whole, quick=False)[0] / frame.width

    def _size(self, pixels: Pixels, quick: bool) -> tuple[int, int]:
        """Return width and height of the picture that the detector gets of `pixels`."""
        height, width = pixels.shape[:2]
        longest = max(width, height)
        most = self._settings.quick_side_px if quick else self._settings.longest_side_px
        if longest > most:
            ratio = most / longest
        elif longest < self._settings.upscale_below_px and not quick:
            ratio = 2.0
        else:
            ratio = 1.0
        return max(1, round(width * ratio)), max(1, round(height * ratio))

    def _matters(self, face: Face, frame: Frame) -> bool:
        if face.box.size_px < self._settings.min_face_px:
            return False
        if self._region is None:
            return True
        x, y = face.box.centre
        point = (x / frame.width, y / frame.height)
        return cv2.pointPolygonTest(self._region, point, False) >= 0


def _slices(part: Box) -> tuple[slice, slice]:
    return slice(int(part.top), int(part.bottom)), slice(int(part.left), int(part.right))


def _is_in(face: Face, part: Box, frame: Frame) -> bool:
    """Tell whether the face is not cut by an edge of `part` that is none of the frame's."""
    x, y = CUT * part.width, CUT * part.height
    return (
        (part.left <= 0 or face.box.left > part.left + x)
        and (part.top <= 0 or face.box.top > part.top + y)
        and (part.right >= frame.width or face.box.right < part.right - x)
        and (part.bottom >= frame.height or face.box.bottom < part.bottom - y)
    )
