"""Labels that we have added to boxed sets: faces that nobody had boxed, and what is none.

They were given by eye to what detectors find without a label, and are kept by the picture's digest,
so that they hold wherever the same picture is used; a picture that is not listed has none. A box
that a set has already is relabeled by it: some of the sets' labels are wrong.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from convert.files import read_document
from edge.records import Box

FILE = Path(__file__).with_name("added.json")
SAME_IOU = 0.9
"""From here on two boxes are the same one, but for rounding."""
Word = Literal["masked", "bare", "worn_wrongly", "unsure", "nothing"]


class AddedLabel(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One of them; the sides in pixels of the picture."""

    word: Word
    """`unsure`: a face, but of which kind nobody can say."""
    left: float
    top: float
    right: float
    bottom: float

    @property
    def box(self) -> Box:
        return Box(self.left, self.top, self.right, self.bottom)


class AddedLabels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`added.json`."""

    labels: dict[str, list[AddedLabel]]
    """By the picture's sha256."""


def added_to(sha256: str) -> list[AddedLabel]:
    """Return the labels that were added to a picture. Raises ConfigError for a damaged file."""
    return _all().labels.get(sha256, [])


def nothing_in(sha256: str) -> tuple[Box, ...]:
    """Return what detectors take for a face in a picture, and is none. Raises ConfigError."""
    return tuple(label.box for label in added_to(sha256) if label.word == "nothing")


@cache
def _all() -> AddedLabels:
    return read_document(FILE, AddedLabels, "the project")
