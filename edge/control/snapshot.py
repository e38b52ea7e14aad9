"""Snapshots: a small picture of the scene in which nobody can be recognized.

Every face is covered, not only the one that a violation is about. So the picture is searched anew,
more eagerly than the road does it: what is no face may be covered, a face may not be missed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.config import DetectorSettings, Settings, SnapshotSettings
from edge.detect.detector import FaceDetector
from edge.detect.detectors import DETECTORS, here, open_detector
from edge.errors import ModelError
from edge.pixels import resize, scaled_size
from edge.records import Box, Frame, Pixels
from edge.track import Tracker

_log = logging.getLogger(__name__)

CONFIDENCE = 0.15
"""Far below what the road asks for: of street faces 1 of 328 from 16 px on is missed with it, and 4
of 176 from 8 to 16 px; with 0.5 they are 12 and 34."""
WINDOW_PX = 640
"""Longest side of what is searched at once: the whole scene for near faces, and, for far ones, its
quarters, almost twice as large. In one piece, these would take four times the memory."""
OVERLAP = 0.1
"""Of two quarters, as a share of them: more than a face that only they show."""
MARGIN = 0.35
"""Added to a face on each side, as a share of it: hair, ears and chin tell who it is, too."""
CELLS = 6
"""Along the longer side of what is covered: between three and four for the face itself."""
MIN_CELL_PX = 8
"""A cell is never smaller, so a head of less than 16 px is one flat patch."""
QUALITIES = (80, 65, 50, 35)
"""Of the JPEG, in this order until it fits; then the picture is made smaller."""
SHRINK = 0.75

FindFaces = Callable[[Frame], Sequence[Box]]
"""Returns what is to be covered, in pixels of the frame."""


class Photographer:
    """Makes the picture that may leave the device."""

    def __init__(self, settings: SnapshotSettings, find_faces: FindFaces | None) -> None:
        """Without `find_faces` nothing is covered."""
        self._settings = settings
        self._find_faces = find_faces

    def take(self, frame: Frame, also: Sequence[Box] = ()) -> bytes | None:
        """Return `frame` as a JPEG of at most `max_bytes`, without metadata, faces covered.

        So is what lies in the boxes `also`, in pixels of the frame. None, and a line in the log,
        where OpenCV cannot do it: a violation goes without it then.
        """
        try:
            return encode_jpeg(self.covered(frame, also), self._settings.max_bytes)
        except cv2.error as error:
            _log.error("no picture: OpenCV fails at it: %s", error.err)
            return None

    def covered(self, frame: Frame, also: Sequence[Box] = ()) -> Pixels:
        """Return a copy of `frame`, no larger than is allowed, with the same faces covered."""
        ratio = min(1.0, self._settings.longest_side_px / max(frame.width, frame.height))
        picture = _scaled(frame.pixels, ratio).copy()
        for box in self._found(frame, also):
            pixelate(picture, box.scaled(ratio, ratio))
        return picture

    def _found(self, frame: Frame, also: Sequence[Box]) -> Sequence[Box]:
        return () if self._find_faces is None else (*also, *self._find_faces(frame))


class FaceSearch:
    """Finds whatever may be a face, and whoever is in sight without being found."""

    def __init__(
        self,
        detector: FaceDetector,
        expected: Callable[[float], Sequence[Box]] = lambda now_s: (),
        *,
        quarters: bool = True,
    ) -> None:
        """`expected` returns where the people in sight are at a monotonic time. Without `quarters`
        the scene is searched as a whole only, in a fifth of the time."""
        self._detector = detector
        self._expected = expected
        self._quarters = quarters

    def __call__(self, frame: Frame) -> Sequence[Box]:
        near = WINDOW_PX / max(frame.width, frame.height)
        if not self._quarters:
            scene = _scaled(frame.pixels, near)
            return [*self._expected(frame.monotonic_s), *self._found(scene, near)]
        far = near * (2 - OVERLAP)
        scene, large = _scaled(frame.pixels, near), _scaled(frame.pixels, far)
        height, width = scene.shape[:2]
        boxes = [*self._expected(frame.monotonic_s), *self._found(scene, near)]
        for top in (0, large.shape[0] - height):
            for left in (0, large.shape[1] - width):
                quarter = np.ascontiguousarray(large[top : top + height, left : left + width])
                boxes += self._found(quarter, far, left, top)
        return boxes

    def _found(self, pixels: Pixels, ratio: float, left: int = 0, top: int = 0) -> list[Box]:
        """Return what may be a face in a part, at (left, top), of the frame scaled by `ratio`."""
        return [
            face.box.moved(left, top).scaled(1 / ratio, 1 / ratio)
            for face in self._detector.find(pixels)
        ]


def pixelate(picture: Pixels, box: Box) -> None:
    """Replace the head around the face in `box` by a few even cells, in place.

    Each is the mean of the pixels below it, of a picture that is no larger than what is sent: of
    anything finer nothing is left.
    """
    head = box.grown(MARGIN)
    cell = max(MIN_CELL_PX, max(head.width, head.height) / CELLS)
    inside = head.clipped(picture.shape[1], picture.shape[0])
    if inside is None:
        return
    x0, y0 = math.floor(inside.left), math.floor(inside.top)
    x1, y1 = math.ceil(inside.right), math.ceil(inside.bottom)
    cells = (max(1, int((x1 - x0) / cell)), max(1, int((y1 - y0) / cell)))
    few = cv2.resize(picture[y0:y1, x0:x1], cells, interpolation=cv2.INTER_AREA)
    picture[y0:y1, x0:x1] = cv2.resize(few, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)


def encode_jpeg(picture: Pixels, max_bytes: int) -> bytes:
    """Return `picture` as a JPEG of at most `max_bytes`, as good and as large as that allows."""
    while True:
        for quality in QUALITIES:
            _, jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
            if len(jpeg) <= max_bytes:
                return jpeg.tobytes()
        picture = _scaled(picture, SHRINK)


def open_photographer(settings: Settings, tracker: Tracker) -> Photographer | None:
    """Return who takes the pictures; None where none may be taken.

    Raises ModelError where faces are to be covered, and the detector for that is not here.
    """
    match settings.snapshots.pictures:
        case "none":
            return None
        case "faces":
            _log.warning('recognizable people leave this device: [snapshots] pictures = "faces"')
            return Photographer(settings.snapshots, None)
        case "pixelated":
            try:
                detector = open_covering(settings.detector)
            except ModelError as error:
                raise ModelError(
                    '[snapshots] pictures = "pixelated" needs a detector that misses few small '
                    f"faces: {error}"
                ) from error
            return Photographer(settings.snapshots, FaceSearch(detector, tracker.expected))


def open_covering(settings: DetectorSettings) -> FaceDetector:
    """Open the detector that may cover faces: the road's, where it is one, else the first here."""
    covering = [known for known in DETECTORS.values() if known.covers]
    known = next(
        (each for each in covering if each.name == settings.name),
        next((each for each in covering if each in here()), covering[0]),
    )
    fits = Path(settings.model).suffix.lower() == known.weights.kind
    return open_detector(known.name, settings.model if fits else "", CONFIDENCE)


def _scaled(pixels: Pixels, ratio: float) -> Pixels:
    if ratio == 1:
        return pixels
    return resize(pixels, scaled_size(pixels, ratio))
