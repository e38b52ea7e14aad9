from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.measure.metrics import (
    Answers,
    MeasuredPoint,
    accuracy,
    agreement,
    balanced_accuracy,
    bootstrap,
    calibration_error,
    called_bare,
    choose_thresholds,
    classification_report,
    confusion,
    cross_entropy,
    decisions,
    match_boxes,
    per_class,
    precision_recall,
    reliability,
    share,
    thinned,
    uncovered,
)
from edge.records import Box


def answers(*bare: float) -> Answers:
    """Probabilities with these shares of `without_mask`."""
    return np.array([[1 - value, value] for value in bare], np.float32)


def of_all(*bare: float) -> Answers:
    """The same of a network that tells all classes apart."""
    return np.pad(answers(*bare), ((0, 0), (0, 2)))


TRUTH = np.array([0, 0, 0, 1, 1])
ANSWERS = answers(0.1, 0.2, 0.9, 0.8, 0.3)
"""Of three masked faces one is called bare, of two bare ones one masked."""


def test_figures_computed_by_hand() -> None:
    assert accuracy(TRUTH, ANSWERS) == pytest.approx(3 / 5)
    assert balanced_accuracy(TRUTH, ANSWERS) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert confusion(TRUTH, ANSWERS).tolist() == [
        [2, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_the_classes_have_precision_recall_f1_and_support() -> None:
    table = per_class(TRUTH, ANSWERS)
    assert table["with_mask"] == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1-score": 2 / 3, "support": 3}, abs=1e-6
    )
    assert table["without_mask"] == pytest.approx(
        {"precision": 0.5, "recall": 0.5, "f1-score": 0.5, "support": 2}
    )
    assert table["macro avg"]["recall"] == pytest.approx(7 / 12, abs=1e-6)
    assert table["weighted avg"]["recall"] == pytest.approx(3 / 5)


def test_the_report_names_both_classes_even_when_one_is_absent() -> None:
    report = classification_report(np.array([0, 0]), answers(0.1, 0.2))
    assert "with_mask" in report
    assert "without_mask" in report


def test_only_classes_that_occur_are_balanced() -> None:
    assert balanced_accuracy(np.array([0, 0]), answers(0.1, 0.9)) == 0.5


def test_a_tie_accuses_nobody() -> None:
    assert decisions(answers(0.5)).tolist() == [0]


def test_agreement_counts_equal_decisions() -> None:
    assert agreement(answers(0.1, 0.9, 0.4), answers(0.4, 0.6, 0.6)) == pytest.approx(2 / 3)


def test_cross_entropy_is_the_mean_surprise() -> None:
    expected = -(math.log(0.9) + math.log(0.8)) / 2
    assert cross_entropy(np.array([0, 1]), answers(0.1, 0.8)) == pytest.approx(expected)


def test_smoothed_labels_charge_for_certainty() -> None:
    expected = -(0.95 * math.log(0.9) + 0.05 * math.log(0.1))
    assert cross_entropy(np.array([0]), answers(0.1), 0.1) == pytest.approx(expected)


def test_an_impossible_answer_costs_much_but_not_infinitely_much() -> None:
    assert 10 < cross_entropy(np.array([0]), answers(1.0)) < 20


def test_thresholds_leave_the_allowed_share_beyond_them() -> None:
    truth = np.array([0] * 100 + [1] * 100)
    masked = [0.01 * i for i in range(100)]  # one in a hundred may lie above `bare`
    bare = [1 - 0.002 * i for i in range(100)]
    choice = choose_thresholds(truth, of_all(*masked, *bare), 0.01, 0.01)
    assert choice.bare == pytest.approx(0.98 + 1 / 256, abs=1e-4)
    assert choice.masked == 0.5
    assert "200 faces" in choice.reason


def test_thresholds_of_a_sure_classifier_meet_in_the_middle() -> None:
    truth = np.array([0, 0, 1, 1])
    choice = choose_thresholds(truth, of_all(0.1, 0.2, 0.8, 0.9), 0.0, 0.0)
    assert (choice.bare, choice.masked) == (0.5, 0.5)


def test_thresholds_need_both_classes() -> None:
    with pytest.raises(ValueError, match="both classes"):
        choose_thresholds(np.array([0, 0]), of_all(0.1, 0.2), 0.01, 0.01)


def test_the_bootstrap_draws_whole_pictures() -> None:
    # One picture has all four mistakes: drawn 0, 1, 2… times in ten.
    counts = np.array([[4, 4]] + [[0, 4]] * 9)
    interval = bootstrap(counts, lambda sums: share(sums[:, 0], sums[:, 1]), 1)
    assert interval is not None
    assert interval.value == pytest.approx(0.1)
    assert interval.low == 0.0
    assert interval.high == pytest.approx(0.3)


def test_a_seed_gives_one_interval() -> None:
    counts = np.random.default_rng(1).integers(0, 5, (30, 2)) + np.array([0, 5])
    assert bootstrap(counts, lambda s: share(s[:, 0], s[:, 1]), 3) == bootstrap(
        counts, lambda s: share(s[:, 0], s[:, 1]), 3
    )


def test_a_share_of_nothing_has_no_interval() -> None:
    assert bootstrap(np.zeros((3, 2), int), lambda s: share(s[:, 0], s[:, 1]), 1) is None


def test_precision_and_recall_computed_by_hand() -> None:
    is_bare = np.array([True, False, True, True])
    curve = precision_recall(is_bare, np.array([0.9, 0.7, 0.7, 0.2]), missed=1)
    assert [(point.threshold, point.precision, point.recall) for point in curve] == [
        (0.2, 0.75, 0.75),
        (0.7, pytest.approx(2 / 3, abs=1e-6), 0.5),
        (0.9, 1.0, 0.25),
    ]


@given(
    faces=st.lists(st.tuples(st.booleans(), st.integers(0, 256)), max_size=40),
    missed=st.integers(0, 3),
)
def test_a_curve_counts_the_faces_from_each_threshold_on(
    faces: list[tuple[bool, int]], missed: int
) -> None:
    is_bare = np.array([bare for bare, _ in faces], bool)
    probability = np.array([value for _, value in faces]) / 256
    everyone = int(is_bare.sum()) + missed
    expected = [
        MeasuredPoint(
            round(float(limit), 6),
            round(float(is_bare[probability >= limit].mean()), 6),
            round(float(is_bare[probability >= limit].sum() / everyone), 6),
        )
        for limit in np.unique(probability)
        if everyone
    ]
    assert precision_recall(is_bare, probability, missed) == expected


def test_without_bare_faces_there_is_no_curve() -> None:
    assert precision_recall(np.array([False]), np.array([0.5])) == []


def test_bare_faces_that_nobody_found_leave_an_empty_curve() -> None:
    assert precision_recall(np.zeros(0, bool), np.zeros(0), missed=2) == []


def test_calibration_error_computed_by_hand() -> None:
    # Two bins of a half: 0.2 and 0.4 (one of two bare), 0.9 (bare), 1.0 (not bare).
    bins = reliability(np.array([0, 1, 1, 0]), answers(0.2, 0.4, 0.9, 1.0), bins=2)
    assert [(each.faces, each.bare) for each in bins] == [(2, 0.5), (2, 0.5)]
    assert [each.probability for each in bins] == pytest.approx([0.3, 0.95])
    assert calibration_error(bins) == pytest.approx((2 * 0.2 + 2 * 0.45) / 4)


def test_the_best_overlap_is_matched_first_and_nothing_twice() -> None:
    true = [Box(0, 0, 10, 10), Box(8, 0, 18, 10)]
    found = [Box(1, 0, 11, 10), Box(0, 0, 10, 10), Box(50, 50, 60, 60), Box(9, 0, 19, 10)]
    assert match_boxes(found, true) == [None, 0, None, 1]
    assert match_boxes(found[:1], true) == [0]
    assert match_boxes([Box(5, 0, 15, 10)], true[:1]) == [0]  # IoU a third
    assert match_boxes([Box(6, 0, 16, 10)], true[:1]) == [None]  # a quarter
    assert match_boxes([], true) == []


def test_a_thinned_curve_says_what_happens_at_whole_steps() -> None:
    curve = [
        MeasuredPoint(0.1, 0.5, 1.0),
        MeasuredPoint(0.3, 0.8, 0.6),
        MeasuredPoint(0.6, 1.0, 0.2),
    ]
    assert thinned(curve, 0.25) == [MeasuredPoint(0.25, 0.8, 0.6), MeasuredPoint(0.5, 1.0, 0.2)]


def test_what_is_not_covered_is_asked_of_faces_only_and_first() -> None:
    rows = np.array(
        [[0.1, 0.5, 0.4, 0], [0.1, 0.4, 0.5, 0], [0.2, 0.2, 0, 0.6], [0, 0, 0, 1]], np.float32
    )
    assert uncovered(rows) == pytest.approx([0.9, 0.9, 0.5, 0])
    assert called_bare(rows) == pytest.approx([0.9, 0, 0.5, 0])
