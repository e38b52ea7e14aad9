"""A small picture of the scene in which nobody can be recognized."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

import cv2

from edge.config import Settings, SnapshotSettings
from edge.errors import ModelError
from edge.pixels import scaled
from edge.privacy.heads import FaceSearch, FindFaces, open_covering
from edge.records import Box, Frame, Pixels
from edge.track import Tracker

_log = logging.getLogger(__name__)

MARGIN = 0.35
"""Added to a face on each side, as a share of it: hair, ears and chin tell who it is, too."""
CELLS = 6
"""Along the longer side of what is covered: between three and four for the face itself."""
MIN_CELL_PX = 8
"""A cell is never smaller, so a head of less than 16 px is one flat patch."""
QUALITIES = (80, 65, 50, 35)
"""Of the JPEG, in this order until it fits; then the picture is made smaller."""
SHRINK = 0.75


class Photographer:
    """Makes the picture that may leave the device."""

    def __init__(self, settings: SnapshotSettings, find_faces: FindFaces | None) -> None:
        """Without `find_faces` nothing is covered."""
        self.also_to: Callable[[bytes], None] = lambda picture: None
        """Who else gets each picture that is taken, in the same thread."""
        self._settings = settings
        self._find_faces = find_faces

    def take(self, frame: Frame, also: Sequence[Box] = ()) -> bytes | None:
        """Return `frame` as a JPEG of at most `max_bytes`, without metadata, faces covered.

        So is what lies in the boxes `also`, in pixels of the frame. None, and a line in the log,
        where OpenCV cannot do it: a violation goes without it then.
        """
        try:
            picture = encode_jpeg(self.covered(frame, also), self._settings.max_bytes)
        except cv2.error as error:
            _log.error("no picture: OpenCV fails at it: %s", error.err)
            return None
        self.also_to(picture)
        return picture

    def covered(self, frame: Frame, also: Sequence[Box] = ()) -> Pixels:
        """Return a copy of `frame`, no larger than is allowed, with the same faces covered."""
        ratio = min(1.0, self._settings.longest_side_px / max(frame.width, frame.height))
        picture = scaled(frame.pixels, ratio).copy()
        for box in self._found(frame, also):
            pixelate(picture, box.scaled(ratio, ratio))
        return picture

    def _found(self, frame: Frame, also: Sequence[Box]) -> Sequence[Box]:
        return () if self._find_faces is None else (*also, *self._find_faces(frame))


def close_up(
    frame: Frame, part: Box, heads: Sequence[Box], longest_side_px: int, max_bytes: int
) -> bytes:
    """Return a part of `frame` as a JPEG of at most `max_bytes`, without metadata, in which the
    heads around these faces are covered. `part` and `heads` are in pixels of the frame; what lies
    outside of it is not there.

    Raises cv2.error where OpenCV cannot do it.
    """
    inside = part.clipped(frame.width, frame.height) or Box(0, 0, frame.width, frame.height)
    left, top = math.floor(inside.left), math.floor(inside.top)
    pixels = frame.pixels[top : math.ceil(inside.bottom), left : math.ceil(inside.right)]
    ratio = min(1.0, longest_side_px / max(pixels.shape[:2]))
    picture = scaled(pixels, ratio).copy()
    for each in heads:
        pixelate(picture, each.moved(-left, -top).scaled(ratio, ratio))
    return encode_jpeg(picture, max_bytes)


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
        picture = scaled(picture, SHRINK)


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
