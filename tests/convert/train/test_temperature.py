from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.network import predict
from convert.train.temperature import (
    at_temperature,
    fit_shift,
    fit_temperature,
    fold_shift,
    fold_temperature,
    shifted,
)
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


def test_masked_faces_are_not_called_worn_wrongly_more_often_than_allowed() -> None:
    # Of 100 masked faces three are called so, at odds of 1.5, 2 and 3; of two worn wrongly both.
    sure = [[0.9, 0.0, 0.1]] * 97
    taken = [[0.4, 0.0, 0.6], [1 / 3, 0.0, 2 / 3], [0.25, 0.0, 0.75]]
    answers = np.array([*sure, *taken, [0.1, 0.0, 0.9], [0.05, 0.05, 0.9]], np.float32)
    truth = np.array([0] * 100 + [2] * 2)
    shift = fit_shift(truth, answers)
    assert -np.log(2) - 0.05 <= shift <= -np.log(2)
    assert (shifted(answers, shift)[:100].argmax(1) == 2).sum() == 1
    assert (shifted(answers, shift)[100:].argmax(1) == 2).all()
    assert fit_shift(truth, shifted(answers, shift)) == 0


def test_a_folded_shift_is_as_one_applied_afterwards(
    tiny_network: Callable[[], Any], random_crops: Pixels
) -> None:
    network = tiny_network()
    before = predict(network, random_crops)
    fold_shift(network, -1.5)
    assert predict(network, random_crops) == pytest.approx(shifted(before, -1.5), abs=1e-5)
