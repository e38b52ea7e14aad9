"""A corrected rate is what came, and its interval owns what the eyes do not know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta

from edge.rates import (
    Counted,
    Eyes,
    beta_quantiles,
    exact_interval,
    rate_of,
    wilson_interval,
)

ONE_CLASS = Eyes({0: Counted(950, 1000, 1100)}, {0: Counted(900, 1000, 1100)}, "a test")


def test_quantiles_of_the_beta_distribution_are_those_of_scipy() -> None:
    levels = np.array([0.001, 0.025, 0.5, 0.975, 0.999])
    for a, b in ((1, 1), (1, 11), (37, 4), (1.5, 1), (300, 300), (4950, 51), (500_000, 20)):
        known = beta.ppf(levels, a, b)
        error = np.abs(beta_quantiles(a, b, levels) - known) / beta.std(a, b)
        assert error.max() < 0.02, (a, b)


@pytest.mark.parametrize(("right", "of"), [(0, 10), (10, 10), (36, 40), (1, 3), (4999, 5000)])
def test_an_exact_interval_is_that_of_clopper_and_pearson(right: int, of: int) -> None:
    low = beta.ppf(0.025, right, of - right + 1) if right else 0.0
    high = beta.ppf(0.975, right + 1, of - right) if right < of else 1.0
    assert exact_interval(right, of) == pytest.approx((low, high), abs=2e-4)


def test_of_nobody_every_share_is_possible() -> None:
    assert exact_interval(0, 0) == wilson_interval(0, 0) == (0.0, 1.0)


def test_an_interval_of_wilson_is_that_of_the_literature() -> None:
    # Newcombe (1998), doi 10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E: table I
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_a_rate_is_corrected_as_rogan_and_gladen_do() -> None:
    rate = rate_of({0: (820, 180)}, ONE_CLASS)
    assert rate is not None
    assert rate.corrected is not None
    assert rate.naive == 0.82
    assert rate.corrected == pytest.approx((0.82 + 0.9 - 1) / (0.95 + 0.9 - 1))


def test_what_is_uncertain_is_either_how_many_people_came_or_how_well_the_eyes_judge() -> None:
    known_well = Eyes({0: Counted(96_000, 100_000)}, {0: Counted(98_000, 100_000)}, "a test")
    known_badly = Eyes({0: Counted(29, 30)}, {0: Counted(28, 30)}, "a test")
    few = rate_of({0: (90, 10)}, known_well)
    many = rate_of({0: (9000, 1000)}, known_badly)
    for rate in (few, many):
        assert rate is not None
        assert rate.low is not None
        assert rate.high is not None
        assert rate.counted_width is not None
        of_all = rate.counted_width / (rate.high - rate.low)
        assert 0.9 < of_all < 1.01 if rate is few else of_all < 0.2


def test_people_without_a_mask_who_are_lost_more_often_are_made_up_for() -> None:
    eyes = Eyes({0: Counted(1000, 1000, 1000)}, {0: Counted(800, 800, 1000)}, "a test")
    rate = rate_of({0: (900, 80)}, eyes)
    assert rate is not None
    assert rate.corrected == pytest.approx(0.9)
    assert rate.naive == pytest.approx(900 / 980)


def test_where_it_is_not_known_how_many_are_lost_none_are_made_up_for() -> None:
    eyes = Eyes({0: Counted(950, 1000)}, {0: Counted(900, 1000, 5000)}, "a test")
    rate = rate_of({0: (820, 180)}, eyes)
    assert rate is not None
    assert rate.corrected == pytest.approx(0.72 / 0.85)


def test_the_interval_is_as_wide_as_that_of_the_literature_where_little_is_known() -> None:
    """Lang and Reiczigel (2014) in closed form, a good approximation in the middle of the range;
    melding is as wide or a little wider."""
    right, of, n_se, n_sp = 700, 1000, 100, 100
    eyes = Eyes({0: Counted(95, n_se)}, {0: Counted(90, n_sp)}, "a test")
    rate = rate_of({0: (right, of - right)}, eyes)
    assert rate is not None
    assert rate.low is not None
    assert rate.high is not None
    square, z = 1.96**2, 1.96
    q = (right + square / 2) / (of + square)
    se, sp = 96 / 102, 91 / 102
    p = (q + sp - 1) / (se + sp - 1)
    of_se, of_sp = se * (1 - se) / (n_se + 2), sp * (1 - sp) / (n_sp + 2)
    variance = q * (1 - q) / (of + square) + p**2 * of_se + (1 - p) ** 2 * of_sp
    half = z * math.sqrt(variance) / (se + sp - 1)
    middle = p + 2 * square * (p * of_se - (1 - p) * of_sp)
    assert rate.low == pytest.approx(middle - half, abs=0.02)
    assert rate.high == pytest.approx(middle + half, abs=0.02)
    assert rate.high - rate.low >= 0.98 * 2 * half


def test_eyes_that_were_measured_with_few_people_make_the_interval_wide() -> None:
    widths = []
    for number in (10, 100, 1000, 10_000):
        eyes = Eyes({0: Counted(number * 9 // 10, number)}, {0: Counted(number, number)}, "a test")
        rate = rate_of({0: (800, 200)}, eyes)
        assert rate is not None
        assert rate.low is not None
        assert rate.high is not None
        widths.append(rate.high - rate.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 4 * widths[-1]


def test_the_eyes_are_averaged_by_the_sizes_that_were_seen() -> None:
    eyes = Eyes(
        {24: Counted(800, 1000), 64: Counted(1000, 1000)},
        {24: Counted(800, 1000), 64: Counted(1000, 1000)},
        "a test",
    )
    near = rate_of({64: (900, 100)}, eyes)
    both = rate_of({24: (370, 130), 64: (450, 50)}, eyes)
    assert near is not None
    assert both is not None
    assert near.corrected == pytest.approx(0.9)
    assert both.corrected == pytest.approx((0.82 + 0.9 - 1) / 0.8)


def test_a_size_without_a_measurement_is_judged_like_the_next_smaller_one() -> None:
    eyes = Eyes({24: Counted(90, 100), 48: Counted(99, 100)}, {24: Counted(95, 100)}, "a test")
    assert rate_of({32: (50, 50)}, eyes) == rate_of({24: (50, 50)}, eyes)
    assert rate_of({0: (50, 50)}, eyes) == rate_of({24: (50, 50)}, eyes)
    assert rate_of({96: (50, 50)}, eyes) == rate_of({48: (50, 50)}, eyes)


def test_nothing_is_corrected_by_eyes_that_are_unknown_or_see_no_difference() -> None:
    unknown = Eyes({}, {0: Counted(10, 10)}, "a test")
    unmeasured = Eyes({0: Counted(0, 0, 10)}, {0: Counted(10, 10)}, "a test")
    blind = Eyes({0: Counted(50, 100)}, {0: Counted(50, 100)}, "a test")
    for eyes in (None, unknown, unmeasured, blind):
        rate = rate_of({0: (8, 2)}, eyes)
        assert rate is not None
        assert (rate.naive, rate.corrected, rate.low, rate.high) == (0.8, None, None, None)


def test_of_nobody_no_rate_is_said() -> None:
    assert rate_of({}, ONE_CLASS) is None
    assert rate_of({0: (0, 0)}, ONE_CLASS) is None


@pytest.mark.parametrize("counts", [(0, 5), (5, 0), (1, 0), (100_000, 1), (0, 100_000)])
def test_whatever_was_counted_the_estimate_lies_in_its_interval(counts: tuple[int, int]) -> None:
    for eyes in (ONE_CLASS, Eyes({0: Counted(1, 1, 1)}, {0: Counted(1, 2, 9)}, "a test")):
        rate = rate_of({0: counts}, eyes)
        assert rate is not None
        assert rate.corrected is not None
        assert rate.low is not None
        assert rate.high is not None
        assert 0 <= rate.low <= rate.corrected <= rate.high <= 1


def test_the_same_counts_give_the_same_rate() -> None:
    assert rate_of({0: (82, 18)}, ONE_CLASS) == rate_of({0: (82, 18)}, ONE_CLASS)


def test_counts_that_cannot_be_are_refused() -> None:
    for right, of, shown in ((2, 1, None), (-1, 1, None), (1, 2, 1)):
        with pytest.raises(ValueError, match="right <= of <= shown"):
            Counted(right, of, shown)
    with pytest.raises(ValueError, match="below 0"):
        rate_of({0: (1, -1)}, None)
