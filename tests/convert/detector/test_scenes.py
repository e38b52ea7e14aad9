from __future__ import annotations

from typing import Any

import numpy as np

from convert.detector.scenes import NO_BOXES, found_scores, overlaps, tightened, with_finds
from tests.convert.detector.drawn import FACE


def test_what_another_detector_finds_is_a_face_doubtful_or_the_labelled_one() -> None:
    labelled = np.array([FACE], np.float32)
    finds: Any = [
        ((41.0, 31.0, 61.0, 55.0), 0.95),  # the labelled face
        ((80.0, 60.0, 100.0, 84.0), 0.9),
        ((0.0, 60.0, 20.0, 84.0), 0.5),
        ((0.0, 0.0, 9.0, 9.0), 0.2),
    ]
    sure, doubtful = with_finds(labelled, finds)
    assert sure.tolist() == [[80, 60, 100, 84]]
    assert doubtful.tolist() == [[0, 60, 20, 84]]
    assert tightened(labelled, finds).tolist() == [[40.5, 30.5, 60.5, 54.5]]


def test_a_face_within_another_box_overlaps_it() -> None:
    large = np.array([[0, 0, 100, 100]], np.float32)
    assert overlaps((10, 10, 30, 30), large)
    assert not overlaps((95, 95, 130, 130), large)
    assert not overlaps((0, 0, 10, 10), NO_BOXES)


def test_a_face_is_as_sure_as_the_surest_detection_of_it() -> None:
    faces = np.array([FACE, (80, 60, 100, 84), (0, 0, 9, 9)], np.float32)
    finds: Any = [((41, 31, 61, 55), 0.9), ((42, 32, 60, 54), 0.6), ((85, 60, 105, 84), 0.4)]
    assert found_scores(faces, finds, 0.3).tolist() == [0.9, 0.4, 0]
    assert found_scores(NO_BOXES, finds, 0.3).tolist() == []
