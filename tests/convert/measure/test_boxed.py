"""The default bundle, scored on drawn streets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from convert.data import traits
from convert.data.traits import KnownFace, KnownFaces
from convert.data.voc import read_boxed
from convert.measure.boxed import evaluate_boxed
from convert.measure.figures import BoxedEvaluation, read_boxed_evaluation
from convert.measure.subject import EvaluateOptions
from edge.classify.card import BARE, DEFAULT_BUNDLE
from edge.errors import ConfigError
from tests.convert.pictures import write_boxed


def all_of(items: Iterable[Any], name: str) -> Iterable[Any]:
    return items


@pytest.fixture
def scored(tmp_path: Path) -> BoxedEvaluation:
    options = EvaluateOptions(
        output=tmp_path / "out",
        boxed=(write_boxed(tmp_path / "street", 4),),
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
    assert scored.faces == 10
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


def test_faces_are_scored_by_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxed = write_boxed(tmp_path / "street", 2)
    picture = read_boxed(boxed).pictures[0]
    bare = next(face.box for face in picture.faces if face.label == BARE)
    sides = (bare.left + 0.1, bare.top, bare.right, bare.bottom)
    known = KnownFaces({picture.picture.sha256: [KnownFace(*sides, ("hat", "beard"))]})
    monkeypatch.setattr(traits, "_all", lambda: known)
    scored = evaluate_boxed(
        EvaluateOptions(
            output=tmp_path, boxed=(boxed,), bundle=DEFAULT_BUNDLE, detectors=("none",)
        ),
        all_of,
        lambda line: None,
    )
    assert [(s.trait, s.kind, s.faces) for s in scored.traits] == [
        ("hat", "without_mask", 1),
        ("beard", "without_mask", 1),
    ]


def test_several_sets_are_scored_together_and_each(tmp_path: Path) -> None:
    one, other = write_boxed(tmp_path / "one", 4), write_boxed(tmp_path / "other", 5)
    options = EvaluateOptions(
        output=tmp_path, boxed=(one, other), bundle=DEFAULT_BUNDLE, detectors=("none",)
    )
    scored = evaluate_boxed(options, all_of, lambda line: None)
    alone = [
        evaluate_boxed(
            EvaluateOptions(
                output=tmp_path, boxed=(each,), bundle=DEFAULT_BUNDLE, detectors=("none",)
            ),
            all_of,
            lambda line: None,
        )
        for each in (one, other)
    ]
    assert scored.data == "one, other"
    assert scored.by_set == {"one": alone[0].true_boxes, "other": alone[1].true_boxes}
    assert scored.faces == alone[0].faces + alone[1].faces
    assert alone[0].by_set == {}
