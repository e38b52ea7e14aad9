from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.export.quantize import convert_to_int8, multiply_adds, refuse
from convert.network import FEATURES, import_keras, load_model, predict, save_model
from edge.classify.card import DEFAULT_BUNDLE, LABELS, load_bundle
from edge.classify.graph import OPERATORS, check_graph
from edge.classify.runtime import Int8Network
from edge.errors import ModelError
from edge.records import Pixels


@pytest.fixture(scope="module")
def int8_file(tiny_network: Callable[[], Any], random_crops: Pixels) -> bytes:
    return convert_to_int8(tiny_network(), random_crops)


def test_the_file_runs_in_the_edge_runtime_and_answers_like_keras(
    int8_file: bytes, tiny_network: Callable[[], Any], random_crops: Pixels
) -> None:
    answers = Int8Network(int8_file).probabilities(random_crops)
    assert np.abs(answers - predict(tiny_network(), random_crops)).max() < 0.03


def test_its_operators_and_their_cost_are_read(int8_file: bytes) -> None:
    graph = check_graph(int8_file)
    names = {OPERATORS[operator.number][0] for operator in graph.operators}
    assert {"CONV_2D", "FULLY_CONNECTED", "SOFTMAX"} <= names
    # 30 x 30 places, 4 channels, 3 x 3 x 3 products each; then 4 inputs to 4 outputs.
    assert multiply_adds(graph) == 30 * 30 * 4 * 27 + 16


def test_the_card_of_the_default_bundle_gives_its_true_cost() -> None:
    bundle = load_bundle(DEFAULT_BUNDLE)
    assert multiply_adds(check_graph(bundle.model)) == bundle.card.multiply_adds
    assert bundle.card.multiply_adds < 60_000_000
    assert len(bundle.model) < 3_000_000


def test_weights_have_a_scale_for_each_channel(int8_file: bytes) -> None:
    from tensorflow.lite.python import schema_py_generated as schema

    (graph,) = schema.ModelT.InitFromObj(schema.Model.GetRootAs(int8_file, 0)).subgraphs
    (kernel,) = [tensor for tensor in graph.tensors if list(tensor.shape) == [4, 3, 3, 3]]
    assert len(kernel.quantization.scale) == 4


def test_a_network_with_an_operator_that_the_edge_lacks_is_refused(random_crops: Pixels) -> None:
    import keras
    import tensorflow as tf

    class Erfinv(keras.layers.Layer):  # type: ignore[misc]
        def call(self, values: Any) -> Any:
            return tf.math.erfinv(values)

    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            Erfinv(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    with pytest.raises(ModelError, match="Erfinv"):
        convert_to_int8(network, random_crops)


def test_a_network_of_builtins_outside_the_list_is_refused(random_crops: Pixels) -> None:
    import keras

    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Activation("tanh"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    with pytest.raises(ModelError, match="operator TANH"):
        convert_to_int8(network, random_crops)


def test_a_file_too_large_for_a_bundle_is_refused(int8_file: bytes) -> None:
    with pytest.raises(ModelError, match=r"3\.00 MB.*--width"):
        refuse(int8_file + bytes(3_000_000))


def test_a_saved_network_answers_as_before(
    tiny_network: Callable[[], Any], random_crops: Pixels, tmp_path: Path
) -> None:
    model = tiny_network()
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert np.allclose(predict(loaded, random_crops), predict(model, random_crops), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_the_features_of_the_last_hidden_layer_are_a_second_output(random_crops: Pixels) -> None:
    keras = import_keras()
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(16, activation="relu", name=FEATURES),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(len(LABELS), activation="softmax"),
        ]
    )
    network = Int8Network(convert_to_int8(model, random_crops))
    assert network.features_size == 16
    _, features = network.outputs(random_crops)
    assert network.features_quantization is not None
    scale, zero_point = network.features_quantization
    hidden = keras.Model(model.inputs, model.get_layer(FEATURES).output)
    wanted = predict(hidden, random_crops)
    assert wanted.max() > 20 * scale
    assert np.abs((features.astype(float) - zero_point) * scale - wanted).max() < 4 * scale
