"""Where the faces are in a data set's pictures, as the camera's own detector would box them.

The boxes are cached in a file, keyed by the picture's digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import msgspec
import numpy as np

from convert.data.dataset import Dataset, Picture, limit_side
from convert.files import read_document

if TYPE_CHECKING:
    from edge.detect.detector import FaceDetector
from edge.records import Box, Face, Pixels

VIEWS = ((320, 0.0), (160, 0.0), (320, 0.35), (96, 0.5))
"""The looks taken at a picture: longest side in px, border as a share of it. YuNet misses faces
that fill a picture: those want a border and few pixels."""
SURE = 0.8
"""The first look that finds a face so surely is the last; else the surest look counts."""
COMPARABLE = 0.5
"""Faces at least this share of the largest one's side belong to the picture's subject too."""
DOUBTFUL = 0.85
"""Boxes below this share of the best confidence are left out: hair and hands, seen as faces."""


class FaceRecord(msgspec.Struct, frozen=True):
    """The boxes of one picture, in pixels of the decoded picture; largest first, or none."""

    sha256: str
    boxes: tuple[tuple[float, float, float, float], ...]


class FaceFile(msgspec.Struct, frozen=True):
    """The cache: which detector looked, and what it found."""

    detector: str
    records: list[FaceRecord]


Boxes = dict[str, tuple[Box, ...]]
"""The located faces by the picture's sha256."""


def locate(pixels: Pixels, detector: FaceDetector) -> tuple[Box, ...]:
    """Return the boxes of the largest face in the picture and of those comparable; () if none."""
    surest: list[Face] = []
    for side_px, border in VIEWS:
        faces = _look(pixels, detector, side_px, border)
        if _confidence(faces) > _confidence(surest):
            surest = faces
        if _confidence(surest) >= SURE:
            break
    boxes = [face.box for face in surest if face.confidence >= DOUBTFUL * _confidence(surest)]
    largest = max((box.size_px for box in boxes), default=0.0)
    kept = [box for box in boxes if box.size_px >= COMPARABLE * largest]
    return tuple(sorted(kept, key=lambda box: -box.area))


def _confidence(faces: list[Face]) -> float:
    return max((face.confidence for face in faces), default=0.0)


def _look(pixels: Pixels, detector: FaceDetector, side_px: int, border: float) -> list[Face]:
    """Return the faces in the picture shrunk to `side_px`, in pixels of the picture as it is."""
    view = limit_side(pixels, side_px)
    height, width = view.shape[:2]
    edge = round(border * max(height, width))
    if edge:
        framed = cv2.copyMakeBorder(view, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        view = np.asarray(framed, np.uint8)
    x, y = pixels.shape[1] / width, pixels.shape[0] / height
    found = (
        Face(face.box.moved(-edge, -edge).scaled(x, y), face.confidence)
        for face in detector.find(view)
    )
    return [face for face in found if face.box.clipped(pixels.shape[1], pixels.shape[0])]


def locate_all(
    dataset: Dataset,
    pictures: Iterable[Picture],
    detector: FaceDetector | None,
    detector_name: str,
    cache: Path,
    progress: Callable[[Iterable[Picture]], Iterable[Picture]] = lambda pictures: pictures,
) -> Boxes:
    """Return the faces of each picture, from `cache` where it holds them.

    The cache is brought up to date. Without a detector no face is located.
    """
    known = _read_cache(cache, detector_name)
    boxes: Boxes = {}
    for picture in progress(pictures):
        found = known.get(picture.sha256)
        if found is None:
            found = () if detector is None else locate(dataset.read(picture), detector)
        boxes[picture.sha256] = found
    records = [
        FaceRecord(sha256, tuple(box.sides for box in found))
        for sha256, found in sorted((known | boxes).items())
    ]
    cache.write_bytes(msgspec.json.encode(FaceFile(detector_name, records)))
    return boxes


def read_faces(path: Path) -> Boxes:
    """Read the faces that an earlier step located. Raises ConfigError."""
    return _boxes_in(_read(path))


def _read_cache(path: Path, detector_name: str) -> Boxes:
    if not path.exists():
        return {}
    file = _read(path)
    return _boxes_in(file) if file.detector == detector_name else {}


def _read(path: Path) -> FaceFile:
    return read_document(path, FaceFile, "train")


def _boxes_in(file: FaceFile) -> Boxes:
    return {record.sha256: tuple(Box(*box) for box in record.boxes) for record in file.records}
