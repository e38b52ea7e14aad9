from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.classify.card import (
    CARD_FILE,
    DEFAULT_BUNDLE,
    LABELS,
    MAX_CARD_BYTES,
    MAX_MODEL_BYTES,
    MODEL_FILE,
    digest,
    load_bundle,
)
from edge.errors import ModelError
from edge.records import MaskState

MODEL = b"the bytes of a model"
FEATURES = {"size": 8, "scale": 0.02, "zero_point": -128}


def golden(**changes: Any) -> dict[str, Any]:
    sound = {"recipe": "blotches/1", "patterns": [1, 2, 3, 4], "bare_answers": [-128, 0, 5, 127]}
    return sound | changes


def described(**changes: Any) -> dict[str, Any]:
    card = {
        "schema": 1,
        "name": "test",
        "version": "1",
        "labels": list(LABELS[:2]),
        "input_side_px": 96,
        "crop_margin": 1.3,
        "input": {"scale": 0.0078, "zero_point": -1},
        "output": {"scale": 0.0039, "zero_point": -128},
        "thresholds": {"bare": 0.8, "masked": 0.3},
        "multiply_adds": 55_000_000,
        "metrics": [],
        "golden": golden(),
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
        ({"labels": ["with_mask"]}, "labels are .* but must be"),
        ({"labels": ["with_mask", "with_mask"]}, "labels are .* but must be"),
        ({"labels": ["with_mask", "a_hat"]}, "labels are .* but must be"),
        ({"labels": [*LABELS, "mask_weared_incorrect"]}, "labels are"),
        ({"labels": ["with_mask", "nobody"]}, "labels are .* but must be"),
        ({"thresholds": {"bare": 0.8, "masked": 0.3, "somebody": 0.5}}, "needs the label nobody"),
        ({"features": FEATURES}, "golden.features does not have the 8 features of each pattern"),
        (
            {"golden": golden(features=[[0] * 8] * 4)},
            "golden.features does not have the 0 features",
        ),
        ({"features": FEATURES, "golden": golden(features=[[0] * 7] * 4)}, "have the 8 features"),
        ({"golden": golden(features=[[0] * 8])}, "patterns and features come in pairs"),
        ({"features": FEATURES | {"size": 4}}, r"\$\.features\.size"),
        ({"features": FEATURES | {"zero_point": 200}}, r"\$\.features\.zero_point"),
        ({"labels": [*LABELS]}, "golden.answers is missing"),
        ({"golden": golden(answers=[[0, 0]])}, "patterns and answers come in pairs"),
        ({"golden": golden(answers=[[0]] * 4)}, "one answer for each label"),
        ({"input_side_px": 4}, "input_side_px"),
        ({"crop_margin": "wide"}, r"must be a number, not text in quotes - at `\$\.crop_margin`"),
        ({"thresholds": {"bare": 0.2, "masked": 0.3}}, r"thresholds\.masked is above"),
        ({"surprise": 1}, "unknown field `surprise`"),
        ({"schema": 2}, "schema"),
        ({"name": "\x1b[31m"}, r"matching regex .* at `\$\.name`"),
        ({"version": "1" * 65}, r"matching regex .* at `\$\.version`"),
        ({"crop_margin": 1e999}, "JSON"),
        ({"crop_margin": float("nan")}, "JSON"),
        ({"input_side_px": 10**400}, "input_side_px"),
        ({"golden": {"recipe": "faces/1", "patterns": [], "bare_answers": []}}, "recipe"),
        ({"golden": golden(patterns=[7] * 33)}, r"\$\.golden\.patterns"),
        ({"golden": golden(patterns=[7] * 3)}, r"\$\.golden\.patterns"),
        ({"golden": golden(bare_answers=[0, 0, 0])}, "come in pairs"),
        ({"golden": golden(bare_answers=[0, 0, 0, 128])}, r"\$\.golden\.bare_answers"),
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
    with pytest.raises(ModelError, match="make the bundle again"):
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


def test_a_bundle_without_a_self_test_is_refused(tmp_path: Path) -> None:
    card = described()
    del card["golden"]
    with pytest.raises(ModelError, match=r"golden is missing; make the bundle again"):
        load_bundle(written(tmp_path, card))


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    written(tmp_path, described())
    (tmp_path / MODEL_FILE).unlink()
    os.mkfifo(tmp_path / MODEL_FILE)
    with pytest.raises(ModelError, match="no file"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("opening", ["[", '{"x":', '{"metrics":[{"per_class":{"a":'])
def test_nesting_without_end_is_refused(tmp_path: Path, opening: str) -> None:
    written(tmp_path, described())
    (tmp_path / CARD_FILE).write_text(opening * (MAX_CARD_BYTES // len(opening)))
    with pytest.raises(ModelError):
        load_bundle(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=10,
)
KEYS = sorted(described())


@settings(max_examples=150, derandomize=True)
@given(changes=st.dictionaries(st.sampled_from([*KEYS, "other"]), JSON, min_size=1, max_size=3))
def test_any_values_are_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    is_loaded_or_refused(tmp_path_factory, json.dumps(described(**changes)).encode())


@settings(max_examples=150, derandomize=True)
@given(
    place=st.integers(0, len(json.dumps(described())) - 1),
    length=st.integers(0, 40),
    rubbish=st.binary(max_size=12) | st.sampled_from([b"1e999", b"NaN", b"-" * 9, b"9" * 5000]),
)
def test_a_damaged_description_is_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, length: int, rubbish: bytes
) -> None:
    text = json.dumps(described()).encode()
    is_loaded_or_refused(tmp_path_factory, text[:place] + rubbish + text[place + length :])


def is_loaded_or_refused(folders: pytest.TempPathFactory, card: bytes) -> None:
    folder = folders.mktemp("bundle")
    (folder / CARD_FILE).write_bytes(card)
    (folder / MODEL_FILE).write_bytes(MODEL)
    with suppress(ModelError):
        load_bundle(folder)


def test_the_card_says_which_output_is_which_state() -> None:
    card = msgspec.structs.replace(
        load_bundle().card, labels=("mask_weared_incorrect", "without_mask", "with_mask")
    )
    assert card.states == (MaskState.WORN_WRONGLY, MaskState.BARE, MaskState.MASKED)
    assert not card.tells_nobody


def test_a_card_may_describe_nobody_and_features(tmp_path: Path) -> None:
    changes = {
        "labels": ["nobody", *LABELS[:2]],
        "features": FEATURES,
        "thresholds": {"bare": 0.8, "masked": 0.3, "somebody": 0.5},
        "golden": golden(answers=[[0] * 3] * 4, features=[[0] * 8] * 4),
    }
    card = load_bundle(written(tmp_path, described(**changes))).card
    assert card.states == (None, MaskState.MASKED, MaskState.BARE)
    assert card.tells_nobody
    assert card.thresholds.somebody == 0.5
    assert card.features is not None
    assert (card.features.size, card.features.numbers) == (8, (0.02, -128))
