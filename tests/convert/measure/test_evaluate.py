"""The default bundle, scored on drawn pictures: what the figures are is not the point here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from convert.data.dataset import read_dataset
from convert.data.faces import FaceFile, FaceRecord
from convert.measure.evaluate import SIZES_PX, evaluate
from convert.measure.figures import Evaluation, read_evaluation
from convert.measure.subject import EvaluateOptions
from edge.classify.card import DEFAULT_BUNDLE
from edge.errors import ConfigError
from tests.convert.pictures import write_dataset


def all_of(items: Iterable[Any], name: str) -> Iterable[Any]:
    return items


@pytest.fixture
def scored(tmp_path: Path) -> Evaluation:
    """Score six pictures, of which five have a located face of 40 px, as if a detector had."""
    folder = write_dataset(tmp_path / "set", 3)
    pictures = read_dataset(folder).pictures
    boxes = [((20.0, 20.0, 60.0, 60.0),)] * 5 + [()]
    records = [
        FaceRecord(picture.sha256, found) for picture, found in zip(pictures, boxes, strict=True)
    ]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "faces.json").write_bytes(msgspec.json.encode(FaceFile("none", records)))
    options = EvaluateOptions(
        dataset=folder, output=tmp_path / "out", bundle=DEFAULT_BUNDLE, detectors=("none",)
    )
    return evaluate(options, all_of, lambda line: None)


def test_sizes_are_measured_on_located_faces_that_are_large_enough(scored: Evaluation) -> None:
    assert [(size.face_px, size.pictures) for size in scored.sizes] == [
        (face_px, 5) for face_px in SIZES_PX if face_px <= 40
    ]
    assert scored.faces_located == 5
    assert scored.pictures == 6


def test_the_figures_are_read_back_as_they_were(scored: Evaluation, tmp_path: Path) -> None:
    assert read_evaluation(tmp_path / "out" / "evaluation-all.json") == scored


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`evaluate` writes it"):
        read_evaluation(tmp_path / "evaluation.json")
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(ConfigError, match="not written by `evaluate`"):
        read_evaluation(tmp_path / "evaluation.json")


def test_a_part_needs_a_split(tmp_path: Path) -> None:
    options = EvaluateOptions(
        dataset=write_dataset(tmp_path / "set", 1),
        output=tmp_path,
        bundle=DEFAULT_BUNDLE,
        part="test",
        detectors=("none",),
    )
    with pytest.raises(ConfigError, match="needs --split"):
        evaluate(options, all_of, lambda line: None)
