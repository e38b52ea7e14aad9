from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.network import predict
from convert.train.temperature import at_temperature, fit_temperature, fold_temperature
from edge.records import Pixels


def test_a_temperature_divides_the_log_odds() -> None:
    answers = np.array([[0.2, 0.8], [0.9, 0.1]], np.float32)
    cooled = at_temperature(answers, 0.5)
    assert cooled[0] == pytest.approx([0.04 / 0.68, 0.64 / 0.68])
    assert cooled[1] == pytest.approx([0.81 / 0.82, 0.01 / 0.82])
    assert at_temperature(answers, 1.0) == pytest.approx(answers)


def test_the_fitted_temperature_makes_the_shares_true() -> None:
    # Nine of ten are right, but the answers claim three of four: log-odds too small by half.
    truth = np.array([1] * 9 + [0])
    answers = np.tile(np.array([[0.25, 0.75]], np.float32), (10, 1))
    temperature = fit_temperature(truth, answers)
    assert temperature == pytest.approx(0.5, rel=0.01)
    assert at_temperature(answers, temperature)[0, 1] == pytest.approx(0.9, abs=0.003)


def test_a_folded_temperature_is_as_one_applied_afterwards(
    tiny_network: Callable[[], Any], random_crops: Pixels
) -> None:
    network = tiny_network()
    before = predict(network, random_crops)
    fold_temperature(network, 0.4)
    assert predict(network, random_crops) == pytest.approx(at_temperature(before, 0.4), abs=1e-5)
