"""Counting, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from convert.measure.counting import SURETIES, Faces, Kind, end_to_end_score, surety_points
from convert.measure.figures import Band

FROM_16 = Band(16, None)


def faces(*rows: tuple[int, float, Kind, float]) -> Faces:
    """Rows of picture, size, kind and probability."""
    picture, size_px, kind, probability = zip(*rows, strict=True)
    return Faces(np.array(picture), np.array(size_px), np.array(kind), np.array(probability))


TRUTH = faces(
    (0, 20, Kind.BARE, 0),
    (0, 20, Kind.MASKED, 0),
    (1, 40, Kind.BARE, 0),
    (1, 40, Kind.BARE, 0),
    (1, 12, Kind.BARE, 0),
    (2, 30, Kind.INCORRECT, 0),
)
FOUND = faces(
    (0, 20, Kind.BARE, 0.9),
    (0, 20, Kind.MASKED, 0.7),
    (0, 50, Kind.NOTHING, 0.8),
    (0, 14, Kind.NOTHING, 0.8),
    (1, 40, Kind.BARE, 0.2),
    (1, 40, Kind.BARE, np.nan),
    (1, 12, Kind.BARE, 0.9),
    (2, 30, Kind.INCORRECT, 0.9),
)


def test_violations_are_counted_by_what_they_stand_on() -> None:
    score = end_to_end_score(("yunet", 0.78), FROM_16, TRUTH, FOUND, 0.5, 3)
    assert (score.violations_on_bare, score.violations_on_masked) == (1, 1)
    assert (score.violations_on_nothing, score.violations) == (1, 3)
    assert score.precision is not None
    assert score.precision.value == pytest.approx(1 / 3)
    assert score.recall is not None
    assert score.recall.value == pytest.approx(1 / 3)
    assert (score.bare_found, score.bare_faces) == (3, 3)
    assert (score.masked_found, score.masked_faces) == (1, 1)


def test_a_mask_worn_wrongly_is_counted_apart() -> None:
    score = end_to_end_score(("yunet", 0.78), FROM_16, TRUTH, FOUND, 0.5, 3)
    assert (score.incorrect_called_bare, score.incorrect_found) == (1, 1)


def test_a_face_too_small_is_of_another_band() -> None:
    score = end_to_end_score(("yunet", 0.78), Band(12, 16), TRUTH, FOUND, 0.5, 3)
    assert (score.violations_on_bare, score.violations_on_nothing) == (1, 1)
    assert score.bare_faces == 1


def test_a_face_that_is_not_judged_is_missed_at_every_threshold() -> None:
    score = end_to_end_score(("yunet", 0.78), FROM_16, TRUTH, FOUND, 0.5, 3)
    assert [(p.threshold, p.recall) for p in score.curve] == [
        (0.2, pytest.approx(2 / 3)),
        (0.7, pytest.approx(1 / 3)),
        (0.8, pytest.approx(1 / 3)),
        (0.9, pytest.approx(1 / 3)),
    ]


def test_no_face_at_all_has_no_precision() -> None:
    nobody = Faces(*(np.zeros(0, kind) for kind in (int, float, int, float)))
    score = end_to_end_score(("yunet", 0.78), FROM_16, nobody, nobody, 0.5, 3)
    assert (score.precision, score.recall, score.curve) == (None, None, [])


def test_what_is_found_is_counted_by_how_sure_both_are() -> None:
    sureties = np.array([0.9, 0.7, 0.4, 0.99, 0.6, 0.9, 0.9, 0.5])
    points = surety_points(FROM_16, FOUND, sureties)
    assert [point.threshold for point in points] == list(SURETIES)
    counts = {
        point.threshold: (
            point.masked_found,
            point.bare_found,
            point.incorrect_found,
            point.unlabelled,
        )
        for point in points
    }
    assert counts[0.3] == (1, 3, 1, 1)
    assert counts[0.45] == (1, 3, 1, 0)
    assert counts[0.65] == (1, 2, 0, 0)
    assert counts[0.95] == (0, 0, 0, 0)
