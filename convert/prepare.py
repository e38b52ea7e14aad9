"""From a folder of pictures to located faces and a leak-free split: where the other steps start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.augment import View, camera_view
from convert.dataset import Dataset, Picture
from convert.faces import Boxes, locate_all
from convert.files import write_atomically
from convert.groups import find_groups
from convert.network import FEATURES_PX, imagenet_features
from convert.split import (
    LEAK_LIMIT,
    NearestPair,
    Split,
    leak_fingerprints,
    make_split,
    nearest_pairs,
    read_split,
    refuse_leak,
)
from edge import weights
from edge.preprocess import resize_square
from edge.records import Pixels

if TYPE_CHECKING:
    from edge.detect import FaceDetector

SPLIT_FILE = "split.json"
FACES_FILE = "faces.json"
LEAK_FILE = "leak.json"
SKIPPED_FILE = "skipped.txt"

Bar = Callable[[Iterable[Any], str], Iterable[Any]]
"""Wraps an iteration in a named progress bar."""


@dataclass(frozen=True, slots=True)
class LocatedFaces:
    """The detector that located the faces, and what it found in each picture."""

    detector: str
    boxes: Boxes


class LeakReport(msgspec.Struct, frozen=True):
    """`leak.json`: the most alike pictures of different parts, by the second measure."""

    limit: float
    pairs: tuple[tuple[str, str, float], ...]


def open_face_detector(name: str, model: str, confidence: float = 0.6) -> FaceDetector | None:
    """Open the daemon's own detector; None for `none`, or `auto` where no weights are to be found.

    Raises ModelError when the one asked for cannot be had.
    """
    if name == "none":
        return None
    nothing_here = not model and not any(weights.locate(each) for each in weights.ALL.values())
    if name == "auto" and nothing_here:
        return None
    from edge.detect import open_detector

    return open_detector(name, model, confidence)


def write_skipped(dataset: Dataset, folder: Path) -> None:
    """Write `skipped.txt`: a line for each file that is not used, with its reason."""
    lines = "".join(f"{item.path}: {item.reason}\n" for item in dataset.skipped)
    write_atomically(folder / SKIPPED_FILE, lines.encode())


def locate_faces(
    dataset: Dataset,
    pictures: Sequence[Picture],
    detector: FaceDetector | None,
    model: str,
    folder: Path,
    bar: Bar,
) -> LocatedFaces:
    """Locate the faces of `pictures`, cached in `folder`."""
    name = "none" if detector is None else detector.name
    cache_name = f"{name} {Path(model).name}" if model else name
    boxes = locate_all(
        dataset,
        pictures,
        detector,
        cache_name,
        folder / FACES_FILE,
        lambda items: bar(items, f"faces ({name})"),
    )
    return LocatedFaces(name, boxes)


def camera_views(pictures: Sequence[Picture], pixels: Sequence[Pixels], boxes: Boxes) -> list[View]:
    """Return what the camera would judge in each picture."""
    return [
        camera_view(image, boxes[picture.sha256])
        for picture, image in zip(pictures, pixels, strict=True)
    ]


def split_dataset(
    dataset: Dataset,
    pixels: Sequence[Pixels],
    boxes: Boxes,
    folder: Path,
    imagenet: str,
    seed: int,
) -> Split:
    """Return the leak-free split of the data set, checked and written to `folder`.

    A split of the same pictures that lies there already is kept: it is what a resumed run used.
    `imagenet` are the weights for the feature measure, `none` to do without. Raises LeakError.
    """
    path = folder / SPLIT_FILE
    split = read_split(path) if path.exists() else None
    if (
        split is None
        or split.seed != seed
        or tuple(item.picture for item in split.assignments) != dataset.pictures
    ):
        split = make_split(dataset.pictures, _groups(pixels, imagenet), seed)
    views = camera_views(dataset.pictures, pixels, boxes)
    pairs = nearest_pairs(split, leak_fingerprints([(v.pixels, v.box) for v in views]), 20)
    _write_leak_report(pairs, folder)
    refuse_leak(pairs[0] if pairs else None)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(split), indent=1))
    return split


def _groups(pixels: Sequence[Pixels], imagenet: str) -> NDArray[np.int64]:
    if imagenet == "none":
        return find_groups(pixels, None)
    small = [resize_square(image, FEATURES_PX) for image in pixels]
    return find_groups(pixels, imagenet_features(small, imagenet))


def _write_leak_report(pairs: Sequence[NearestPair], folder: Path) -> None:
    report = LeakReport(
        LEAK_LIMIT, tuple((p.one.path, p.other.path, round(p.likeness, 4)) for p in pairs)
    )
    write_atomically(folder / LEAK_FILE, msgspec.json.format(msgspec.json.encode(report), indent=1))
