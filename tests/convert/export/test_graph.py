from __future__ import annotations

import pytest

from convert.export.graph import (
    ModelOperator,
    multiply_adds,
    read_operators,
    refuse_foreign_operators,
)
from edge.classify.card import DEFAULT_BUNDLE, load_bundle
from edge.errors import ModelError


def operator(name: str, version: int = 1, is_custom: bool = False) -> ModelOperator:
    return ModelOperator(name, version, is_custom, 0)


def test_known_operators_pass() -> None:
    refuse_foreign_operators([operator("CONV_2D", 3), operator("SOFTMAX", 2)])


@pytest.mark.parametrize(
    ("foreign", "reason"),
    [
        (operator("FlexErfinv", is_custom=True), "custom operator FlexErfinv"),
        (operator("CONV_2D", is_custom=True), "custom operator CONV_2D"),
        (operator("STABLEHLO_CASE"), "built-in operator STABLEHLO_CASE"),
        (operator("FULLY_CONNECTED", 12), "version 12 of FULLY_CONNECTED"),
    ],
)
def test_what_the_edge_lacks_is_refused(foreign: ModelOperator, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        refuse_foreign_operators([operator("CONV_2D"), foreign])


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\0\0\0\0TFL3" + b"\xff" * 40])
def test_other_files_are_no_models(content: bytes) -> None:
    with pytest.raises(ModelError):
        read_operators(content)


def test_the_card_of_the_default_bundle_gives_its_true_cost() -> None:
    bundle = load_bundle(DEFAULT_BUNDLE)
    operators = read_operators(bundle.model)
    refuse_foreign_operators(operators)
    assert multiply_adds(operators) == bundle.card.multiply_adds
    assert bundle.card.multiply_adds < 60_000_000
    assert len(bundle.model) < 3_000_000
