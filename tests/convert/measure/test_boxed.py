"""The default bundle, scored on drawn streets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from convert.measure.boxed import evaluate_boxed
from convert.measure.figures import BoxedEvaluation, read_boxed_evaluation
from convert.measure.subject import EvaluateOptions
from edge.classify.card import DEFAULT_BUNDLE
from edge.errors import ConfigError
from tests.convert.pictures import write_boxed


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
