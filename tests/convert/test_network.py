from __future__ import annotations

from pathlib import Path

import pytest

from convert.network import (
    build_backbone,
    build_network,
    import_keras,
    load_model,
    quiet_tensorflow,
    save_model,
)
from edge.errors import ConfigError, ModelError


def test_the_network_maps_a_square_face_to_three_probabilities() -> None:
    model = build_network(64, 0.35, "none")
    assert model.input_shape == (None, 64, 64, 3)
    assert model.output_shape == (None, 3)


def test_a_missing_file_of_weights_is_named() -> None:
    with pytest.raises(ConfigError, match=r"absent\.h5: no such file"):
        build_backbone(32, 0.35, "absent.h5")


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.weights.h5"
    wide = build_backbone(32, 0.5, "none")
    with quiet_tensorflow():
        wide.save_weights(path)
    with pytest.raises(ConfigError, match=r"width 0\.35"):
        build_backbone(32, 0.35, str(path))


def test_weights_of_the_same_width_start_the_backbone(tmp_path: Path) -> None:
    path = tmp_path / "some.weights.h5"
    first = build_backbone(32, 0.35, "none")
    with quiet_tensorflow():
        first.save_weights(path)
    second = build_backbone(64, 0.35, str(path))
    assert (first.get_weights()[0] == second.get_weights()[0]).all()


def test_a_width_that_nobody_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="--width 0"):
        build_backbone(32, 0.0, "none")


def test_a_missing_or_damaged_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with pytest.raises(ModelError, match="no such file"):
        load_model(path)
    path.write_bytes(b"PK\3\4 but not a zip")
    with pytest.raises(ModelError, match="no Keras model"):
        load_model(path)


def test_a_model_of_something_else_is_refused(tmp_path: Path) -> None:
    keras = import_keras()
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    save_model(other, tmp_path / "model.keras")
    with pytest.raises(ModelError, match="not square faces"):
        load_model(tmp_path / "model.keras")
