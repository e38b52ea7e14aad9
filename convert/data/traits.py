"""What may make a face hard to judge, labeled by eye for 309 faces of the test part.

They are kept by the picture's digest, like `added.json`. Skin is as the picture shows it: light and
camera count for as much as the person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from convert.data.added import SAME_IOU
from convert.data.voc import LabelledFace
from convert.files import read_document
from edge.records import Box

FILE = Path(__file__).with_name("traits.json")
Trait = Literal[
    "hat",
    "glasses",
    "beard",
    "profile",
    "mouth hidden",
    "child",
    "old",
    "light skin",
    "medium skin",
    "dark skin",
    "white mask",
    "blue or green mask",
    "black mask",
    "red or pink mask",
    "mask of another colour",
    "patterned mask",
    "blurred",
    "dark picture",
    "grey picture",
]


class KnownFace(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One of them; the sides in pixels of the picture."""

    left: float
    top: float
    right: float
    bottom: float
    traits: tuple[Trait, ...]

    @property
    def box(self) -> Box:
        return Box(self.left, self.top, self.right, self.bottom)


class KnownFaces(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`traits.json`."""

    faces: dict[str, list[KnownFace]]
    """By the picture's sha256."""


def traits_of(sha256: str, faces: Sequence[LabelledFace]) -> Iterator[tuple[Trait, ...]]:
    """Yield the traits of each face of a picture, none where nobody has looked.

    Raises ConfigError for a damaged file.
    """
    known = _all().faces.get(sha256, [])
    for face in faces:
        matching = (each.traits for each in known if each.box.iou(face.box) >= SAME_IOU)
        yield next(matching, ())


@cache
def _all() -> KnownFaces:
    return read_document(FILE, KnownFaces, "the project")
