from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import flatbuffers
import msgspec
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge.classify.card import (
    BARE,
    CARD_FILE,
    LABELS,
    MODEL_FILE,
    Golden,
    digest,
    load_bundle,
)
from edge.classify.classifier import MaskClassifier
from edge.classify.runtime import Int8Network
from edge.config import ClassifierSettings, DetectorSettings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.errors import ModelError
from edge.patterns import draw
from edge.records import Box, Face, Frame, MaskState
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
        assert probabilities.shape == (3, 3)
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=0.01)


def of_two_classes(model: bytes) -> bytes:
    """Return the model without its third answer: what a bundle of the first release holds."""
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for tensor in whole.subgraphs[0].tensors:
        shape = tensor.shape.tolist()
        if shape in ([3], [3, 128]):  # the last layer's biases and weights
            buffer = whole.buffers[tensor.buffer]
            buffer.data = buffer.data[: len(buffer.data) * 2 // 3]
            tensor.shape = [2, *shape[1:]]
            tensor.quantization.scale = tensor.quantization.scale[:2]
            tensor.quantization.zeroPoint = tensor.quantization.zeroPoint[:2]
        elif shape == [1, 3]:
            tensor.shape = [1, 2]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_bundle_of_two_classes_works_as_before(car: Frame, tmp_path: Path) -> None:
    shipped = load_bundle()
    model = of_two_classes(shipped.model)
    golden = shipped.card.golden
    patterns = np.stack([draw(number, shipped.card.input_side_px) for number in golden.patterns])
    bare_answers = Int8Network(model).answers(patterns)[:, BARE].tolist()
    card = msgspec.structs.replace(
        shipped.card,
        labels=LABELS[:2],
        golden=Golden(
            recipe=golden.recipe, patterns=golden.patterns, bare_answers=tuple(bare_answers)
        ),
        model_sha256=digest(model),
    )
    (tmp_path / CARD_FILE).write_bytes(msgspec.json.encode(card))
    (tmp_path / MODEL_FILE).write_bytes(model)
    (reading,) = MaskClassifier(load_bundle(tmp_path), ClassifierSettings()).classify(
        car, [IN_THE_CAR]
    )
    assert reading.probabilities is not None
    assert reading.probabilities.keys() == {MaskState.MASKED, MaskState.BARE}
    assert reading.probabilities[MaskState.BARE] > 0.9
    assert sum(reading.probabilities.values()) == pytest.approx(1, abs=0.01)


def test_detection_and_classification_agree_on_where_a_face_is(car: Frame) -> None:
    detection = FaceDetection(open_detector("res10"), DetectorSettings())
    faces = detection.detect(car)
    (reading,) = MaskClassifier(load_bundle(), ClassifierSettings()).classify(car, faces)
    assert reading.bare_probability is not None
    assert reading.bare_probability > 0.8
    assert detection.detect(frame_at(0, blank())) == ()
