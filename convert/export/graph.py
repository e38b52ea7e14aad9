"""Look into a `.tflite` file: which operators a device lacks, and what the others cost."""

from __future__ import annotations

import math

from edge.classify.graph import OPERATORS, Graph
from edge.errors import ModelError


def refuse_foreign_operators(graph: Graph) -> None:
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
