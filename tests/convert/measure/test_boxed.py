"""Counting computed by hand, and the default bundle scored on drawn streets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.measure.boxed import (
    Band,
    BoxedEvaluation,
    Faces,
    Kind,
    end_to_end_score,
    evaluate_boxed,
    read_boxed_evaluation,
)
from convert.measure.evaluate import EvaluateOptions
from edge.classify.card import DEFAULT_BUNDLE
from edge.errors import ConfigError
from tests.convert.pictures import write_boxed

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


def all_of(items: Iterable[Any], name: str) -> Iterable[Any]:
    return items


@pytest.fixture
def scored(tmp_path: Path) -> BoxedEvaluation:
    options = EvaluateOptions(
        output=tmp_path / "out",
        boxed=write_boxed(tmp_path / "street", 4),
        bundle=DEFAULT_BUNDLE,
        detectors=("none",),
    )
    return evaluate_boxed(options, all_of, lambda line: None)


def test_faces_are_scored_by_size_and_class(scored: BoxedEvaluation) -> None:
    counted = {str(s.band): (s.masked_faces, s.bare_faces) for s in scored.true_boxes}
    assert counted == {
        "12-16 px": (1, 1),
        "16-24 px": (0, 0),
        "24-32 px": (1, 1),
        "32-64 px": (2, 2),
        ">= 64 px": (2, 2),
        "16-32 px": (1, 1),
        ">= 12 px": (6, 6),
        ">= 16 px": (5, 5),
        ">= 32 px": (4, 4),
    }
    assert scored.faces == 12
    assert scored.end_to_end == []
    assert [s.incorrect_faces for s in scored.true_boxes if str(s.band) == "32-64 px"] == [4]


def test_the_figures_are_read_back_as_they_were(scored: BoxedEvaluation, tmp_path: Path) -> None:
    assert read_boxed_evaluation(tmp_path / "out" / "boxed-all.json") == scored
    table = (tmp_path / "out" / "boxed-all.txt").read_text()
    assert "worn wrongly, called bare" in table


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`evaluate --boxed` writes it"):
        read_boxed_evaluation(tmp_path / "boxed.json")
    (tmp_path / "boxed.json").write_text("{}")
    with pytest.raises(ConfigError, match="not written by"):
        read_boxed_evaluation(tmp_path / "boxed.json")
