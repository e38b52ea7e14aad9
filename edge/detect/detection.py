"""Which picture of a frame a detector gets, and which of its detections matter.

A back end (`yunet`, `res10`) finds faces in a picture as it is. The step around it chooses that:
the small stream where there is one, scaled to what the settings ask for. It keeps the faces that
matter: sure enough, large enough, inside the area that is watched. With the whole picture goes a
small one, for faces that fill it.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.config import DetectorSettings
from edge.detect.area import Area
from edge.detect.detector import FaceDetector
from edge.pixels import resize, scaled_size
from edge.records import Box, Face, Frame, Pixels

CUT = 0.02
"""A face as near to the edge of a part, as a share of its side, may go on beyond."""
NEAR_SIDE_PX = 160
"""The longest side of a second, small picture: a detector that was trained on small faces misses
those that fill a large one. It costs a sixteenth of the first in multiply-adds."""
NEAR_FACE_PX = 16.0
"""Smaller faces there are left to the large picture."""
SAME_IOU = 0.3
"""Faces of both pictures that overlap more are one,"""
PART = 0.6
"""and so are those of which this share of the smaller lies in the other: a mouth and a chin."""


class FaceDetection:
    """One frame in, its faces out."""

    def __init__(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        self._detector = detector
        self._settings = settings
        self.area = Area(settings.watched, settings.excluded)
        self.outside: tuple[Face, ...] = ()
        """Large enough, but not in the area: of the last call, for what shows them."""

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
        is_whole = part is None
        if part is None:
            part = Box(0, 0, frame.width, frame.height)
        else:
            source = frame.pixels[_slices(part)]
        picture = source if source.shape[1::-1] == size else resize(source, size)
        x, y = part.width / size[0], part.height / size[1]
        faces = self._detector.find(picture)
        if is_whole and not quick:
            faces = with_near(faces, self._near(picture))
        found = (
            Face(face.box.scaled(x, y).moved(part.left, part.top), face.confidence)
            for face in faces
        )
        whole = [
            face
            for face in found
            if face.box.size_px >= self._settings.min_face_px and _is_in(face, part, frame)
        ]
        inside = tuple(face for face in whole if self.counts(face.box, frame))
        self.outside = tuple(face for face in whole if not self.counts(face.box, frame))
        return inside

    def _near(self, picture: Pixels) -> tuple[Face, ...]:
        """Return the large faces of `picture`, in its pixels, as they are found in a small one."""
        size = scaled_size(picture, NEAR_SIDE_PX / max(picture.shape[:2]))
        if self._detector.input_px is not None or min(size) >= min(picture.shape[1::-1]):
            return ()
        x, y = picture.shape[1] / size[0], picture.shape[0] / size[1]
        return tuple(
            Face(face.box.scaled(x, y), face.confidence)
            for face in self._detector.find(resize(picture, size))
            if face.box.size_px >= NEAR_FACE_PX
        )

    def scale(self, frame: Frame) -> float:
        """Return how many of the detector's pixels one of the frame's is in a look at the whole."""
        if self._detector.input_px is not None:
            return self._detector.input_px / max(frame.width, frame.height)
        whole = frame.pixels if frame.lores is None else frame.lores
        return self._size(whole, quick=False)[0] / frame.width

    def _size(self, pixels: Pixels, quick: bool) -> tuple[int, int]:
        """Return width and height of the picture that the detector gets of `pixels`."""
        longest = max(pixels.shape[:2])
        most = self._settings.quick_side_px if quick else self._settings.longest_side_px
        if longest > most:
            ratio = most / longest
        elif longest < self._settings.upscale_below_px and not quick:
            ratio = 2.0
        else:
            ratio = 1.0
        return scaled_size(pixels, ratio)

    def counts(self, box: Box, frame: Frame) -> bool:
        """Return whether a face at `box` is inside the area that is watched."""
        x, y = box.centre
        return self.area.holds(x / frame.width, y / frame.height)


def with_near(faces: Sequence[Face], near: Sequence[Face]) -> tuple[Face, ...]:
    """Return the faces of both pictures, each once and where it was found more surely."""
    found = [(False, face) for face in faces] + [(True, face) for face in near]
    kept: list[tuple[bool, Face]] = []
    for is_near, face in sorted(found, key=lambda each: -each[1].confidence):
        if not any(of_near is not is_near and _is_same(face.box, o.box) for of_near, o in kept):
            kept.append((is_near, face))
    return tuple(face for _, face in kept)


def _is_same(one: Box, other: Box) -> bool:
    """Return whether boxes of the two pictures show one face, or a part of it."""
    is_part = one.shared_area(other) >= PART * min(one.area, other.area)
    return is_part or one.iou(other) >= SAME_IOU


def _slices(part: Box) -> tuple[slice, slice]:
    return slice(int(part.top), int(part.bottom)), slice(int(part.left), int(part.right))


def _is_in(face: Face, part: Box, frame: Frame) -> bool:
    """Return whether the face is not cut by an edge of `part` that is none of the frame's."""
    x, y = CUT * part.width, CUT * part.height
    return (
        (part.left <= 0 or face.box.left > part.left + x)
        and (part.top <= 0 or face.box.top > part.top + y)
        and (part.right >= frame.width or face.box.right < part.right - x)
        and (part.bottom >= frame.height or face.box.bottom < part.bottom - y)
    )
