"""The intervals of corrected rates cover the truth, and the months that say so are drawn right."""

from __future__ import annotations

import numpy as np
import pytest

from edge.rates import Counted, Eyes
from tools.coverage.months import Entrance, MonthCell, entrance_of, few, simulate, table

EYES = Eyes(
    {24: Counted(90, 93, 110), 64: Counted(100, 100, 105)},
    {24: Counted(90, 96, 120), 64: Counted(120, 126, 140)},
    "a test",
)
MIXED = entrance_of(EYES, "mixed", {24: 0.4, 64: 0.6})
MONTHS = 200


@pytest.mark.parametrize("entrance", [MIXED, few(MIXED, "few", 20)], ids=lambda each: each.name)
@pytest.mark.parametrize("true_rate", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("people", [10, 1000])
def test_the_corrected_interval_covers_the_truth(
    entrance: Entrance, true_rate: float, people: int
) -> None:
    cell = simulate(entrance, true_rate, people, MONTHS, np.random.default_rng(1))
    assert cell.is_good, cell
    assert cell.said == MONTHS


def test_the_naive_interval_does_not_where_many_people_make_it_narrow() -> None:
    cell = simulate(MIXED, 0.99, 5000, 50, np.random.default_rng(1))
    assert cell.naive < 5
    assert cell.covered >= 45
    assert cell.bias < -0.01


def test_a_cell_is_good_unless_chance_cannot_explain_it() -> None:
    def cell(covered: int) -> MonthCell:
        return MonthCell(0.9, 10, 2000, 0, covered, 2000, 2000, 0.1, 0.0)

    assert cell(1900).is_good
    assert cell(1870).is_good
    assert not cell(1869).is_good


def test_the_table_says_where_the_naive_interval_fails() -> None:
    good = MonthCell(0.9, 1000, 2000, 0, 1920, 1990, 1900, 0.0523, 0.001)
    bad = MonthCell(0.99, 5000, 2000, 1000, 960, 990, 10, 0.0523, -0.0221)
    assert table([good, bad])[2:] == [
        "| 0.9 | 1,000 | 0.960 | 0.995 | 0.052 | 0.950 | +0.001 |",
        "| 0.99 | 5,000 | 0.960 | 0.990 | 0.052 | **0.010** | -0.022 |",
    ]
