"""What `train` and `evaluate` write: the figures of each epoch, and of models on pictures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.files import read_document
from convert.measure.metrics import Interval, MeasuredPoint, ReliabilityBin, ThresholdChoice


class Epoch(msgspec.Struct, frozen=True):
    """A line of the history. Training figures are on augmented examples, with dropout; both losses
    are against smoothed labels, so neither can reach zero.
    """

    number: int
    phase: str
    rate: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


class ViewKind(StrEnum):
    """What of a picture the network sees."""

    CAMERA = "camera"
    """The largest located face with the bundle's margin; the whole picture where none is found."""
    WHOLE = "whole"
    """The whole picture, squared."""


class Score(msgspec.Struct, frozen=True):
    """The figures of one model on one view of the pictures."""

    model: str
    view: ViewKind
    pictures: int
    accuracy: float
    balanced_accuracy: float
    per_class: dict[str, dict[str, float]]
    """Precision, recall, F1 and support of each label, and `macro avg` and `weighted avg`."""
    confusion: list[list[int]]
    """Row the truth, column the answer, in the order of the labels."""


class SizeScore(msgspec.Struct, frozen=True):
    """The figures of one model on located faces, shrunk to one size."""

    model: str
    face_px: float
    pictures: int
    accuracy: float
    balanced_accuracy: float


class Agreement(msgspec.Struct, frozen=True):
    """The share of pictures on which both models decide alike."""

    view: ViewKind
    share: float


class Evaluation(msgspec.Struct, frozen=True):
    """`evaluation-PART.json`.

    The first figures are of the int8 model, where there is one, on the view that the camera has.
    """

    data: str
    part: str
    pictures: int
    skipped: int
    data_digest: str
    detector: str
    faces_located: int
    runtime: str
    accuracy: float
    balanced_accuracy: float
    agreement_with_keras: float | None
    scores: list[Score]
    agreements: list[Agreement]
    sizes: list[SizeScore]
    thresholds: ThresholdChoice | None
    calibration_error: float
    """Of the same answers as the first figures."""
    reliability: list[ReliabilityBin]
    curve: list[MeasuredPoint]
    """Precision and recall of `without_mask`."""
    model_sha256: str = ""
    """Of the int8 network that was measured; empty: of the Keras model alone."""


def read_evaluation(path: Path) -> Evaluation:
    """Read what `evaluate` wrote. Raises ConfigError."""
    return read_document(path, Evaluation, "evaluate")


class Band(msgspec.Struct, frozen=True):
    """Faces of a size (geometric mean of width and height), `above_px` included."""

    above_px: float
    below_px: float | None

    def __str__(self) -> str:
        return (
            f">= {self.above_px:g} px"
            if self.below_px is None
            else (f"{self.above_px:g}-{self.below_px:g} px")
        )

    def holds(self, sizes_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        below = np.inf if self.below_px is None else self.below_px
        return (sizes_px >= self.above_px) & (sizes_px < below)


class TrueBoxScore(msgspec.Struct, frozen=True):
    """How right a model is about the faces of one band, given their boxes."""

    model: str
    band: Band
    masked_faces: int
    bare_faces: int
    masked: Interval | None
    """The share of them that is called so."""
    bare: Interval | None
    balanced: Interval | None
    incorrect_faces: int
    """With a mask worn wrongly."""
    incorrect_called_bare: int
    incorrect_called_so: int
    masked_called_incorrect: int
    masked_called_bare: int


class TraitScore(msgspec.Struct, frozen=True):
    """How right a model is about the faces of a kind that show something, given their boxes."""

    model: str
    trait: str
    kind: str
    """The face's label."""
    faces: int
    called_so: int
    called_bare: int


class SuretyPoint(msgspec.Struct, frozen=True):
    """What is found by detector and classifier together from a surety on."""

    threshold: float
    """Of the detector's score times the classifier's probability that somebody is there."""
    masked_found: int
    bare_found: int
    incorrect_found: int
    unlabelled: int
    """Found where nobody has boxed a face."""


class EndToEndScore(msgspec.Struct, frozen=True):
    """What a detector and the bundle make of pictures, for the faces of one band.

    A found face counts in the band of the labeled one that it stands for.
    """

    detector: str
    confidence: float
    """The score from which on a detection is a face: in a single picture, the one from which the
    daemon follows somebody."""
    band: Band
    masked_faces: int
    masked_found: int
    bare_faces: int
    bare_found: int
    violations: int
    """Found faces called bare; masks worn wrongly left out."""
    violations_on_bare: int
    violations_on_masked: int
    violations_on_nothing: int
    precision: Interval | None
    recall: Interval | None
    """Of all labeled bare faces, found or not."""
    incorrect_found: int
    incorrect_called_bare: int
    curve: list[MeasuredPoint]
    sureties: list[SuretyPoint] = []
    """From which surety on a detection is somebody: by what the threshold is chosen."""


class BoxedEvaluation(msgspec.Struct, frozen=True):
    """`boxed-PART.json`."""

    data: str
    part: str
    pictures: int
    skipped: int
    runtime: str
    threshold: float
    """From which on a face is a violation, end to end."""
    min_iou: float
    accuracy: float
    """Of the last model, on labeled faces from 16 px on."""
    faces: int
    per_class: dict[str, dict[str, float]]
    confusion: dict[str, list[list[int]]]
    """By model, of the same sizes, those with a mask worn wrongly too: row the truth, column the
    answer, in the order of the labels."""
    agreement_with_keras: float | None
    true_boxes: list[TrueBoxScore]
    by_set: dict[str, list[TrueBoxScore]]
    """The last model's of each set, where there are several."""
    traits: list[TraitScore]
    """Of the few faces whose traits are known."""
    end_to_end: list[EndToEndScore]
    calibration_error: float
    reliability: list[ReliabilityBin]
    curve: list[MeasuredPoint]
    """Precision and recall given the boxes, from 16 px on: what the thresholds were chosen by."""
    thresholds: ThresholdChoice | None
    model_sha256: str = ""
    """Of the int8 network that was measured; empty: of the Keras model alone."""


def read_boxed_evaluation(path: Path) -> BoxedEvaluation:
    """Read what `evaluate --boxed` wrote. Raises ConfigError."""
    return read_document(path, BoxedEvaluation, "evaluate --boxed")
