"""What a detector finds in pictures whose labels are incomplete, kept in a file by their digest.

It looks at each picture in two sizes: small faces are what labels lack most, and faces that fill a
large picture are what detectors miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from convert.detector.scenes import DOUBTFUL, Find, Sides
from convert.files import read_document, write_document
from edge.pixels import resize, scaled_size
from edge.records import Box, Face, Pixels

if TYPE_CHECKING:
    from edge.detect.detector import FaceDetector

RATIOS = (0.5, 1.25)
LONGEST_PX = 1024
SAME_FACE_IOU = 0.3
SAVED_EVERY = 500


class Finds(msgspec.Struct, frozen=True):
    """`finds.json`."""

    detector: str
    """sha256 of the file that looked."""
    found: dict[str, list[Find]]
    """By the picture's sha256; the surest first, none below `DOUBTFUL`."""


def find_all(
    pictures: Iterable[tuple[str, Pixels]],
    detector: FaceDetector,
    digest: str,
    cache: Path,
    progress: Callable[[Iterable[tuple[str, Pixels]]], Iterable[tuple[str, Pixels]]],
    ratios: Sequence[float] = RATIOS,
) -> dict[str, list[Find]]:
    """Return the detections in each picture, given with its sha256; from `cache` where known."""
    known: dict[str, list[Find]] = {}
    if cache.exists():
        file = read_document(cache, Finds, "detector train")
        known = file.found if file.detector == digest else {}
    for sha256, pixels in progress(pictures):
        if sha256 not in known:
            known[sha256] = find(pixels, detector, ratios)
            if len(known) % SAVED_EVERY == 0:
                write_document(cache, Finds(digest, known))
    write_document(cache, Finds(digest, known))
    return known


def find(pixels: Pixels, detector: FaceDetector, ratios: Sequence[float] = RATIOS) -> list[Find]:
    """Return what the detector finds in the picture at each of the ratios, a face once."""
    faces: list[Face] = []
    most = LONGEST_PX / max(pixels.shape[:2])
    for ratio in sorted({min(ratio, most) for ratio in ratios}):
        view = resize(pixels, scaled_size(pixels, ratio))
        x, y = pixels.shape[1] / view.shape[1], pixels.shape[0] / view.shape[0]
        faces += [Face(f.box.scaled(x, y), f.confidence) for f in detector.find(view)]
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.confidence):
        if face.confidence >= DOUBTFUL and not any(
            face.box.iou(other.box) > SAME_FACE_IOU for other in kept
        ):
            kept.append(face)
    return [(_rounded(face.box), round(face.confidence, 3)) for face in kept]


def _rounded(box: Box) -> Sides:
    left, top, right, bottom = (round(side, 1) for side in box.sides)
    return left, top, right, bottom
