from __future__ import annotations

from dataclasses import replace

import pytest

from convert.export.graph import multiply_adds, refuse_foreign_operators
from edge.classify.card import DEFAULT_BUNDLE, load_bundle
from edge.classify.graph import check_graph
from edge.errors import ModelError


def test_an_operator_that_the_edge_lacks_is_refused_by_its_name() -> None:
    graph = check_graph(load_bundle(DEFAULT_BUNDLE).model)
    refuse_foreign_operators(graph)
    first, *others = graph.operators
    for number, name in ((28, "TANH"), (9999, "9999")):
        foreign = replace(graph, operators=(replace(first, number=number), *others))
        with pytest.raises(ModelError, match=f"operator {name},"):
            refuse_foreign_operators(foreign)


def test_the_card_of_the_default_bundle_gives_its_true_cost() -> None:
    bundle = load_bundle(DEFAULT_BUNDLE)
    assert multiply_adds(check_graph(bundle.model)) == bundle.card.multiply_adds
    assert bundle.card.multiply_adds < 60_000_000
    assert len(bundle.model) < 3_000_000
