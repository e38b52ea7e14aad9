"""From a folder of pictures to located faces and a leak-free split: where the other steps start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.data.augment import View, camera_view, compact, whole_picture
from convert.data.dataset import Dataset, Picture, limit_side, read_dataset
from convert.data.faces import Boxes, locate_all
from convert.data.groups import feature_similarity, find_groups, same_persons
from convert.data.split import (
    LEAK_LIMIT,
    HeldOut,
    NearestPair,
    Split,
    face_likeness,
    kept_parts,
    leak_fingerprints,
    make_split,
    nearest_pairs,
    read_held_out,
    read_split,
    refuse_leak,
    same_faces,
)
from convert.data.voc import BoxedPicture, BoxedSet, read_boxed
from convert.files import BOXED_SPLIT_FILE, SPLIT_FILE, write_atomically, write_document
from convert.network import FEATURES_PX, imagenet_features
from edge.classify.card import LABELS, NOBODY
from edge.classify.preprocess import crop_face, resize_square
from edge.detect.detectors import here, open_detector
from edge.records import Pixels

if TYPE_CHECKING:
    from edge.detect.detector import FaceDetector

FACES_FILE = "faces.json"
LEAK_FILE = "leak.json"
SKIPPED_FILE = "skipped.txt"

MIN_FACE_PX = 12.0
"""Boxed faces below this show nothing that a network could learn."""
BAND_EDGES_PX = (16.0, 24.0, 32.0, 64.0)
"""Where one band of face sizes ends and the next begins."""
PORTRAIT_SHARE = 0.02
"""A portrait's one face fills at least this share of the picture."""
GROUPING_PX = 640
LEAK_FACE_PX = 24.0
"""Smaller faces are smears, all alike: the leak check compares the whole pictures instead."""
HEAD_MARGIN = 1.6
LOCATING_CONFIDENCE = 0.6
"""Of faces in portraits, which are there for sure."""

Bar = Callable[[Iterable[Any], str], Iterable[Any]]
"""Wraps an iteration in a named progress bar."""


@dataclass(frozen=True, slots=True)
class LocatedFaces:
    """The detector that located the faces, and what it found in each picture."""

    detector: str
    boxes: Boxes


@dataclass(frozen=True, slots=True)
class StreetPicture:
    """A boxed picture, read: what grouping and training need of it."""

    boxed: BoxedPicture
    size: tuple[int, int]
    small: Pixels
    """At most `GROUPING_PX` long."""
    shown: View
    """The largest face, or the whole picture: what the leak check compares."""
    head: Pixels | None
    """(FEATURES_PX, FEATURES_PX, 3): the head of a portrait, where the set does not name who it is:
    pictures of one size whose heads are alike may show one person."""
    faces: tuple[tuple[View, int], ...]
    """View and label of each face of `MIN_FACE_PX` or more, and of what is taken for one."""
    source: int = 0
    """The number of the boxed set that it comes from."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All pictures, their faces, and the parts that they belong to."""

    dataset: Dataset
    boxed: tuple[BoxedSet, ...]
    pixels: list[Pixels]
    """Of the data set's pictures, in their order."""
    street: list[StreetPicture]
    """The boxed sets' pictures, one set after the other."""
    faces: LocatedFaces
    """In the data set's pictures."""
    split: Split
    street_split: Split


class LeakReport(msgspec.Struct, frozen=True):
    """`leak.json`: the most alike pictures of different parts, by the second measure."""

    limit: float
    pairs: tuple[tuple[str, str, float], ...]


def gather(
    dataset: Path,
    boxed: Sequence[Path],
    detector: tuple[str, str],
    output: Path,
    imagenet: str,
    seed: int,
    bar: Bar,
    say: Callable[[str], None],
    held_out: Path | None = None,
) -> Gathered:
    """Read a data set and boxed ones, find the former's faces, and divide both.

    `detector` is the name and the weights, as the command line has them; `held_out` an earlier
    split, whose parts are kept. Raises ConfigError, ModelError and LeakError.
    """
    pictures = read_dataset(dataset, lambda names: bar(names, "pictures"))
    sets = tuple(read_boxed(folder, lambda paths: bar(paths, "boxed set")) for folder in boxed)
    write_skipped([pictures, *sets], output)
    skipped = len(pictures.skipped)
    say(f"{len(pictures.pictures)} pictures; {skipped} files skipped, see {SKIPPED_FILE}")
    pixels = [pictures.read(picture) for picture in bar(pictures.pictures, "decoding")]
    street = [item for number, each in enumerate(sets) for item in read_street(each, bar, number)]
    name, model = detector
    back_end = open_face_detector(name, model)
    faces = locate_faces(pictures, pictures.pictures, back_end, model, output, bar)
    located = sum(1 for boxes in faces.boxes.values() if boxes)
    say(f"faces located by {faces.detector} in {located} of {len(pictures.pictures)} pictures")
    split, street_split = split_dataset(
        pictures,
        pixels,
        faces.boxes,
        output,
        imagenet,
        seed,
        street,
        bar,
        None if held_out is None else read_held_out(held_out),
    )
    return Gathered(pictures, sets, pixels, street, faces, split, street_split)


def open_face_detector(
    name: str, model: str, confidence: float | None = LOCATING_CONFIDENCE
) -> FaceDetector | None:
    """Open the daemon's own detector; None for `none`, or `auto` where no weights are to be found.

    Raises ModelError when the one asked for cannot be had.
    """
    if name == "none":
        return None
    if name == "auto" and not model and not here():
        return None
    # A single picture has no track to begin: each detection is as sure as any.
    return open_detector(name, model, confidence, confidence)


def write_skipped(
    sets: Sequence[Dataset | BoxedSet], folder: Path, name: str = SKIPPED_FILE
) -> None:
    """Write a line for each file that is not used, with its reason."""
    lines = "".join(f"{item.path}: {item.reason}\n" for each in sets for item in each.skipped)
    write_atomically(folder / name, lines.encode())


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


def read_street(boxed: BoxedSet, bar: Bar, source: int = 0) -> list[StreetPicture]:
    """Read the pictures of a boxed set, keeping no more of each than is needed."""
    return [_street_picture(item, item.read(), source) for item in bar(boxed.pictures, "boxed")]


def _street_picture(item: BoxedPicture, pixels: Pixels, source: int) -> StreetPicture:
    height, width = pixels.shape[:2]
    small = limit_side(pixels, GROUPING_PX)
    by_size = sorted((face.box for face in item.faces), key=lambda box: -box.area)
    largest = by_size[0] if by_size else None
    is_portrait = (
        largest is not None
        and largest.area >= PORTRAIT_SHARE * width * height
        and all(box.area < largest.area / 4 for box in by_size[1:])
    )
    return StreetPicture(
        boxed=item,
        size=(width, height),
        small=small,
        shown=compact(View(pixels, largest))
        if largest is not None and largest.size_px >= LEAK_FACE_PX
        else whole_picture(small),
        head=crop_face(pixels, largest, HEAD_MARGIN, FEATURES_PX)
        if largest is not None and is_portrait and not item.is_of_person
        else None,
        faces=tuple(
            (compact(View(pixels, box)), label)
            for box, label in (
                *((face.box, face.label) for face in item.faces),
                *((box, NOBODY) for box in item.nothing),
            )
            if box.size_px >= MIN_FACE_PX
        ),
        source=source,
    )


def band_of(face_px: float) -> int:
    """Return the number of the band of face sizes, counted from the smallest."""
    return int(np.digitize(face_px, BAND_EDGES_PX))


def split_dataset(
    dataset: Dataset,
    pixels: Sequence[Pixels],
    boxes: Boxes,
    folder: Path,
    imagenet: str,
    seed: int,
    street: Sequence[StreetPicture] = (),
    bar: Bar = lambda items, name: items,
    held: HeldOut | None = None,
) -> tuple[Split, Split]:
    """Return the leak-free splits of data set and boxed pictures, checked, written to `folder`.

    A group that both share lies in one part. Splits of the same pictures that lie there already are
    kept: they are what a resumed run used. `imagenet` are the weights for the feature measures,
    `none` to do without; `held` is what an earlier split held out, which stays so. Raises
    LeakError.
    """
    boxed = tuple(item.boxed.picture for item in street)
    no_pictures = Split(seed, ())
    split = _written_split(folder / SPLIT_FILE, dataset.pictures, seed)
    street_split = _written_split(folder / BOXED_SPLIT_FILE, boxed, seed) if boxed else no_pictures
    views = [*camera_views(dataset.pictures, pixels, boxes), *(item.shown for item in street)]
    likeness = face_likeness(leak_fingerprints([(v.pixels, v.box) for v in views]))
    if split is None or street_split is None:
        groups = _groups(pixels, street, imagenet, bar, same_faces(likeness))
        sources = [0] * len(pixels) + [1 + item.source for item in street]
        pictures = (*dataset.pictures, *boxed)
        placed = {} if held is None else kept_parts(pictures, sources, groups, held)
        split = make_split(dataset.pictures, groups[: len(pixels)], seed, placed=placed)
        placed |= {item.group: item.part for item in split.assignments}
        street_split = no_pictures
        if street:
            shown = np.array([_kinds(item) for item in street], np.int64)
            street_split = make_split(boxed, groups[len(pixels) :], seed, shown, placed)
    both = Split(seed, split.assignments + street_split.assignments)
    pairs = nearest_pairs(both, likeness, 20)
    _write_leak_report(pairs, folder)
    refuse_leak(pairs[0] if pairs else None)
    for path, each in ((SPLIT_FILE, split), (BOXED_SPLIT_FILE, street_split)):
        if each.assignments:
            write_document(folder / path, each)
    return split, street_split


def _written_split(path: Path, pictures: tuple[Picture, ...], seed: int) -> Split | None:
    """Return the split of just these pictures, where it has been made before."""
    split = read_split(path) if path.exists() else None
    if split is None or split.seed != seed:
        return None
    return split if tuple(item.picture for item in split.assignments) == pictures else None


def _kinds(item: StreetPicture) -> list[int]:
    """Count the picture's faces by class and band, and the picture itself."""
    counts = np.zeros((len(LABELS), len(BAND_EDGES_PX) + 1), np.int64)
    for view, label in item.faces:
        counts[label, band_of(view.box.size_px)] += 1
    return [*counts.ravel().tolist(), 1]


def _groups(
    pixels: Sequence[Pixels],
    street: Sequence[StreetPicture],
    imagenet: str,
    bar: Bar,
    same: Sequence[tuple[int, int]],
) -> NDArray[np.int64]:
    """Return each picture's group; the pairs in `same` are of one."""
    places = [place for place, item in enumerate(street) if item.head is not None]
    heads = [item.head for item in street if item.head is not None]
    pictures = [*pixels, *(item.small for item in street)]
    if imagenet == "none":
        features, alike = None, np.ones((len(heads), len(heads)), np.float32)
    else:
        small = [resize_square(image, FEATURES_PX) for image in pictures]
        features = imagenet_features(small, imagenet, lambda starts: bar(starts, "features"))
        alike = feature_similarity(*imagenet_features(heads or small[:1], imagenet))
    persons = same_persons([street[place].size for place in places], alike) if heads else []
    known = [*same]
    known += [(len(pixels) + places[one], len(pixels) + places[other]) for one, other in persons]
    known += [(len(pixels) + one, len(pixels) + other) for one, other in _named_alike(street)]
    return find_groups(pictures, features, known, bar)


def _named_alike(street: Sequence[StreetPicture]) -> list[tuple[int, int]]:
    """Return each picture with the first of its person, of sets that name the person first:
    `0123_4.jpg`."""
    first: dict[tuple[int, str], int] = {}
    pairs = []
    for place, item in enumerate(street):
        person, _, number = Path(item.boxed.picture.path).stem.partition("_")
        if item.boxed.is_of_person and number:
            pairs.append((first.setdefault((item.source, person), place), place))
    return pairs


def _write_leak_report(pairs: Sequence[NearestPair], folder: Path) -> None:
    report = LeakReport(
        LEAK_LIMIT, tuple((p.one.path, p.other.path, round(p.likeness, 4)) for p in pairs)
    )
    write_document(folder / LEAK_FILE, report)
