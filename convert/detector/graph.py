"""A detector's ONNX file as a network that TensorFlow can train, and back into a file.

Only what YuNet is made of is understood: convolutions, ReLU, pooling, doubling by nearest
neighbor and sums, and then for each stride (8, 16, 32) four maps: class, objectness, box and
landmarks. The graph itself is never changed: training writes other numbers into its initializers,
so that whatever reads YuNet reads the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.network import import_keras
from edge.errors import ModelError

STRIDES = (8, 16, 32)
"""Pixels of the picture for each cell of the three maps."""
KINDS = ("cls", "obj", "bbox", "kps")
CHANNELS = {"cls": 1, "obj": 1, "bbox": 4}

Arrays = dict[str, NDArray[np.float32]]
"""The initializers that are trained, by name."""


@dataclass(frozen=True, slots=True)
class DetectorGraph:
    """The file as it was read."""

    model: Any
    """onnx.ModelProto."""
    arrays: Arrays
    """Kernels (out, in / groups, height, width) and biases (out,)."""
    heads: dict[str, str]
    """`cls_8` and its like to the name of the map (before sigmoid, in the file's own layout)."""


def read_graph(path: Path) -> DetectorGraph:
    """Read a file of YuNet's architecture. Raises ModelError for every other one."""
    import onnx.numpy_helper

    try:
        model = onnx.load(str(path))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except Exception as error:  # protobuf's own, of several kinds
        raise ModelError(f"{path}: no ONNX file ({error})") from error
    made_by = {output: node for node in model.graph.node for output in node.output}
    heads = {}
    for kind in KINDS:
        for stride in STRIDES:
            name = f"{kind}_{stride}"
            if name not in made_by:
                raise ModelError(f"{path}: no output {name}: not of YuNet's architecture")
            node = made_by[name]
            while node.op_type != "Conv":
                node = made_by[node.input[0]]
            heads[name] = node.output[0]
    used = {name for node in model.graph.node if node.op_type == "Conv" for name in node.input[1:]}
    arrays = {
        item.name: np.array(onnx.numpy_helper.to_array(item), np.float32)
        for item in model.graph.initializer
        if item.name in used
    }
    return DetectorGraph(model, arrays, heads)


def write_graph(graph: DetectorGraph, arrays: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return the file with these numbers in the place of its own.

    The landmarks are not trained: their kernels become zero, so that nobody relies on them.
    """
    import onnx.numpy_helper

    made_by = {output: node for node in graph.model.graph.node for output in node.output}
    landmarks = {
        name
        for head, output in graph.heads.items()
        if head.startswith("kps")
        for name in made_by[output].input[1:]
    }
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    for item in model.graph.initializer:
        if item.name in arrays:
            values = arrays[item.name] * np.float32(item.name not in landmarks)
            item.CopyFrom(onnx.numpy_helper.from_array(values, item.name))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class TrainableDetector:
    """The network of a graph, with its numbers as TensorFlow's variables."""

    def __init__(self, graph: DetectorGraph, *, trainable: bool = True) -> None:
        import_keras()
        import tensorflow as tf

        self._tf = tf
        self._graph = graph
        self._nodes = [node for node in graph.model.graph.node if node.op_type in _OPERATORS]
        self.variables = {
            name: tf.Variable(
                _to_tensorflow(array), trainable=trainable, name=name.replace(".", "_")
            )
            for name, array in graph.arrays.items()
        }

    def arrays(self) -> Arrays:
        """Return the numbers of now, in the file's layout."""
        return {name: _to_onnx(variable.numpy()) for name, variable in self.variables.items()}

    def set_arrays(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        for name, variable in self.variables.items():
            variable.assign(_to_tensorflow(arrays[name]))

    def __call__(self, pictures: Any) -> dict[str, Any]:
        """Return class and objectness (n, anchors) as logits, boxes (n, anchors, 4) as they are.

        `pictures` are (n, height, width, 3) float32 BGR from 0 to 255, sides multiples of 32. The
        anchors are the cells of the three maps, row by row, the finest map first.
        """
        tf = self._tf
        known = {self._graph.model.graph.input[0].name: pictures}
        for node in self._nodes:
            known[node.output[0]] = self._apply(node, [known.get(name) for name in node.input])
        answers = {}
        for kind, channels in CHANNELS.items():
            maps = [known[self._graph.heads[f"{kind}_{stride}"]] for stride in STRIDES]
            flat = [tf.reshape(each, (tf.shape(each)[0], -1, channels)) for each in maps]
            joined = tf.concat(flat, 1)
            answers[kind] = joined if channels > 1 else joined[..., 0]
        return answers

    def _apply(self, node: Any, inputs: list[Any]) -> Any:
        tf = self._tf
        match node.op_type:
            case "Relu":
                return tf.nn.relu(inputs[0])
            case "Add":
                return inputs[0] + inputs[1]
            case "MaxPool":
                return tf.nn.max_pool2d(inputs[0], 2, 2, "VALID")
            case "Resize":
                return tf.repeat(tf.repeat(inputs[0], 2, 1), 2, 2)
        given = {item.name: item for item in node.attribute}
        kernel, bias = (self.variables[name] for name in node.input[1:3])
        edge, stride, groups = given["pads"].ints[0], given["strides"].ints[0], given["group"].i
        padded = (
            tf.pad(inputs[0], ((0, 0), (edge, edge), (edge, edge), (0, 0)))
            if stride > 1
            else inputs[0]
        )
        padding = "VALID" if stride > 1 else "SAME"
        if groups == 1:
            answer = tf.nn.conv2d(padded, kernel, stride, padding)
        else:
            by_depth = tf.transpose(kernel, (0, 1, 3, 2))
            answer = tf.nn.depthwise_conv2d(padded, by_depth, (1, stride, stride, 1), padding)
        return tf.nn.bias_add(answer, bias)


_OPERATORS = ("Conv", "Relu", "MaxPool", "Resize", "Add")


def _to_tensorflow(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Kernels (out, in, height, width) to (height, width, in, out)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _to_onnx(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1)) if array.ndim == 4 else array
