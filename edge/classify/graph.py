"""What a `.tflite` file holds, looked at before any runtime does.

A file is a FlatBuffer (its schema: `tensorflow/lite/schema/schema.fbs`). The runtimes check that
its offsets lead somewhere, but take its shapes, scales and wiring at their word; a wrong word can
abort the process. So what is no plain int8 network is refused here. What a hand-made file makes its
operators compute, against the shapes that it declares, only the unit's MemoryMax= bounds.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.errors import ModelError

OPERATORS: Final = {
    0: ("ADD", 5),
    1: ("AVERAGE_POOL_2D", 3),
    2: ("CONCATENATION", 3),
    3: ("CONV_2D", 6),
    4: ("DEPTHWISE_CONV_2D", 6),
    9: ("FULLY_CONNECTED", 9),
    14: ("LOGISTIC", 3),
    17: ("MAX_POOL_2D", 3),
    18: ("MUL", 4),
    19: ("RELU", 2),
    21: ("RELU6", 2),
    22: ("RESHAPE", 1),
    25: ("SOFTMAX", 3),
    34: ("PAD", 4),
    40: ("MEAN", 3),
    41: ("SUB", 5),
    114: ("QUANTIZE", 3),
    117: ("HARD_SWISH", 1),
}
"""Operators with int8 kernels by their number, and their newest version, in every runtime from
tflite-runtime 2.10 to ai-edge-litert 2.3. Another kind of network may need more: add them after a
look at both, and none whose output's size is decided by values rather than by shapes."""
_FULLY_CONNECTED: Final = 9
_PAD: Final = 34

_INT32: Final = 2
_INT8: Final = 9
_BYTES_OF_TYPE: Final = {_INT32: 4, _INT8: 1}
"""All that a full-integer network is made of."""
MAX_PARTS: Final = 1024
"""Of tensors and of operators; MobileNetV2 has 176 and 66."""
MAX_RANK: Final = 6
MAX_CHANNELS: Final = 65536
MAX_TENSORS_BYTES: Final = 64 * 1024 * 1024
"""Of all tensors together; MobileNetV2 at 96 px has 6 MB, weights included."""
MAX_PADDING: Final = 64
MIN_SCALE: Final = 1e-12
MAX_SCALE: Final = 1e6


@dataclass(frozen=True, slots=True)
class Tensor:
    shape: tuple[int, ...]
    type: int
    data: bytes
    """Of a constant; empty where an operator writes it."""
    scales: tuple[float, ...]
    """One, or one for each channel; none where it is not quantized."""
    channels: int
    """How many there are in the dimension that `scales` go by."""


@dataclass(frozen=True, slots=True)
class GraphOperator:
    number: int
    version: int
    is_custom: bool
    inputs: tuple[int, ...]
    """Places in the graph's tensors; -1: left out."""
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network: its operators in the order of execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[GraphOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    """The answers and perhaps the features, in any order."""

    @property
    def features(self) -> int | None:
        """Place of the second output, which the last layer reads; None: there is no such."""
        layers = [each for each in self.operators if each.number == _FULLY_CONNECTED]
        read = layers[-1].inputs[:1] if layers and len(self.outputs) > 1 else ()
        return read[0] if read and read[0] in self.outputs else None

    @property
    def answers(self) -> int:
        """Place of the output of probabilities, in a graph that `check_graph` has passed."""
        (place,) = (each for each in self.outputs if each != self.features)
        return place


def check_graph(model: bytes) -> Graph:
    """Return the network in the bytes of a `.tflite` file, if it is a plain one.

    Plain: one graph of known operators on int8 and int32 tensors of a bounded size, each of which
    is a constant, the input, or written once before it is read. One output or two: the answers and
    the features that the last layer makes them of. Raises ModelError otherwise.
    """
    graph = read_graph(model)
    _refuse_foreign_operators(graph.operators)
    _refuse_odd_tensors(graph.tensors)
    _refuse_odd_wiring(graph)
    return graph


def read_graph(model: bytes) -> Graph:
    """Return the network in the bytes of a `.tflite` file, of whatever operators and wiring.

    Raises ModelError for a damaged file, and for one that is not made of one bounded graph.
    """
    if model[4:8] != b"TFL3":
        raise ModelError("the model is not a TensorFlow Lite file; make the bundle again")
    try:
        return _read_graph(model)
    except (struct.error, IndexError) as error:
        raise ModelError(
            "the TensorFlow Lite file is damaged: an offset points outside of it; "
            "make the bundle again"
        ) from error


def _refuse_foreign_operators(operators: Sequence[GraphOperator]) -> None:
    for operator in operators:
        name, newest = OPERATORS.get(operator.number, (f"number {operator.number}", 0))
        if operator.is_custom or operator.version > newest:
            kind = "custom" if operator.is_custom else f"version {operator.version} of the"
            raise ModelError(f"the model needs {kind} operator {name}, which is not supported here")


def _refuse_odd_tensors(tensors: Sequence[Tensor]) -> None:
    total = 0
    for place, tensor in enumerate(tensors):
        size = _BYTES_OF_TYPE.get(tensor.type)
        if size is None or any(side < 1 for side in tensor.shape):
            raise ModelError(f"tensor {place} of the model is not int8 or int32 of a fixed size")
        needs = size * math.prod(tensor.shape)
        if not _is_sound(tensor):
            raise ModelError(f"tensor {place} of the model has an invalid quantization")
        if tensor.data and len(tensor.data) != needs:
            raise ModelError(f"tensor {place} of the model has {len(tensor.data)} of {needs} bytes")
        total += needs
    if total > MAX_TENSORS_BYTES:
        raise ModelError(f"the model's tensors take {total} bytes, too many for a Pi")


def _is_sound(tensor: Tensor) -> bool:
    if not all(MIN_SCALE <= scale <= MAX_SCALE for scale in tensor.scales):  # nor is NaN
        return False
    counts = {1, tensor.channels} if tensor.type == _INT8 else {0, 1, tensor.channels}
    return len(tensor.scales) in counts


def _refuse_odd_wiring(graph: Graph) -> None:
    tensors = graph.tensors
    if len(graph.inputs) != 1 or len(graph.outputs) not in (1, 2):
        raise ModelError(
            f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, "
            "not one input and one or two outputs"
        )
    if len(graph.outputs) == 2 and (graph.features is None or len(set(graph.outputs)) == 1):
        raise ModelError(
            "the model has a second output that is not what its last layer reads; "
            "make the bundle again"
        )
    known = {place for place, tensor in enumerate(tensors) if tensor.data}
    known_before = len(known)
    known.update(graph.inputs)
    if len(known) == known_before or not known <= set(range(len(tensors))):
        raise ModelError("the model's input is a constant, or missing")
    for place, operator in enumerate(graph.operators):
        # A bias, always the third input, may be left out; other kernels take what is not there.
        has_bias = operator.inputs[2:] != (-1,)
        if not known.issuperset(operator.inputs if has_bias else operator.inputs[:2]):
            raise ModelError(
                f"operator {place} of the model reads a tensor that was not written before"
            )
        if len(operator.outputs) != 1 or operator.outputs[0] in known:
            raise ModelError(f"operator {place} of the model does not write exactly one new tensor")
        if not 0 <= operator.outputs[0] < len(tensors):
            raise ModelError(f"operator {place} of the model writes a tensor that does not exist")
        known.add(operator.outputs[0])
        if operator.number == _PAD:
            _refuse_odd_padding([tensors[read] for read in operator.inputs])
    if not known.issuperset(graph.outputs):
        raise ModelError("the model's output is never written")


def _refuse_odd_padding(inputs: Sequence[Tensor]) -> None:
    """PAD alone has an output whose size a value decides, not the shapes that it declares."""
    paddings = inputs[1].data if len(inputs) == 2 else b""
    if not paddings or len(paddings) % 4:
        raise ModelError("the model pads by a value that is not constant")
    if not all(0 <= amount <= MAX_PADDING for (amount,) in struct.iter_unpack("<i", paddings)):
        raise ModelError(f"the model pads by a negative size or by more than {MAX_PADDING}")


@dataclass(frozen=True, slots=True)
class _Table:
    """A FlatBuffer's table: fields at offsets that its vtable lists, absent ones having none.

    Raises struct.error and IndexError for what leads out of the file.
    """

    file: bytes
    at: int

    def number(self, field: int, code: str = "i") -> int:
        """Return a whole number; 0, the default of all that we read, where it is absent."""
        place = self._place(field)
        return _number(self.file, place, code) if place else 0

    def numbers(self, field: int, most: int) -> tuple[int, ...]:
        """Return a vector of at most `most` int32."""
        start, count = self._vector(field, 4, most)
        return struct.unpack_from(f"<{count}i", self.file, start)

    def reals(self, field: int, most: int) -> tuple[float, ...]:
        """Return a vector of at most `most` float32."""
        start, count = self._vector(field, 4, most)
        return struct.unpack_from(f"<{count}f", self.file, start)

    def bytes(self, field: int) -> bytes:
        start, count = self._vector(field, 1, len(self.file))
        return self.file[start : start + count]

    def table(self, field: int) -> list[_Table]:
        """Return the table there, or none."""
        place = self._place(field)
        return [_Table(self.file, place + _number(self.file, place, "I"))] if place else []

    def tables(self, field: int, most: int) -> list[_Table]:
        start, count = self._vector(field, 4, most)
        places = range(start, start + 4 * count, 4)
        return [_Table(self.file, place + _number(self.file, place, "I")) for place in places]

    def has(self, field: int) -> bool:
        return self._place(field) != 0

    def _place(self, field: int) -> int:
        vtable = self.at - _number(self.file, self.at, "i")
        if 4 + 2 * field >= _number(self.file, vtable, "H"):
            return 0
        offset = _number(self.file, vtable + 4 + 2 * field, "H")
        return self.at + offset if offset else 0

    def _vector(self, field: int, item_bytes: int, most: int) -> tuple[int, int]:
        """Return where the items begin, and how many there are."""
        place = self._place(field)
        if not place:
            return 0, 0
        place += _number(self.file, place, "I")
        count = _number(self.file, place, "I")
        if count > most or place + 4 + item_bytes * count > len(self.file):
            raise IndexError
        return place + 4, count


def _number(file: bytes, place: int, code: str) -> int:
    if place < 0:  # counts from the end for Python, and is never meant
        raise IndexError
    number: int = struct.unpack_from(f"<{code}", file, place)[0]
    return number


def _read_graph(model: bytes) -> Graph:
    """Fields are numbered in the order of the schema."""
    root = _Table(model, _number(model, 0, "I"))
    codes = root.tables(1, MAX_PARTS)
    buffers = [_constant(table) for table in root.tables(4, MAX_PARTS)]
    graphs = root.tables(2, MAX_PARTS)
    if len(graphs) != 1:
        raise ModelError(f"the model has {len(graphs)} graphs, not one")
    tensors = [_tensor(table, buffers) for table in graphs[0].tables(0, MAX_PARTS)]
    operators = [_operator(table, codes) for table in graphs[0].tables(3, MAX_PARTS)]
    inputs, outputs = graphs[0].numbers(1, MAX_PARTS), graphs[0].numbers(2, MAX_PARTS)
    return Graph(tuple(tensors), tuple(operators), inputs, outputs)


def _constant(buffer: _Table) -> bytes:
    if buffer.has(1) or buffer.has(2):
        raise ModelError("the model keeps constants outside of its FlatBuffer")
    return buffer.bytes(0)


def _tensor(table: _Table, buffers: Sequence[bytes]) -> Tensor:
    is_variable, sparsity, variants, external = 5, 6, 9, 10
    if any(table.has(field) for field in (is_variable, sparsity, variants, external)):
        raise ModelError("the model has variable, sparse or external tensors")
    shape = table.numbers(0, MAX_RANK)
    scales: tuple[float, ...] = ()
    channels = 0
    for quantization in table.table(4):
        scales = quantization.reals(2, MAX_CHANNELS)
        dimension = quantization.number(6)
        channels = shape[dimension] if 0 <= dimension < len(shape) else 0
    data = buffers[table.number(2, "I")]
    return Tensor(shape, table.number(1, "b"), data, scales, channels)


def _operator(table: _Table, codes: Sequence[_Table]) -> GraphOperator:
    code = codes[table.number(0, "I")]
    # Numbers above 126 do not fit into the old field.
    number = max(code.number(0, "b"), code.number(3))
    # An absent version is 1, in the schema alone among what we read.
    version = code.number(2) if code.has(2) else 1
    return GraphOperator(
        number,
        version,
        is_custom=code.has(1),
        inputs=table.numbers(1, MAX_PARTS),
        outputs=table.numbers(2, MAX_PARTS),
    )
