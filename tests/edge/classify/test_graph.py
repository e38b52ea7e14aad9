from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.classify.card import load_bundle
from edge.classify.graph import MAX_PADDING, OPERATORS, check_graph
from edge.errors import ModelError

MODEL = load_bundle().model


def changed(change: Callable[[Any], None]) -> bytes:
    """Return the default model with `change` made to it, as a well-formed file."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(MODEL, 0))
    change(model)
    builder = flatbuffers.Builder(len(MODEL))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_the_default_model_is_plain() -> None:
    graph = check_graph(MODEL)
    assert {OPERATORS[operator.number][0] for operator in graph.operators} == {
        *("ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "SOFTMAX")
    }
    assert graph.tensors[graph.inputs[0]].shape == (1, 96, 96, 3)
    assert graph.tensors[graph.answers].shape == (1, len(load_bundle().card.labels))
    assert check_graph(changed(lambda model: None)) == graph


def set_operator(number: int, version: int = 1, custom: bytes | None = None) -> Any:
    def change(model: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.version, code.customCode = version, custom

    return change


def set_tensor(place: int, **fields: Any) -> Any:
    def change(model: Any) -> None:
        for name, value in fields.items():
            setattr(model.subgraphs[0].tensors[place], name, value)

    return change


def set_scales(scales: list[float]) -> Any:
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[-1].quantization.scale = scales

    return change


def wire(**fields: Any) -> Any:
    def change(model: Any) -> None:
        for name, value in fields.items():
            setattr(model.subgraphs[0].operators[9], name, value)

    return change


def set_outputs(*operators: int) -> Any:
    """Have what these operators write be the outputs."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.outputs = [graph.operators[place].outputs[0] for place in operators]

    return change


def pad_by(amount: int) -> Any:
    def change(model: Any) -> None:
        paddings = schema.BufferT()
        paddings.data = np.frombuffer(np.full(8, amount, np.int32).tobytes(), np.uint8)
        model.buffers.append(paddings)
        graph = model.subgraphs[0]
        amounts = schema.TensorT()
        amounts.type, amounts.shape, amounts.buffer = 2, [4, 2], len(model.buffers) - 1
        graph.tensors.append(amounts)
        pad = schema.OperatorCodeT()
        pad.builtinCode = pad.deprecatedBuiltinCode = 34
        model.operatorCodes.append(pad)
        graph.operators[0].opcodeIndex = len(model.operatorCodes) - 1
        graph.operators[0].inputs = [graph.inputs[0], len(graph.tensors) - 1]

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_operator(32, custom=b"Flex"), "custom operator"),
        (set_operator(28), "operator number 28, which is not supported here"),
        (set_operator(3, version=7), "version 7 of the operator CONV_2D"),
        (lambda model: model.subgraphs.append(model.subgraphs[0]), "has 2 graphs"),
        (set_tensor(0, shape=[1, 2**16, 2**10, 3]), "too many for a Pi"),
        (set_tensor(0, shape=[1, -1, 96, 3]), "of a fixed size"),
        (set_tensor(0, type=0), "not int8 or int32"),
        (set_tensor(0, isVariable=True), "variable, sparse or external"),
        (set_tensor(1, shape=[1, 1]), "of 1 bytes|of 4 bytes"),
        (set_scales([]), "invalid quantization"),
        (set_scales([float("nan")]), "invalid quantization"),
        (set_scales([-1.0]), "invalid quantization"),
        (lambda model: setattr(model.subgraphs[0], "outputs", [999]), "output is never written"),
        (
            lambda model: setattr(model.subgraphs[0], "inputs", [999]),
            "input is a constant, or missing",
        ),
        (
            lambda model: setattr(model.subgraphs[0], "inputs", [1]),
            "input is a constant, or missing",
        ),
        (lambda model: setattr(model.subgraphs[0], "inputs", []), "0 inputs and 2 outputs"),
        (set_outputs(-1, -1), "second output that is not what its last layer reads"),
        (set_outputs(-1, -4), "second output that is not what its last layer reads"),
        (set_outputs(-3, -2, -1), "1 inputs and 3 outputs, not one input and one or two outputs"),
        (wire(inputs=[999, 1, 2]), "reads a tensor that was not written before"),
        (wire(inputs=[-1, 1, 2]), "reads a tensor that was not written before"),
        (wire(outputs=[0]), "does not write exactly one new tensor"),
        (wire(outputs=[999]), "writes a tensor that does not exist"),
        (wire(outputs=[-7]), "writes a tensor that does not exist"),
        (lambda model: setattr(model.buffers[3], "offset", 2**40), "outside of its FlatBuffer"),
        (wire(opcodeIndex=99), "an offset points outside of it"),
        (pad_by(MAX_PADDING + 1), "pads by a negative size or by more than 64"),
    ],
)
def test_what_is_no_plain_network_is_refused(change: Any, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        check_graph(changed(change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("outputs", [(-1, -3), (-3, -1)])
def test_what_the_last_layer_reads_may_be_an_output(outputs: tuple[int, int]) -> None:
    graph = check_graph(changed(set_outputs(*outputs)))
    assert graph.features is not None
    shapes = [graph.tensors[place].shape for place in (graph.answers, graph.features)]
    assert shapes == [(1, len(load_bundle().card.labels)), (1, 128)]


def test_padding_by_little_is_plain() -> None:
    check_graph(changed(pad_by(1)))


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\0\0\0\0TFL3", MODEL[:5000]])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        check_graph(content)


TABLES = st.integers(0, 4000) | st.integers(len(MODEL) - 60_000, len(MODEL) - 1)
"""Places outside of most weights: the file keeps them in the middle."""


@settings(max_examples=150, derandomize=True)
@given(st.dictionaries(TABLES, st.integers(0, 255), min_size=1, max_size=12))
def test_bytes_that_flipped_end_in_nothing_worse_than_a_refusal(flips: dict[int, int]) -> None:
    damaged = bytearray(MODEL)
    for place, value in flips.items():
        damaged[place] = value
    with suppress(ModelError):
        check_graph(bytes(damaged))


RUN_DAMAGED = """
import random, sys
import numpy as np
from edge.errors import ModelError
from edge.classify.card import load_bundle
from edge.classify.runtime import Int8Network
rng = random.Random(int(sys.argv[1]))
model = load_bundle().model
black = np.zeros((1, 96, 96, 3), np.uint8)
run = 0
for _ in range(int(sys.argv[2])):
    damaged = bytearray(model)
    for _ in range(rng.choice([1, 2, 8])):
        place = rng.randrange(70_000) - 60_000
        damaged[place] = rng.choice([0, 255, damaged[place] ^ 1 << rng.randrange(8)])
    try:
        Int8Network(bytes(damaged)).answers(black)
        run += 1
    except (ModelError, RuntimeError, ValueError):
        pass
print(run)
"""


def test_the_runtime_survives_what_is_let_through() -> None:
    """In a process of its own: what a runtime does not survive, its process does not."""
    attempts = 60
    done = subprocess.run(
        [sys.executable, "-c", RUN_DAMAGED, "4", str(attempts)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert 0 < int(done.stdout) < attempts, "some must be refused, and some must run"
