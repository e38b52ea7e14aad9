"""What is measured: the options of `evaluate`, the models that they name and the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from convert.data.augment import MARGIN
from convert.measure.metrics import Answers
from convert.network import load_model, predict
from edge.classify.card import LABELS, digest, load_bundle
from edge.classify.runtime import Int8Network
from edge.errors import ConfigError, ModelError
from edge.records import Pixels

CHUNK = 128
"""Crops that a model is given at once."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """The options of the command, as the command line describes them."""

    output: Path
    dataset: Path | None = None
    boxed: tuple[Path, ...] = ()
    """One of the two."""
    bundle: Path | None = None
    keras: Path | None = None
    tflite: Path | None = None
    split: Path | None = None
    part: str = "all"
    detectors: tuple[str, ...] = ("auto",)
    """A folder's faces are located by the first; boxed pictures go through each."""
    detector_model: str = ""
    confidence: float | None = None
    """Of the faces that the detector passes on, end to end; None: the daemon's own."""
    json: Path | None = None


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model under test."""

    name: str
    """`keras` or `int8`."""
    side_px: int
    probabilities: Callable[[Pixels], Answers]
    """(n, side, side, 3) uint8 BGR crops to (n, labels)."""
    sha256: str = ""
    """Of the int8 network."""


def open_classifiers(options: EvaluateOptions) -> tuple[list[Classifier], float]:
    """Return the models, Keras first, and the crop margin."""
    classifiers: list[Classifier] = []
    margin = MARGIN
    if options.keras is not None:
        model = load_model(options.keras)
        classifiers.append(Classifier("keras", int(model.input_shape[1]), partial(predict, model)))
    if options.bundle is not None:
        bundle = load_bundle(options.bundle)
        margin = bundle.card.crop_margin
        classifiers.append(_int8(bundle.model))
    elif options.tflite is not None:
        try:
            classifiers.append(_int8(options.tflite.read_bytes()))
        except OSError as error:
            raise ModelError(
                f"{options.tflite}: {error.strerror}; `python -m convert quantize` writes it"
            ) from error
    if not classifiers:
        raise ConfigError(
            "nothing to evaluate: give --bundle DIR, or --keras FILE and --tflite FILE"
        )
    return classifiers, margin


def _int8(model: bytes) -> Classifier:
    network = Int8Network(model, threads=2)
    return Classifier("int8", network.side_px, _of_labels(network), digest(model))


def _of_labels(network: Int8Network) -> Callable[[Pixels], Answers]:
    """Return what asks the network, with none of the classes that it does not tell apart."""
    missing = len(LABELS) - network.labels

    def probabilities(crops: Pixels) -> Answers:
        return np.pad(network.probabilities(crops), ((0, 0), (0, missing)))

    return probabilities
