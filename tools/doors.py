"""Scenes as at a door, with which the eyes are measured: few people in sight, nobody shown twice.

Each picture is shown once. Those of the sets mostly show one near face, so in turn they are shown
smaller: then every class of size has people, and none decides alone how sure a rate is.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convert.data.split import face_likeness, leak_fingerprints, same_faces
from convert.data.voc import BoxedPicture

DOOR_PEOPLE = 10
"""No more are in sight together: in a crowd the eyes are others."""
SMALLEST_PX = (None, 112.0, 80.0, 56.0, 40.0, 28.0, 20.0)
"""How large the smallest face of a picture is shown at most, in turn: in the middle of each class
from 16 px on; None: as large as its place allows."""


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture in a scene."""

    picture: BoxedPicture
    smallest_px: float | None = None
    """How large its smallest face is at most; None: as large as its place allows."""

    @property
    def people(self) -> int:
        return len(self.picture.faces) + len(self.picture.unsure)

    def ratio(self, largest: float) -> float:
        """Return by how much it is enlarged: by `largest` at most."""
        smallest_px = min((each.box.size_px for each in self.picture.faces), default=None)
        if self.smallest_px is None or smallest_px is None:
            return largest
        return min(largest, self.smallest_px / smallest_px)


def distinct(sets: Sequence[Sequence[BoxedPicture]]) -> list[list[BoxedPicture]]:
    """Return the sets without the pictures that have a face of an earlier one: each photograph
    once.

    Copies are found as those that would be a leak between training and test. The same person in
    another photograph is not found.
    """
    pictures = [each for of_set in sets for each in of_set]
    rows = [(index, face.box) for index, each in enumerate(pictures) for face in each.faces]
    read = {index: pictures[index].read() for index, _ in rows}
    likeness = face_likeness(leak_fingerprints([(read[index], box) for index, box in rows]))
    repeated: set[int] = set()
    for one, other in same_faces(likeness):
        first, second = sorted((rows[one][0], rows[other][0]))
        if first != second and first not in repeated:
            repeated.add(second)
    left_out = {pictures[index].picture.sha256 for index in repeated}
    return [[each for each in of_set if each.picture.sha256 not in left_out] for of_set in sets]


def at_doors(sets: Iterable[Iterable[BoxedPicture]], most: int) -> list[list[list[ShownPicture]]]:
    """Return the scenes of each set: at most so many pictures and DOOR_PEOPLE people in sight.

    Pictures of more people, or of nobody, are left out.
    """
    return [_scenes(each, most) for each in sets]


def _scenes(pictures: Iterable[BoxedPicture], most: int) -> list[list[ShownPicture]]:
    few = [each for each in pictures if 0 < ShownPicture(each).people <= DOOR_PEOPLE]
    random.Random(0).shuffle(few)
    scenes: list[list[ShownPicture]] = []
    for shown in map(ShownPicture, few, itertools.cycle(SMALLEST_PX)):
        for scene in scenes:
            if len(scene) < most and _people(scene) + shown.people <= DOOR_PEOPLE:
                scene.append(shown)
                break
        else:
            scenes.append([shown])
    return scenes


def _people(scene: Iterable[ShownPicture]) -> int:
    return sum(each.people for each in scene)
