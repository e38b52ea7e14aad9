"""The `detector evaluate` step: what detectors find of labeled faces, and what else they find.

At a picture's own size, as the program looks at a camera's. Detectors are compared where they find
equally much that nobody has labeled: a lower limit always finds more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.data.prepare import Bar
from convert.data.voc import BoxedPicture, read_boxed
from convert.detector.scenes import FaceKind, Sides
from convert.files import read_document, write_atomically, write_document
from convert.measure.figures import Band
from convert.measure.gallery import GALLERY_MARGIN, MOST, TILE_PX, write_gallery
from convert.measure.metrics import MIN_IOU
from edge.classify.preprocess import crop_face
from edge.detect.detector import FaceDetector
from edge.detect.detectors import open_detector
from edge.errors import ConfigError
from edge.records import Box, Face

LOWEST = 0.05
"""Score from which on detections are counted at all."""
SMALLEST_PX = 12.0
"""Detections below this are not counted: the program does not look at them either."""
RATES = (12.0, 3.0)
"""Finds without a label in 100 pictures at which detectors are compared."""
BANDS = (Band(12, 16), Band(16, 24), Band(24, 32), Band(16, 32), Band(32, 64), Band(32, None))
Word = Literal["masked", "bare", "worn_wrongly"]
KINDS: dict[FaceKind, Word] = {
    FaceKind.MASKED: "masked",
    FaceKind.BARE: "bare",
    FaceKind.WORN_WRONGLY: "worn_wrongly",
}


@dataclass(frozen=True, slots=True)
class DetectorEvaluateOptions:
    """The options of the command, as the command line describes them."""

    boxed: tuple[Path, ...]
    output: Path
    detectors: tuple[str, ...]
    """Names, or files of YuNet's architecture."""
    split: Path | None = None
    part: str = "all"


class Found(msgspec.Struct, frozen=True):
    """How many of the faces of one kind and size are found."""

    band: Band
    kind: Word
    faces: int
    found: int


class DetectorPoint(msgspec.Struct, frozen=True):
    """A detector at one limit of its scores."""

    score: float
    unlabelled_in_100: float
    """Finds without a label in 100 pictures."""
    found: list[Found]


class DetectorScore(msgspec.Struct, frozen=True):
    """One detector on one set."""

    detector: str
    data: str
    pictures: int
    box_iou: float
    """The mean over the matched detections at the first point: how tight the boxes are."""
    points: list[DetectorPoint]
    """At each of `RATES`."""


class DetectorEvaluation(msgspec.Struct, frozen=True):
    """`detector-PART.json`."""

    part: str
    scores: list[DetectorScore]


def read_evaluation(path: Path) -> DetectorEvaluation:
    """Read what the step wrote. Raises ConfigError."""
    return read_document(path, DetectorEvaluation, "detector evaluate")


def evaluate_detectors(
    options: DetectorEvaluateOptions, bar: Bar, say: Callable[[str], None]
) -> DetectorEvaluation:
    """Run the step: print the table, write it, the figures, and galleries of the detections that
    have no label. Raises ConfigError and ModelError."""
    if not options.boxed:
        raise ConfigError("give --boxed DIR at least once")
    cv2.setNumThreads(2)
    scores = []
    for folder in options.boxed:
        boxed = read_boxed(folder, lambda paths: bar(paths, "boxed set"))
        pictures = boxed.of_part(options.part, options.split)
        for name in options.detectors:
            found = look(pictures, _open(name), lambda items: bar(items, "looking"))
            scores.append(_score(name, folder.resolve().name, len(pictures), found))
            stem = f"detector-{options.part}-{folder.resolve().name}-{Path(name).stem}"
            _gallery(pictures, found, options.output / f"{stem}-unlabelled.png")
    evaluation = DetectorEvaluation(options.part, scores)
    write_document(options.output / f"detector-{options.part}.json", evaluation)
    report = describe(evaluation)
    write_atomically(options.output / f"detector-{options.part}.txt", report.encode())
    say(report)
    return evaluation


def _open(name: str) -> FaceDetector:
    is_file = Path(name).suffix == ".onnx"
    return open_detector("yunet" if is_file else name, name if is_file else "", LOWEST, LOWEST)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a detector makes of pictures: rows of labeled faces, and of unlabeled detections."""

    size_px: NDArray[np.float64]
    kind: NDArray[np.int64]
    score: NDArray[np.float64]
    """Of the find that stands for the face; 0 where there is none."""
    iou: NDArray[np.float64]
    other: list[tuple[float, int, Sides]]
    """Score, number of the picture and box; the surest first."""


def look(
    pictures: Sequence[BoxedPicture],
    detector: FaceDetector,
    progress: Callable[[Iterable[BoxedPicture]], Iterable[BoxedPicture]] = lambda items: items,
) -> Looked:
    """Let a detector look at each picture as it is."""
    rows, other = [], []
    for number, item in enumerate(progress(pictures)):
        finds = detector.find(item.read())
        known = [*(face.box for face in item.faces), *item.unsure]
        matches = matched_by_score(finds, known)
        matched = {match: find for find, match in zip(finds, matches, strict=True)}
        for place, face in enumerate(item.faces):
            find = matched.get(place)
            rows.append(
                (
                    face.box.size_px,
                    FaceKind(face.label),
                    0.0 if find is None else find.confidence,
                    0.0 if find is None else find.box.iou(face.box),
                )
            )
        for find, match in zip(finds, matches, strict=True):
            if match is None and find.box.size_px >= SMALLEST_PX:
                other.append((find.confidence, number, find.box.sides))
    size_px, kind, score, iou = np.array(rows, np.float64).reshape(-1, 4).T
    other.sort(reverse=True)
    return Looked(size_px, kind.astype(np.int64), score, iou, other)


def matched_by_score(finds: Sequence[Face], known: Sequence[Box]) -> list[int | None]:
    """Return for each detection, the surest first, the number of the box that it stands for.

    A surer detection has the choice, the best overlap first: or a doubtful one, which the program
    would not look at, took the face away from the detection that it follows.
    """
    matches: list[int | None] = []
    for find in finds:
        free = [place for place in range(len(known)) if place not in matches]
        best = max(free, key=lambda place: find.box.iou(known[place]), default=None)
        is_it = best is not None and find.box.iou(known[best]) >= MIN_IOU
        matches.append(best if is_it else None)
    return matches


def _score(name: str, data: str, pictures: int, found: Looked) -> DetectorScore:
    points = [point_at(found, pictures, rate) for rate in RATES]
    is_found = found.score >= points[0].score
    return DetectorScore(
        detector=Path(name).name,
        data=data,
        pictures=pictures,
        box_iou=float(found.iou[is_found].mean()) if is_found.any() else 0.0,
        points=points,
    )


def point_at(found: Looked, pictures: int, unlabelled_in_100: float) -> DetectorPoint:
    """Return what is found at the lowest limit that leaves no more detections without a label."""
    allowed = int(unlabelled_in_100 * pictures / 100)
    score = LOWEST if len(found.other) <= allowed else np.nextafter(found.other[allowed][0], 1)
    left = sum(1 for other, *_ in found.other if other >= score)
    return DetectorPoint(
        score=float(np.ceil(score * 10_000) / 10_000),
        unlabelled_in_100=round(100 * left / max(1, pictures), 2),
        found=[
            Found(band, word, int(inside.sum()), int((inside & is_found).sum()))
            for is_found in [found.score >= score]
            for band in BANDS
            for kind, word in KINDS.items()
            for inside in [band.holds(found.size_px) & (found.kind == kind)]
        ],
    )


def describe(evaluation: DetectorEvaluation) -> str:
    """Return the shares found as a table, a row for each detector, set and limit."""
    lines = [f"{evaluation.part}: labeled faces found, by kind: masked, bare, mask worn wrongly"]
    for each in evaluation.scores:
        lines += ["", f"{each.data}, {each.pictures} pictures: {each.detector}"]
        lines.append(f"boxes overlap the labels by {each.box_iou:.3f}")
        for point in each.points:
            lines.append(
                f"  at {point.score:.3f}, {point.unlabelled_in_100:g} other detections in 100 "
                "pictures"
            )
            by_band: dict[str, list[str]] = {}
            for row in point.found:
                share = f"{row.found / row.faces:.3f}" if row.faces else "  -  "
                by_band.setdefault(str(row.band), []).append(f"{share} of {row.faces:<5}")
            lines += [f"    {band:<10} {'  '.join(cells)}" for band, cells in by_band.items()]
    return "\n".join([*lines, ""])


def _gallery(pictures: Sequence[BoxedPicture], found: Looked, path: Path) -> None:
    """Show the surest detections without a label: faces that nobody has boxed, and mistakes."""
    surest = found.other[:MOST]
    pixels = {number: pictures[number].read() for _, number, _ in surest}
    tiles = [
        (crop_face(pixels[number], Box(*sides), GALLERY_MARGIN, TILE_PX), f"{score:.2f}")
        for score, number, sides in surest
    ]
    write_gallery(tiles, path)
