"""The `quantize` step: from a Keras model to int8 TensorFlow Lite, int8 at both ends too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.data.dataset import Dataset
from convert.data.faces import read_faces
from convert.data.prepare import FACES_FILE, Bar, camera_views
from convert.data.split import SplitPart, read_split
from convert.export.calibrate import calibration_crops, choose_pictures
from convert.files import TFLITE_FILE, write_atomically
from convert.network import FEATURES, import_keras, load_model, quiet_tensorflow
from edge.classify.graph import OPERATORS, Graph, check_graph, read_graph
from edge.classify.preprocess import to_float
from edge.classify.runtime import Int8Network
from edge.errors import ModelError

MAX_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """The options of the command, as the command line describes them."""

    dataset: Path
    output: Path
    keras: Path
    split: Path
    pictures: int = 400
    seed: int = 7


def quantize(options: QuantizeOptions, bar: Bar, say: Callable[[str], None]) -> None:
    """Run the step. Raises ModelError for a network that the edge runtime cannot run."""
    model = load_model(options.keras)
    side_px = int(model.input_shape[1])
    training = read_split(options.split).part(SplitPart.TRAINING)
    chosen = [
        training[place] for place in choose_pictures(training, options.pictures, options.seed)
    ]
    boxes = read_faces(options.output / FACES_FILE)
    dataset = Dataset(options.dataset, training, ())
    pixels = [dataset.read(picture) for picture in bar(chosen, "calibration pictures")]
    crops = calibration_crops(camera_views(chosen, pixels, boxes), side_px, options.seed)
    content = convert_to_int8(model, bar(crops, "calibration"))
    say(describe(content))
    write_atomically(options.output / TFLITE_FILE, content)


def convert_to_int8(model: Any, crops: Any) -> bytes:
    """Return the int8 model, per-channel weights, calibrated on `crops` (side, side, 3) uint8 BGR.

    Raises ModelError when it cannot be made of int8 operators that the edge runtimes have.
    """
    import tensorflow as tf

    keras = import_keras()

    def calibration() -> Iterator[list[NDArray[np.float32]]]:
        for crop in crops:
            yield [to_float(crop)[np.newaxis]]

    # With the number of faces fixed to one, the file needs no operators that compute shapes.
    one_face = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(
        keras.Model(one_face, _outputs(model, one_face))
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    try:
        with quiet_tensorflow():
            content = bytes(converter.convert())
    # The converter has no error class of its own that is public.
    except Exception as error:
        raise ModelError(
            "the network cannot be made of the int8 operators that the edge runtime has "
            f"({_reason(error)}); leave the layer at fault out of it"
        ) from error
    refuse(content)
    return content


def _outputs(model: Any, face: Any) -> list[Any]:
    """Return the probabilities, and the features where the network has a layer of that name."""
    outputs = []
    for layer in model.layers:
        face = layer(face)
        if layer.name == FEATURES:
            outputs.append(face)
    return [face, *outputs]


def refuse(content: bytes) -> None:
    """Raise ModelError for a file that a Pi should not get."""
    _refuse_foreign_operators(read_graph(content))
    Int8Network(content)
    if len(content) > MAX_BYTES:
        raise ModelError(
            f"the model has {len(content) / 1e6:.2f} MB, more than {MAX_BYTES / 1e6:.0f} MB; "
            "train with a smaller --width"
        )


def describe(content: bytes) -> str:
    """Return a line about the file: operators, cost and size."""
    graph = check_graph(content)
    operators = {f"{OPERATORS[each.number][0]} v{each.version}" for each in graph.operators}
    return (
        f"int8 model: {len(content) / 1e6:.2f} MB, {multiply_adds(graph) / 1e6:.1f} million "
        f"multiply-adds, {len(graph.operators)} operators ({', '.join(sorted(operators))})"
    )


def _refuse_foreign_operators(graph: Graph) -> None:
    """Raise ModelError, by TensorFlow's name, for an operator that the edge runtimes lack."""
    from tensorflow.lite.python.schema_py_generated import BuiltinOperator

    names = {number: name for name, number in vars(BuiltinOperator).items()}
    for operator in graph.operators:
        if operator.number not in OPERATORS:
            raise ModelError(
                f"the network needs the operator {names.get(operator.number, operator.number)}, "
                "which the edge runtime does not have in int8; leave the layer that makes it out "
                "of the network"
            )


def multiply_adds(graph: Graph) -> int:
    """Return how many one face takes in convolutions and matrix products; the rest is cheap."""
    total = 0
    for operator in graph.operators:
        name, _ = OPERATORS[operator.number]
        output = graph.tensors[operator.outputs[0]].shape
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            # Weights are (out, height, width, in), (1, height, width, channels) or (out, in): each
            # output value sums over the rest.
            weights = graph.tensors[operator.inputs[1]].shape
            summed = weights[1:3] if name == "DEPTHWISE_CONV_2D" else weights[1:]
            total += math.prod(output) * math.prod(summed)
    return total


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [
        line for line in lines if "neither a custom op nor a flex op" in line or "Ops:" in line
    ]
    return (telling or lines or [type(error).__name__])[0][:200]
