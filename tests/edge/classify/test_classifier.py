from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.preprocess import crop_face
from edge.classify.runtime import Int8Network
from edge.config import ClassifierSettings, DetectorSettings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.errors import ModelError
from edge.patterns import draw
from edge.records import Box, Face, Frame, MaskState, Pixels
from tests.edge.classify.networks import bundle_of, network_of
from tests.fakes import blank, face_at, frame_at


@pytest.fixture(scope="module")
def car(carphone: Path) -> Frame:
    """The first frame of a clip of a bare-faced man."""
    _, pixels = cv2.VideoCapture(str(carphone)).read()
    return frame_at(0, np.asarray(pixels, np.uint8))


IN_THE_CAR = Face(Box(65, 31, 111, 96), 0.99)


def test_a_bare_face_is_likely_bare(car: Frame) -> None:
    classifier = MaskClassifier(load_bundle(), ClassifierSettings())
    (reading,) = classifier.classify(car, [IN_THE_CAR])
    assert reading.face is IN_THE_CAR
    assert reading.bare_probability is not None
    assert reading.bare_probability > 0.8


def test_readings_come_in_the_order_of_the_faces(car: Frame) -> None:
    classifier = MaskClassifier(load_bundle(), ClassifierSettings())
    faces = [face_at(0, 0, 40), IN_THE_CAR, face_at(100, 60, 40)]
    readings = classifier.classify(car, faces)
    assert [reading.face for reading in readings] == faces
    again = classifier.classify(car, faces[::-1])
    assert [r.bare_probability for r in again] == [r.bare_probability for r in readings[::-1]]
    assert classifier.classify(car, []) == ()


def test_a_face_too_small_is_not_judged(car: Frame) -> None:
    classifier = MaskClassifier(load_bundle(), ClassifierSettings(min_face_px=60))
    (reading,) = classifier.classify(car, [IN_THE_CAR])
    assert reading.bare_probability is None


def test_a_face_too_blurred_is_not_judged(car: Frame) -> None:
    classifier = MaskClassifier(load_bundle(), ClassifierSettings())
    smear = np.asarray(cv2.GaussianBlur(car.pixels, (0, 0), 12), np.uint8)
    (reading,) = classifier.classify(frame_at(0, smear), [IN_THE_CAR])
    assert reading.bare_probability is None
    (nothing,) = classifier.classify(frame_at(0), [face_at(10, 10)])
    assert nothing.bare_probability is None


def test_a_model_that_is_not_the_one_described_is_refused() -> None:
    bundle = load_bundle()
    wrong = replace(bundle, card=msgspec.structs.replace(bundle.card, input_side_px=64))
    with pytest.raises(ModelError, match=r"model\.json describes input side"):
        MaskClassifier(wrong, ClassifierSettings())


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError, match="not a TensorFlow Lite file"):
        Int8Network(b"no model at all")


def test_probabilities_of_the_labels_add_up_to_one() -> None:
    bundle = load_bundle()
    side = bundle.card.input_side_px
    crops = np.random.default_rng(1).integers(0, 256, (3, side, side, 3), np.uint8)
    for threads in (1, 2):
        probabilities = Int8Network(bundle.model, threads).probabilities(crops)
        assert probabilities.shape == (3, len(bundle.card.labels))
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=0.01)


def test_a_bundle_of_two_classes_works_as_before(car: Frame, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, network_of(2))
    (reading,) = MaskClassifier(bundle, ClassifierSettings()).classify(car, [IN_THE_CAR])
    assert reading.probabilities is not None
    assert reading.probabilities.keys() == {MaskState.MASKED, MaskState.BARE}
    assert reading.probabilities[MaskState.BARE] > 0.9
    assert sum(reading.probabilities.values()) == pytest.approx(1, abs=0.01)
    assert (reading.nobody, reading.surety) == (0, IN_THE_CAR.confidence)


def test_what_is_no_mask_is_told_apart_from_what_is_no_face(car: Frame, tmp_path: Path) -> None:
    model = network_of(4, "features answers")
    bundle = bundle_of(tmp_path, model, somebody=0.5)
    (reading,) = MaskClassifier(bundle, ClassifierSettings()).classify(car, [IN_THE_CAR])
    side_px = bundle.card.input_side_px
    crop = crop_face(car.pixels, IN_THE_CAR.box, bundle.card.crop_margin, side_px)
    masked, bare, wrong, nobody = Int8Network(model).probabilities(crop[np.newaxis])[0].tolist()
    assert reading.probabilities is not None
    assert reading.probabilities == pytest.approx(
        {
            MaskState.MASKED: masked / (1 - nobody),
            MaskState.BARE: bare / (1 - nobody),
            MaskState.WORN_WRONGLY: wrong / (1 - nobody),
        },
        abs=0.01,
    )
    assert sum(reading.probabilities.values()) == pytest.approx(1)
    assert 0 < nobody == reading.nobody
    assert reading.surety == pytest.approx(IN_THE_CAR.confidence * (1 - nobody))


class Certain:
    """Says the same of every face."""

    side_px = 96

    def __init__(self, *answers: float) -> None:
        self._answers = answers

    def probabilities(self, crops: Pixels) -> NDArray[np.float32]:
        return np.asarray([self._answers] * len(crops), np.float32)


@pytest.mark.parametrize(
    ("said", "expected"),
    [((0, 0, 0, 255 / 256), (1 / 3, 1 / 3, 1 / 3)), ((0, 1 / 256, 0, 1), (1 / 6, 4 / 6, 1 / 6))],
)
def test_where_there_is_certainly_no_face_nothing_is_sure_of_a_mask(
    car: Frame, tmp_path: Path, said: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    classifier = MaskClassifier(bundle_of(tmp_path, network_of(4)), ClassifierSettings())
    classifier._network = Certain(*said)  # type: ignore[assignment]
    (reading,) = classifier.classify(car, [IN_THE_CAR])
    assert reading.probabilities is not None
    assert tuple(reading.probabilities.values()) == pytest.approx(expected)
    assert reading.nobody == pytest.approx(said[3])


@pytest.mark.parametrize("outputs", ["features answers", "answers features"])
def test_features_are_found_in_either_order_of_the_outputs(tmp_path: Path, outputs: str) -> None:
    bundle = bundle_of(tmp_path, network_of(4, outputs))
    MaskClassifier(bundle, ClassifierSettings())
    assert bundle.card.features is not None
    assert bundle.card.features.size == 128
    crops = np.stack([draw(number, bundle.card.input_side_px) for number in range(3)])
    answers, features = Int8Network(bundle.model).outputs(crops)
    assert (answers == Int8Network(network_of(4)).answers(crops)).all()
    assert features.shape == (3, 128)
    assert len(np.unique(features, axis=0)) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"size": 64},
            r"input side, labels and features \(96, 4, 64\), the model has \(96, 4, 128\)",
        ),
        ({"scale": 0.5}, r"the quantization \(0\.5, -128\), the model has \(0\.0"),
        (None, r"features \(96, 4, 0\), the model has \(96, 4, 128\); make the bundle again"),
    ],
)
def test_features_that_are_not_those_described_are_refused(
    tmp_path: Path, changes: dict[str, Any] | None, reason: str
) -> None:
    bundle = bundle_of(tmp_path, network_of(4, "features answers"))
    assert bundle.card.features is not None
    features = None if changes is None else msgspec.structs.replace(bundle.card.features, **changes)
    card = msgspec.structs.replace(bundle.card, features=features)
    with pytest.raises(ModelError, match=reason):
        MaskClassifier(replace(bundle, card=card), ClassifierSettings())


def test_detection_and_classification_agree_on_where_a_face_is(car: Frame) -> None:
    detection = FaceDetection(open_detector("res10"), DetectorSettings())
    faces = detection.detect(car)
    (reading,) = MaskClassifier(load_bundle(), ClassifierSettings()).classify(car, faces)
    assert reading.bare_probability is not None
    assert reading.bare_probability > 0.8
    assert detection.detect(frame_at(0, blank())) == ()
