"""Real networks with other outputs than the one that comes with the program, made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import msgspec
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge.classify.card import (
    BARE,
    CARD_FILE,
    LABELS,
    MODEL_FILE,
    Bundle,
    CardThresholds,
    Features,
    Golden,
    digest,
    load_bundle,
)
from edge.classify.graph import check_graph
from edge.classify.runtime import Int8Network
from edge.patterns import draw


def network_of(labels: int, outputs: str = "answers") -> bytes:
    """Return the network that comes with the program, with the first `labels` answers of it.

    It answers zero, before the softmax, where it has fewer. `outputs` are listed in this order.
    """
    model = load_bundle().model
    graph = check_graph(model)
    layer = next(each for each in reversed(graph.operators) if each.number == 9)
    features, weights, biases = layer.inputs
    had = graph.tensors[graph.answers].shape[1]
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    tensors = whole.subgraphs[0].tensors
    for place in (weights, biases):
        buffer = whole.buffers[tensors[place].buffer]
        buffer.data = _rows(buffer.data.reshape(had, -1), labels, 0).ravel()
        scales = tensors[place].quantization
        scales.scale = _rows(scales.scale, labels, scales.scale[0])
        scales.zeroPoint = _rows(scales.zeroPoint, labels, 0)
        tensors[place].shape = [labels, *tensors[place].shape.tolist()[1:]]
    for place in (layer.outputs[0], graph.answers):
        tensors[place].shape = [1, labels]
    places = {"features": features, "answers": graph.answers}
    whole.subgraphs[0].outputs = [places[name] for name in outputs.split()]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _rows(values: NDArray[Any], rows: int, fill: float) -> NDArray[Any]:
    """Return the first `rows` of them, `fill` where there are fewer."""
    kept = values[:rows]
    more = np.full((rows - len(kept), *values.shape[1:]), fill, values.dtype)
    return np.concatenate([kept, more])


def bundle_of(folder: Path, model: bytes, somebody: float | None = None) -> Bundle:
    """Write a bundle of that network, which passes its self-test, and load it."""
    shipped, network = load_bundle().card, Int8Network(model)
    patterns = shipped.golden.patterns
    answers, features = network.outputs(np.stack([draw(n, network.side_px) for n in patterns]))
    described = None
    if network.features_quantization is not None:
        scale, zero_point = network.features_quantization
        described = Features(size=network.features_size, scale=scale, zero_point=zero_point)
    card = msgspec.structs.replace(
        shipped,
        labels=LABELS[: network.labels],
        features=described,
        thresholds=CardThresholds(bare=0.5, masked=0.5, somebody=somebody),
        golden=Golden(
            recipe=shipped.golden.recipe,
            patterns=patterns,
            bare_answers=tuple(answers[:, BARE].tolist()),
            answers=tuple(map(tuple, answers.tolist())) if network.labels > 2 else (),
            features=tuple(map(tuple, features.tolist())) if described else (),
        ),
        model_sha256=digest(model),
    )
    (folder / CARD_FILE).write_bytes(msgspec.json.encode(card))
    (folder / MODEL_FILE).write_bytes(model)
    return load_bundle(folder)
