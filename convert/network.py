"""The classifier: MobileNetV2 (Sandler et al., 2018) with a small head, in Keras."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.classify.card import LABELS
from edge.classify.preprocess import to_float
from edge.errors import ConfigError, ModelError
from edge.records import Pixels

BACKBONE = "backbone"
FEATURES = "features"
HEAD_UNITS = 128
DROPOUT = 0.3
FEATURES_PX = 128
MAX_WIDTH = 1.4
"""The widest that the network was published with."""
NORM_MOMENTUM = 0.97
"""Batch normalization forgets ImageNet's statistics within some 30 steps. Keras's own 0.999 would
take longer than the whole training, and the averages would lie all that time."""


def import_keras() -> Any:
    """Import Keras with TensorFlow below it, quietly."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow  # noqa: F401  (Keras finds out only later that it is missing)

    return keras


def build_network(side_px: int, width: float, weights: str) -> Any:
    """Return the classifier: (n, side, side, 3) float32 RGB in [-1, 1] to (n, labels) shares.

    `weights` starts the backbone: `imagenet` (Keras downloads them), `none`, or a `.weights.h5`
    file of `MobileNetV2(include_top=False)` of the same width.
    """
    keras = import_keras()
    return keras.Sequential(
        [
            keras.Input((side_px, side_px, 3), name="face"),
            build_backbone(side_px, width, weights),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(HEAD_UNITS, activation="relu", name=FEATURES),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(len(LABELS), activation="softmax", name="probabilities"),
        ],
        name="tensormask",
    )


def build_backbone(side_px: int, width: float, weights: str) -> Any:
    """Return MobileNetV2 without its top. Raises ConfigError when the weights do not fit."""
    keras = import_keras()
    if not 0 < width <= MAX_WIDTH:
        raise ConfigError(f"--width {width}: takes more than 0 and at most {MAX_WIDTH}")
    is_file = weights not in ("imagenet", "none")
    if is_file and not Path(weights).is_file():
        raise ConfigError(
            f"{weights}: no such file; --weights takes imagenet, none or a .weights.h5 file"
        )
    try:
        backbone = keras.applications.MobileNetV2(
            input_shape=(side_px, side_px, 3),
            alpha=width,
            include_top=False,
            weights="imagenet" if weights == "imagenet" else None,
            name=BACKBONE,
        )
        if is_file:
            backbone.load_weights(weights)
    # Keras raises a bare Exception when its download fails, ValueError and OSError for a file.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"--weights {weights}: cannot start a network of width {width} from these ({reason}); "
            "give a .weights.h5 file of MobileNetV2(include_top=False) of that width"
        ) from error
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = NORM_MOMENTUM
    return backbone


def with_fused_norms(model: Any) -> Any:
    """Return a copy of the network for training, with weights of the same order and meaning.

    Keras 3 computes batch normalization operation by operation; TensorFlow's fused one gives the
    same answers, and a step of training takes half the time.
    """
    keras = import_keras()
    import tensorflow as tf

    fused = tf.compat.v1.nn.fused_batch_norm

    class FusedNormalization(keras.layers.BatchNormalization):  # type: ignore[misc,name-defined]
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            scales = (inputs, self.gamma, self.beta)
            known = (self.moving_mean, self.moving_variance)
            if not (training and self.trainable):
                return fused(*scales, *known, epsilon=self.epsilon, is_training=False)[0]
            normalized, *seen = fused(*scales, epsilon=self.epsilon, is_training=True)
            for average, now in zip(known, seen, strict=True):
                average.assign(average * self.momentum + now * (1 - self.momentum))
            return normalized

    def copied(layer: Any) -> Any:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        return (FusedNormalization if is_norm else type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def load_model(path: Path) -> Any:
    """Load a Keras model that `train` saved. Raises ModelError."""
    keras = import_keras()
    if not path.is_file():
        raise ModelError(f"{path}: no such file; `python -m convert train` writes it")
    try:
        with quiet_tensorflow():
            model = keras.models.load_model(path, compile=False)
    # h5py, zipfile and Keras each raise their own; all mean the same to the user.
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: no Keras model ({reason}); train the model again") from error
    shape, answers = tuple(model.input_shape), tuple(model.output_shape)
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or answers[1:] != (len(LABELS),):
        raise ModelError(
            f"{path}: maps {shape} to {answers}, not square faces to {len(LABELS)} probabilities"
        )
    return model


def imagenet_features(
    pictures: list[Pixels],
    weights: str,
    progress: Callable[[range], Iterable[int]] = lambda starts: starts,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (n, 1280) ImageNet features of pictures and of their mirror images.

    `pictures` are (FEATURES_PX, FEATURES_PX, 3) uint8 BGR.
    """
    keras = import_keras()
    backbone = build_backbone(FEATURES_PX, 1.0, weights)
    pooled = keras.Sequential([backbone, keras.layers.GlobalAveragePooling2D()])
    stack = np.stack(pictures)
    mirrored = stack[:, :, ::-1]
    return predict(pooled, stack, progress=progress), predict(pooled, mirrored, progress=progress)


def predict(
    model: Any,
    crops: Pixels,
    batch: int = 64,
    progress: Callable[[range], Iterable[int]] = lambda starts: starts,
) -> NDArray[np.float32]:
    """Return the model's answers to crops (n, side, side, 3) uint8 BGR."""
    return np.concatenate(
        [
            np.asarray(model.predict_on_batch(to_float(crops[at : at + batch])))
            for at in progress(range(0, len(crops), batch))
        ]
    )


def save_model(model: Any, path: Path) -> None:
    """Save the model for `load_model`, whole or not at all."""
    fresh = path.with_name(f"new-{path.name}")
    with quiet_tensorflow():
        model.save(fresh)
    fresh.replace(path)


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Silence what saving and exporting print and warn about although nothing is wrong."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            # Keras 3.15 and TensorFlow 2.21, each inside itself.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=ResourceWarning)
            yield
    finally:
        logger.setLevel(level)
