"""Divide a data set into training, validation and test parts that share no near-duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.data.dataset import Picture, digest_of, labels_of
from convert.files import HELD_OUT_FILE, read_document
from edge.classify.card import LABELS
from edge.classify.preprocess import crop_face
from edge.errors import ConfigError, TensorMaskError
from edge.records import Box, Pixels

LEAK_PX = 32
LEAK_MARGIN = 1.1
LEAK_LIMIT = 0.975
"""Correlation of two face crops in color at which two pictures of different parts are one. In the
TensorMask set strangers reach 0.95 (one face and a morph made of it 0.97), while half of the known
copies lie above 0.98: a split that leaks as random ones do, in dozens of pairs, cannot pass."""


KNOWN_DIGITS = 16
"""Of a sha256, which tell a picture from the few thousand others."""


class SplitPart(StrEnum):
    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"


SHARES = {SplitPart.TRAINING: 0.75, SplitPart.VALIDATION: 0.125, SplitPart.TEST: 0.125}


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One picture's place."""

    picture: Picture
    group: int
    """Pictures of one group are near-duplicates and lie in one part."""
    part: SplitPart


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`split.json`: every usable picture and its part."""

    seed: int
    assignments: tuple[Assignment, ...]

    def part(self, part: SplitPart) -> tuple[Picture, ...]:
        return tuple(item.picture for item in self.assignments if item.part is part)


class HeldOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`held-out.json`: what a bundle was not trained on, so that it can be measured again.

    Pictures are identified by the first `KNOWN_DIGITS` digits of their sha256.
    """

    training_digest: str
    """Of the pictures that it was trained on, as its card has it."""
    validation: tuple[str, ...]
    test: tuple[str, ...]


class LeakError(TensorMaskError):
    """Make the groups larger: two parts of the split share a picture."""


@dataclass(frozen=True, slots=True)
class NearestPair:
    """The two most alike pictures of different parts."""

    one: Picture
    other: Picture
    likeness: float


def make_split(
    pictures: Sequence[Picture],
    groups: NDArray[np.int64],
    seed: int,
    shown: NDArray[np.int64] | None = None,
    placed: Mapping[int, SplitPart] | None = None,
) -> Split:
    """Place whole groups, in seeded random order, where their classes are missing most.

    Each class gets its `SHARES` as nearly as the groups allow. `shown` (n, kinds) says how many
    faces of each kind a picture shows; without it, one of its class. A group of more pictures than
    a tenth of the validation part goes into training: a part full of one person measures that
    person. `placed` are groups that have their part already.
    """
    if shown is None:
        shown = np.eye(len(LABELS), dtype=np.int64)[labels_of(pictures)]
    shown = shown[:, shown.any(0)]
    counts = np.zeros((int(groups.max()) + 1, shown.shape[1]), np.int64)
    np.add.at(counts, groups, shown)
    sizes = np.bincount(groups)
    parts = list(SHARES)
    target = np.array([SHARES[part] for part in parts])[:, None] * counts.sum(0)
    missing = target.copy()
    largest = max(1.0, SHARES[SplitPart.VALIDATION] * len(pictures) / 10)
    chosen = np.zeros(len(counts), np.int64)
    order = np.random.default_rng(seed).permutation(len(counts))
    # Large groups first (a stable sort keeps the random order among equals): the small ones then
    # fill what is left exactly.
    for group in order[np.argsort(-counts[order].sum(1), kind="stable")]:
        if placed and int(group) in placed:
            place = parts.index(placed[int(group)])
        elif sizes[group] > largest:
            place = parts.index(SplitPart.TRAINING)
        else:
            place = int(((missing / target) @ counts[group]).argmax())
        chosen[group] = place
        missing[place] -= counts[group]
    return Split(
        seed,
        tuple(
            Assignment(picture, int(group), parts[chosen[group]])
            for picture, group in zip(pictures, groups, strict=True)
        ),
    )


def kept_parts(
    pictures: Sequence[Picture],
    sources: Sequence[int],
    groups: NDArray[np.int64],
    held: HeldOut,
) -> dict[int, SplitPart]:
    """Return the parts of groups as an earlier split has them: what was held out stays so.

    The groups of other pictures of the `sources` that it knows were trained on, and stay so; those
    of new pictures alone have no part yet. A group that reaches over both evaluated parts goes into
    the test part.
    """
    parts = dict.fromkeys(held.validation, SplitPart.VALIDATION)
    parts |= dict.fromkeys(held.test, SplitPart.TEST)
    rows = [
        (int(group), source, parts.get(picture.sha256[:KNOWN_DIGITS]))
        for picture, source, group in zip(pictures, sources, groups, strict=True)
    ]
    known = {source for _, source, part in rows if part is not None}
    placed = {group: SplitPart.TRAINING for group, source, _ in rows if source in known}
    for part in (SplitPart.VALIDATION, SplitPart.TEST):
        placed |= {group: part for group, _, of_picture in rows if of_picture is part}
    return placed


def leak_fingerprints(views: Sequence[tuple[Pixels, Box]]) -> NDArray[np.float32]:
    """Return (n, LEAK_PX² * 3): the face of each picture in color, without its mean, of length 1.

    Cut out by the face's own box, it does not see how the picture was framed, which is what the
    grouping measures go by.
    """
    crops = np.stack([crop_face(pixels, box, LEAK_MARGIN, LEAK_PX) for pixels, box in views])
    smooth = np.stack([cv2.GaussianBlur(crop, (0, 0), 1.0) for crop in crops])
    rows = smooth.reshape(len(smooth), -1).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-3), np.float32)


def face_likeness(fingerprints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, n): the correlation of each two faces, plain or mirrored, the higher of both."""
    side = (len(fingerprints), LEAK_PX, LEAK_PX, 3)
    mirrored = fingerprints.reshape(side)[:, :, ::-1].reshape(len(fingerprints), -1)
    return np.maximum(fingerprints @ fingerprints.T, fingerprints @ mirrored.T)


def nearest_pairs(
    split: Split, likeness: NDArray[np.float32], count: int
) -> tuple[NearestPair, ...]:
    """Return the `count` most alike pairs, plain or mirrored, that different parts share.

    The most alike first; `likeness` has a row for each assignment of `split`.
    """
    place = np.array([list(SplitPart).index(item.part) for item in split.assignments])
    one, other = np.nonzero(np.triu(place[:, None] != place[None, :], 1))
    values = likeness[one, other]
    return tuple(
        NearestPair(
            split.assignments[one[k]].picture,
            split.assignments[other[k]].picture,
            float(values[k]),
        )
        for k in np.argsort(-values)[:count]
    )


def same_faces(likeness: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the pairs of pictures that would be a leak between two parts: they show one face."""
    one, other = np.nonzero(np.triu(likeness >= LEAK_LIMIT, 1))
    return list(zip(one.tolist(), other.tolist(), strict=True))


def refuse_leak(pair: NearestPair | None) -> None:
    """Raise LeakError when the pair is one picture in two parts."""
    if pair is not None and pair.likeness >= LEAK_LIMIT:
        raise LeakError(
            f"{pair.one.path} and {pair.other.path} show the same face ({pair.likeness:.3f}, limit "
            f"{LEAK_LIMIT}) but lie in two parts of the split; remove one of them from the data set"
        )


def held_out(splits: Iterable[Split]) -> HeldOut:
    """Return the parts of the splits that are not for training, and what is."""
    each = [item for split in splits for item in split.assignments]

    def pictures(part: SplitPart) -> list[Picture]:
        return [item.picture for item in each if item.part is part]

    validation, test = (
        tuple(sorted(picture.sha256[:KNOWN_DIGITS] for picture in pictures(part)))
        for part in (SplitPart.VALIDATION, SplitPart.TEST)
    )
    return HeldOut(digest_of(pictures(SplitPart.TRAINING)), validation, test)


def read_held_out(path: Path) -> HeldOut:
    """Read what `bundle` wrote. Raises ConfigError."""
    return read_document(path, HeldOut, "bundle")


def read_split(path: Path) -> Split:
    """Read a split file. Raises ConfigError."""
    return read_document(path, Split, "train")


def pictures_of(pictures: Sequence[Picture], part: str, split: Path | None) -> tuple[Picture, ...]:
    """Return the pictures of a part, or of `all`; the split may cover other data sets too.

    `split` is a split file, or a bundle's `held-out.json`. Raises ConfigError.
    """
    if part == "all":
        return tuple(pictures)
    if split is None:
        raise ConfigError(f"--part {part} needs --split FILE")
    if split.name == HELD_OUT_FILE:
        held = read_held_out(split)
        named = {SplitPart.VALIDATION: held.validation, SplitPart.TEST: held.test}
        parts = {digits: key for key, each in named.items() for digits in each}
        unknown = 0
    else:
        known = read_split(split).assignments
        parts = {item.picture.sha256[:KNOWN_DIGITS]: item.part for item in known}
        unknown = sum(picture.sha256[:KNOWN_DIGITS] not in parts for picture in pictures)
    chosen = tuple(p for p in pictures if parts.get(p.sha256[:KNOWN_DIGITS]) == part)
    if unknown or not chosen:
        raise ConfigError(
            f"{split}: does not know {unknown} of the {len(pictures)} pictures, and has "
            f"{len(chosen)} in the {part} part; give a data set that was split there"
        )
    return chosen
