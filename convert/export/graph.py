"""Look into a `.tflite` file: its operators, and what they cost."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.classify.graph import OPERATORS
from edge.errors import MissingPackageError, ModelError

RUNTIME_OPERATORS = dict(OPERATORS.values())
"""Operators with int8 kernels, and their newest version, in every runtime that we run on."""


@dataclass(frozen=True, slots=True)
class ModelOperator:
    """One operator of a network."""

    name: str
    """TensorFlow Lite's name of it; for a custom one, the name that it gives itself."""
    version: int
    is_custom: bool
    multiply_adds: int
    """For one face. Convolutions and matrix products are counted, cheap operators are not."""


def read_operators(model: bytes) -> tuple[ModelOperator, ...]:
    """Return the operators of the model in the order of execution. Raises ModelError."""
    try:
        from tensorflow.lite.python import schema_py_generated as schema
    except ImportError as error:
        raise MissingPackageError(
            "tensorflow is not installed; install it: pip install -r requirements-dev.txt"
        ) from error
    names = {
        number: name
        for name, number in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    try:
        file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    # What the flatbuffers reader raises on offsets that lead nowhere.
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"the TensorFlow Lite file is damaged ({error})") from error
    if model[4:8] != b"TFL3" or not file.subgraphs:
        raise ModelError("this is no TensorFlow Lite file")
    operators: list[ModelOperator] = []
    for graph in file.subgraphs:
        shapes = [tuple(int(n) for n in _listed(tensor.shape)) for tensor in graph.tensors]
        for node in graph.operators:
            code = file.operatorCodes[node.opcodeIndex]
            # Codes above 126 do not fit into the old field.
            number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
            custom = _text(code.customCode)
            name = custom or names.get(number, f"operator {number}")
            cost = _multiply_adds(name, [shapes[i] for i in node.inputs], shapes[node.outputs[0]])
            operators.append(ModelOperator(name, int(code.version), bool(custom), cost))
    return tuple(operators)


def multiply_adds(operators: Sequence[ModelOperator]) -> int:
    return sum(operator.multiply_adds for operator in operators)


def refuse_foreign_operators(operators: Sequence[ModelOperator]) -> None:
    """Raise ModelError when the edge runtimes lack an operator, or its version."""
    for operator in operators:
        if operator.is_custom or operator.name not in RUNTIME_OPERATORS:
            kind = "custom" if operator.is_custom else "built-in"
            raise ModelError(
                f"the network needs the {kind} operator {operator.name}, which the edge runtime "
                "does not have in int8; leave the layer that makes it out of the network"
            )
        newest = RUNTIME_OPERATORS[operator.name]
        if operator.version > newest:
            raise ModelError(
                f"the network needs version {operator.version} of {operator.name}, the edge "
                f"runtime has {newest}; convert with the TensorFlow of requirements-dev.txt"
            )


def _multiply_adds(name: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> int:
    if name in ("CONV_2D", "FULLY_CONNECTED"):
        # Weights are (out, height, width, in) or (out, in): each output value sums over the rest.
        return math.prod(output) * math.prod(inputs[1][1:])
    if name == "DEPTHWISE_CONV_2D":
        # Weights are (1, height, width, channels).
        return math.prod(output) * math.prod(inputs[1][1:3])
    return 0


def _listed(values: Any) -> list[Any]:
    return [] if values is None else list(np.atleast_1d(values))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else (value or "")
