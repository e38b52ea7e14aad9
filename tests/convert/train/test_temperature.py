from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.network import predict
from convert.train.temperature import (
    at_temperature,
    fit_shifts,
    fit_temperature,
    fold_shifts,
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
    sure = [[0.9, 0.0, 0.1, 0.0]] * 97
    taken = [[0.4, 0.0, 0.6, 0.0], [1 / 3, 0.0, 2 / 3, 0.0], [0.25, 0.0, 0.75, 0.0]]
    worn = [[0.1, 0.0, 0.9, 0.0], [0.05, 0.05, 0.9, 0.0]]
    answers = np.array([*sure, *taken, *worn], np.float32)
    truth = np.array([0] * 100 + [2] * 2)
    shifts = fit_shifts(truth, answers)
    assert -np.log(2) - 0.05 <= shifts[2] <= -np.log(2)
    assert shifts[3] == 0
    assert (shifted(answers, shifts)[:100].argmax(1) == 2).sum() == 1
    assert (shifted(answers, shifts)[100:].argmax(1) == 2).all()
    assert fit_shifts(truth, shifted(answers, shifts)) == {3: 0, 2: 0}


def test_faces_are_not_called_nobody_more_often_than_allowed() -> None:
    # Of 100 faces with and without a mask two are called so, at odds of 1.5 and 3.
    faces = [[0.8, 0.1, 0.0, 0.1]] * 49 + [[0.1, 0.8, 0.0, 0.1]] * 49
    taken = [[0.4, 0.0, 0.0, 0.6], [0.0, 0.25, 0.0, 0.75]]
    answers = np.array([*faces, *taken, [0.05, 0.05, 0.0, 0.9]], np.float32)
    truth = np.array([0] * 49 + [1] * 49 + [0, 1, 3])
    shifts = fit_shifts(truth, answers)
    assert -np.log(1.5) - 0.05 <= shifts[3] <= -np.log(1.5)
    assert shifts[2] == 0
    assert list(shifted(answers, shifts).argmax(1)) == [0] * 49 + [1] * 49 + [0, 3, 3]


def test_folded_shifts_are_as_ones_applied_afterwards(
    tiny_network: Callable[[], Any], random_crops: Pixels
) -> None:
    network, shifts = tiny_network(), {2: -1.5, 3: -0.5}
    before = predict(network, random_crops)
    fold_shifts(network, shifts)
    assert predict(network, random_crops) == pytest.approx(shifted(before, shifts), abs=1e-5)
