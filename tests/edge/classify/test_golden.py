from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.classify.card import Bundle, Golden, load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.golden import TOLERANCE_STEPS, self_test
from edge.classify.graph import check_graph
from edge.classify.preprocess import int8_levels
from edge.classify.runtime import Int8Network
from edge.config import ClassifierSettings
from edge.errors import ModelError
from edge.patterns import draw
from edge.records import Pixels
from tests.edge.classify.networks import bundle_of, network_of


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


def test_patterns_are_the_same_on_every_machine() -> None:
    """A bundle keeps their numbers only: drawn otherwise, every bundle made before would fail."""
    drawn = b"".join(draw(number, 96).tobytes() for number in range(10))
    assert hashlib.sha256(drawn).hexdigest() == (
        "d317c75ffc4a019896e633e015b074da615c3b6ab7d218935fe774697c7c7b92"
    )
    pattern = draw(2**31 - 1, 40)
    assert (pattern.shape, pattern.dtype) == ((40, 40, 3), np.uint8)
    assert pattern.std() > 10


@pytest.mark.parametrize("threads", [1, 2])
def test_the_default_bundle_passes(bundle: Bundle, threads: int) -> None:
    self_test(Int8Network(bundle.model, threads), bundle.card.golden)


def off_by(golden: Golden, steps: int) -> Golden:
    """`golden` with answers that are off by this many steps."""
    moved = (answer + (steps if answer < 0 else -steps) for answer in golden.bare_answers)
    return msgspec.structs.replace(golden, bare_answers=tuple(moved))


def test_a_few_steps_are_rounding_and_more_are_not(bundle: Bundle) -> None:
    network = Int8Network(bundle.model)
    self_test(network, off_by(bundle.card.golden, round(TOLERANCE_STEPS)))
    with pytest.raises(ModelError, match=r"off by 13 of 256 steps, 12 are allowed") as caught:
        self_test(network, off_by(bundle.card.golden, round(TOLERANCE_STEPS) + 1))
    assert "litert" in str(caught.value)


class Miscalculating(Int8Network):
    """Prepares its input in a wrong way."""

    def __init__(self, model: bytes, wrong: str) -> None:
        super().__init__(model)
        self._wrong = wrong
        if wrong == "to [0, 1] and not to [-1, 1]":
            scale, zero_point = self.input_quantization
            self._levels = int8_levels(2 * scale, zero_point)
        elif wrong == "wrapping from 127 to -128":
            self._levels = np.arange(256, dtype=np.uint8).view(np.int8)

    def outputs(self, crops: Pixels) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        if self._wrong == "red and blue swapped":
            crops = np.ascontiguousarray(crops[..., ::-1])
        elif self._wrong == "upside down":
            crops = crops[:, ::-1]
        return super().outputs(crops)


@pytest.mark.parametrize(
    "wrong",
    [
        "red and blue swapped",
        "to [0, 1] and not to [-1, 1]",
        "wrapping from 127 to -128",
        "upside down",
    ],
)
def test_a_wrong_preparation_is_found(bundle: Bundle, wrong: str) -> None:
    with pytest.raises(ModelError, match="fails its self-test"):
        self_test(Miscalculating(bundle.model, wrong), bundle.card.golden)


def test_another_model_under_this_description_is_found(bundle: Bundle) -> None:
    """Digest adapted, same sizes, same operators: only the weights are not the same."""
    other, rng = bundle.model, np.random.default_rng(5)
    for tensor in check_graph(bundle.model).tensors:
        if len(tensor.data) > 50_000:
            shuffled = rng.permutation(np.frombuffer(tensor.data, np.int8)).tobytes()
            other = other.replace(tensor.data, shuffled)
    with pytest.raises(ModelError, match="fails its self-test"):
        MaskClassifier(replace(bundle, model=other), ClassifierSettings())


def test_another_quantization_than_the_one_described_is_found(bundle: Bundle) -> None:
    card = bundle.card
    wrong = msgspec.structs.replace(card.output, zero_point=0)
    with pytest.raises(ModelError, match=r"model\.json describes the quantization \(0\.0039"):
        MaskClassifier(
            replace(bundle, card=msgspec.structs.replace(card, output=wrong)), ClassifierSettings()
        )


class ThreeClasses:
    """Answers by the colors of a crop's middle, one output for each."""

    labels = 3
    features_size = 0
    side_px = 96
    input_quantization = output_quantization = (1 / 256, -128)
    features_quantization: tuple[float, int] | None = None

    def answers(self, crops: Pixels) -> NDArray[np.int8]:
        return (crops[:, 48, 48].astype(np.int16) - 128).astype(np.int8)

    def outputs(self, crops: Pixels) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        return self.answers(crops), np.empty((len(crops), 0), np.int8)

    def probabilities(self, crops: Pixels) -> NDArray[np.float32]:
        return np.asarray((self.answers(crops) + np.float32(128)) / 256, np.float32)


def test_of_three_outputs_each_is_tested() -> None:
    network = ThreeClasses()
    patterns = (1, 2, 3, 4, 5)
    answers = network.answers(np.stack([draw(number, 96) for number in patterns]))
    rows = tuple(tuple(int(answer) for answer in row) for row in answers)
    golden = Golden(
        recipe="blotches/1",
        patterns=patterns,
        bare_answers=tuple(row[1] for row in rows),
        answers=rows,
    )
    self_test(network, golden, bare=1)
    swapped = tuple((row[2], row[1], row[0]) for row in rows)
    with pytest.raises(ModelError, match="fails its self-test"):
        self_test(network, msgspec.structs.replace(golden, answers=swapped), bare=1)
    with pytest.raises(ModelError, match="fails its self-test"):
        self_test(network, golden, bare=0)


class WrongFeatures(Int8Network):
    """Answers as it should, by features that are not those described."""

    def __init__(self, model: bytes, wrong: str) -> None:
        super().__init__(model)
        self._wrong = wrong

    def outputs(self, crops: Pixels) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        answers, features = super().outputs(crops)
        if self._wrong == "in another order":
            return answers, features[:, ::-1]
        if self._wrong == "of the picture before":
            return answers, np.roll(features, 1, axis=0)
        if self._wrong == "all zero":
            return answers, np.full_like(features, -128)
        rounded = features.astype(np.int16) + np.random.default_rng(1).integers(
            -1, 2, features.shape
        )
        return answers, np.asarray(np.clip(rounded, -128, 127), np.int8)


@pytest.mark.parametrize("wrong", ["in another order", "of the picture before", "all zero"])
def test_wrong_features_are_found(tmp_path: Path, wrong: str) -> None:
    bundle = bundle_of(tmp_path, network_of(4, "features answers"))
    with pytest.raises(
        ModelError, match=r"self-test: its features are off by .* steps, .* allowed"
    ):
        self_test(WrongFeatures(bundle.model, wrong), bundle.card.golden)


def test_features_may_be_rounded_otherwise(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, network_of(4, "features answers"))
    self_test(WrongFeatures(bundle.model, "rounded"), bundle.card.golden)
