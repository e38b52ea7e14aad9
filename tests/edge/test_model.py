from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.errors import ModelError
from edge.model import (
    CARD_FILE,
    DEFAULT_BUNDLE,
    LABELS,
    MAX_MODEL_BYTES,
    MODEL_FILE,
    digest,
    load_bundle,
)

MODEL = b"the bytes of a model"


def described(**changes: Any) -> dict[str, Any]:
    card = {
        "schema": 1,
        "name": "test",
        "version": "1",
        "labels": list(LABELS),
        "input_side_px": 96,
        "crop_margin": 1.3,
        "input": {"scale": 0.0078, "zero_point": -1},
        "output": {"scale": 0.0039, "zero_point": -128},
        "thresholds": {"bare": 0.8, "masked": 0.3},
        "multiply_adds": 55_000_000,
        "metrics": [],
        "model_sha256": digest(MODEL),
        "training_data": {"name": "drawn", "pictures": 3, "digest": "0" * 64},
        "licence": "MIT",
        "provenance": "a test",
        "created_at": "2026-01-02T03:04:05Z",
    }
    return card | changes


def written(folder: Path, card: dict[str, Any], model: bytes = MODEL) -> Path:
    (folder / CARD_FILE).write_text(json.dumps(card))
    (folder / MODEL_FILE).write_bytes(model)
    return folder


def test_a_bundle_that_matches_its_description_is_loaded(tmp_path: Path) -> None:
    bundle = load_bundle(written(tmp_path, described()))
    assert bundle.model == MODEL
    assert bundle.card.thresholds.bare == 0.8


def test_the_bundle_that_comes_with_the_program_is_sound() -> None:
    bundle = load_bundle(DEFAULT_BUNDLE)
    assert len(bundle.model) <= 3_000_000
    assert bundle.card.multiply_adds <= 60_000_000
    assert bundle.card.metrics[0].accuracy >= 0.985


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_sha256": "1" * 64}, "the file was changed or damaged; install the bundle again"),
        ({"labels": ["without_mask", "with_mask"]}, "labels are .* but must be"),
        ({"input_side_px": 4}, "input_side_px"),
        ({"crop_margin": "wide"}, r"Expected `float`, got `str` - at `\$\.crop_margin`"),
        ({"thresholds": {"bare": 0.2, "masked": 0.3}}, r"thresholds\.masked is above"),
        ({"surprise": 1}, "unknown field `surprise`"),
        ({"schema": 2}, "schema"),
    ],
)
def test_a_wrong_description_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_bundle(written(tmp_path, described(**changes)))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_broken_and_huge_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file or directory; a bundle is a folder"):
        load_bundle(tmp_path)
    written(tmp_path, described())
    (tmp_path / CARD_FILE).write_text("{")
    with pytest.raises(ModelError, match="make the bundle anew"):
        load_bundle(tmp_path)
    written(tmp_path, described())
    with (tmp_path / MODEL_FILE).open("wb") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(ModelError, match="larger than"):
        load_bundle(tmp_path)


def test_the_curve_behind_the_thresholds_may_be_left_out(tmp_path: Path) -> None:
    assert load_bundle(written(tmp_path, described())).card.threshold_curve == []
    point = {"threshold": 0.8, "precision": 0.97, "recall": 0.93}
    bundle = load_bundle(written(tmp_path, described(threshold_curve=[point])))
    assert bundle.card.threshold_curve[0].precision == 0.97
