from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edge.classify.card import load_bundle
from edge.classify.network import open_network
from edge.classify.runtime import Int8Network
from edge.errors import ModelError
from edge.patterns import draw


def test_the_format_of_the_card_decides_what_runs_the_model() -> None:
    bundle = load_bundle()
    crops = np.stack([draw(number, bundle.card.input_side_px) for number in range(3)])
    opened = open_network(bundle.card.format, bundle.model)
    assert (opened.answers(crops) == Int8Network(bundle.model).answers(crops)).all()


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    card = msgspec.structs.replace(load_bundle().card, format="onnx-float")
    with pytest.raises(ModelError, match="format is onnx-float; this program runs tflite-int8"):
        open_network(card.format, b"")
