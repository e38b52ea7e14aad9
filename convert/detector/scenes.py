"""What a detector learns from: pictures, with all that is known of the faces in them.

Not every face in the sets is boxed. What another detector finds there is taken for a face where it
is sure, and left alone where it is in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edge.classify.card import BARE, MASKED, WORN_WRONGLY
from edge.records import Pixels

SURE, DOUBTFUL = 0.8, 0.35
"""Scores of another detector's detections that carry no label: from SURE on faces, from DOUBTFUL on
left alone."""
SAME_FACE_IOU = 0.5

Sides = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
Find = tuple[Sides, float]
"""What a detector finds, in pixels of the picture as it is, and the score."""
Boxes = NDArray[np.float32]
"""(n, 4): left, top, right, bottom in pixels."""
NO_BOXES: Boxes = np.zeros((0, 4), np.float32)


class FaceKind(IntEnum):
    """What a face is; the first three are the classifier's labels."""

    MASKED = MASKED
    BARE = BARE
    WORN_WRONGLY = WORN_WRONGLY
    UNLABELLED = 3


@dataclass(frozen=True, slots=True)
class TrainingScene:
    """A picture, and all that is known of the faces in it."""

    pixels: Pixels
    faces: Boxes
    kinds: NDArray[np.int64]
    """(n,) of `FaceKind`."""
    doubtful: Boxes
    source: int
    """The number of the set that it comes from."""
    nothing: Boxes = field(default_factory=lambda: NO_BOXES)
    """What detectors take for faces, and is none."""
    is_hard: NDArray[np.bool_] | None = None
    """(n,): the faces that a training before has not learned; None: nobody has looked."""


def with_finds(known: Boxes, finds: Sequence[Find]) -> tuple[Boxes, Boxes]:
    """Return the detections of which nothing is known: faces for sure, and doubtful ones."""
    sure: list[Sides] = []
    doubtful: list[Sides] = []
    for box, score in finds:
        if score >= DOUBTFUL and not overlaps(box, known):
            (sure if score >= SURE else doubtful).append(box)
    return boxes_of(sure), boxes_of(doubtful)


def tightened(labelled: Boxes, finds: Sequence[Find]) -> Boxes:
    """Return the labeled boxes, each drawn half way to a sure detection of the same face.

    People box as they like, each set's in another way; the detector that looked is consistent.
    """
    boxes = labelled.copy()
    for find, score in finds:
        place = _same_face(find, labelled, SAME_FACE_IOU)
        if score >= SURE and place is not None:
            boxes[place] = (labelled[place] + np.array(find, np.float32)) / 2
    return boxes


def found_scores(faces: Boxes, finds: Sequence[Find], least_iou: float) -> NDArray[np.float64]:
    """Return (n,): how sure the detections, the surest first, are of each face; 0 without one."""
    scores = np.zeros(len(faces))
    for find, score in finds:
        place = _same_face(find, faces, least_iou)
        if place is not None:
            scores[place] = max(scores[place], score)
    return scores


def _same_face(find: Sides, faces: Boxes, least_iou: float) -> int | None:
    """Return the number of the face that a detection shows, by their overlap."""
    if not len(faces):
        return None
    box = np.array(find, np.float32)
    shared = shared_areas(box, faces)
    iou = shared / (areas(faces) + areas(box[np.newaxis]) - shared)
    return int(iou.argmax()) if iou.max() >= least_iou else None


def overlaps(box: Sides, others: Boxes) -> bool:
    """Return whether the box shares a quarter of its own or of another's area with one."""
    own = np.array(box, np.float32)
    smaller = np.minimum(areas(others), areas(own[np.newaxis]))
    return bool((shared_areas(own, others) > 0.25 * smaller).any())


def shared_areas(box: NDArray[np.float32], others: Boxes) -> NDArray[np.float32]:
    """Return (n,): how many square pixels the box (4,) shares with each of the others."""
    return areas(
        np.concatenate(
            [np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])], axis=1
        )
    )


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Return (n,) square pixels."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides.prod(1), np.float32)


def boxes_of(rows: Sequence[Sides]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)
