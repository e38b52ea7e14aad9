from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.network import (
    build_backbone,
    build_network,
    import_keras,
    load_model,
    quiet_tensorflow,
    save_model,
    with_fused_norms,
)
from edge.classify.card import LABELS
from edge.errors import ConfigError, ModelError


def test_the_network_maps_a_square_face_to_a_probability_of_each_label() -> None:
    model = build_network(64, 0.35, "none")
    assert model.input_shape == (None, 64, 64, 3)
    assert model.output_shape == (None, len(LABELS))


def test_fused_norms_learn_and_answer_as_kerass_own() -> None:
    keras = import_keras()
    keras.utils.set_random_seed(1)
    # Without dropout, which the two would draw differently.
    plain = keras.Sequential([build_backbone(32, 0.35, "none")])
    fused = with_fused_norms(plain)
    faces = np.random.default_rng(1).uniform(-1, 1, (8, 32, 32, 3)).astype(np.float32)
    for training in (False, True, False):
        theirs, ours = (np.asarray(model(faces, training=training)) for model in (plain, fused))
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        # TensorFlow's running variance is the unbiased one: n / (n - 1) of Keras's.
        np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=0.02)
    fused.layers[0].trainable = False
    before = fused.get_weights()
    fused(faces, training=True)
    assert all((old == new).all() for old, new in zip(before, fused.get_weights(), strict=True))


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
