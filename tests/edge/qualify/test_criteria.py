"""What a door must reach is fixed, and so is when an earlier measurement no longer holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from scipy.stats import fisher_exact

from edge.eyes import KnownPeople, LabelCounts, LabelWay, NetworkPair, Qualification
from edge.qualify.criteria import (
    compared,
    criteria,
    faults_of,
    fisher,
    former_of,
    smallest_fall,
)
from edge.records import MaskState

NETWORKS = NetworkPair("a", "b")
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def people(masked: tuple[int, int], bare: tuple[int, int]) -> tuple[KnownPeople, ...]:
    """Return 30 of each; the pairs are judged right and wrong."""
    return (
        KnownPeople(MaskState.MASKED, 0, 30, masked[0], masked[1]),
        KnownPeople(MaskState.BARE, 0, 30, bare[1], bare[0]),
    )


def measured(
    masked: tuple[int, int] = (30, 0), bare: tuple[int, int] = (30, 0), at: datetime = NOON
) -> Qualification:
    return Qualification(1, at, "", NETWORKS, people(masked, bare), 56, 0, ())


def faults(
    masked: tuple[int, int] = (30, 0),
    bare: tuple[int, int] = (30, 0),
    walks: int = 56,
    repeated: int = 0,
) -> int:
    return len(faults_of(criteria(people(masked, bare), walks, 56, repeated)))


def test_a_door_that_judges_nearly_all_right_is_qualified() -> None:
    assert faults() == 0
    assert faults(masked=(28, 2), bare=(28, 2)) == 0
    assert faults(masked=(24, 0), bare=(24, 0)) == 0
    assert faults(repeated=14) == 0


def test_a_measurement_is_compared_with_one_that_was_made_in_the_same_way() -> None:
    labels = LabelCounts(LabelWay.DOOR, 30, 60, 60, 0, 60, 0, 0, 0)
    walked = measured(at=NOON - timedelta(days=1))
    at_door = msgspec.structs.replace(walked, labels=labels)
    from_pictures = msgspec.structs.replace(
        walked, labels=msgspec.structs.replace(labels, way=LabelWay.PICTURES)
    )
    earlier = [from_pictures, at_door, walked]
    for each in earlier:
        now = msgspec.structs.replace(each, at=NOON)
        assert former_of(earlier, now, UTC) == each
    assert former_of([walked], msgspec.structs.replace(at_door, at=NOON), UTC) is None


def test_each_criterion_is_one() -> None:
    assert faults(masked=(27, 3)) == 1
    assert faults(bare=(27, 3)) == 1
    assert faults(bare=(23, 0)) == 1
    assert faults(masked=(23, 0)) == 1
    assert faults(walks=55) == 1
    assert faults(repeated=15) == 1
    assert len(faults_of(criteria((), 0, 56, 0))) == 5


def test_a_fault_says_what_was_required_and_what_was_measured() -> None:
    assert faults_of(criteria(people((27, 3), (30, 0)), 56, 56, 0)) == (
        "of these, 75 % are judged right, with 95 % certainty: 27 of 30: 0.735 to 0.979",
    )


def test_fishers_test_is_that_of_scipy() -> None:
    rng = np.random.default_rng(5)
    for _ in range(100):
        of, of_2 = rng.integers(1, 40, 2)
        right, right_2 = int(rng.integers(0, of + 1)), int(rng.integers(0, of_2 + 1))
        known = fisher_exact([[right, of - right], [right_2, of_2 - right_2]])
        assert fisher(right, int(of), right_2, int(of_2)) == pytest.approx(float(known.pvalue))
    assert fisher(0, 0, 3, 5) == 1.0


def test_an_equal_measurement_does_not_contradict() -> None:
    found = compared(measured(), measured(masked=(28, 2)))
    assert [each.what for each in found] == [
        "with a mask: judged",
        "with a mask: judged right",
        "without a mask: judged",
        "without a mask: judged right",
    ]
    assert not any(each.is_different for each in found)


def test_a_door_that_has_become_worse_is_noticed() -> None:
    found = compared(measured(), measured(bare=(20, 10)))
    assert [each.what for each in found if each.is_different] == ["without a mask: judged right"]
    found = compared(measured(), measured(masked=(20, 0)))
    assert [each.what for each in found if each.is_different] == ["with a mask: judged"]


def test_how_small_a_fall_is_noticed_is_said() -> None:
    fall = smallest_fall(30, 30)
    assert fall == 23
    assert compared(measured(), measured(masked=(fall, 30 - fall)))[1].is_different
    assert not compared(measured(), measured(masked=(fall + 1, 29 - fall)))[1].is_different
    assert smallest_fall(2, 2) is None


def test_without_a_change_few_comparisons_find_one() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        right = rng.binomial(30, 0.93, 4)
        first, second = (
            measured((int(a), 30 - int(a)), (int(b), 30 - int(b)))
            for a, b in (right[:2], right[2:])
        )
        alarms += any(each.is_different for each in compared(first, second))
    assert alarms <= 20, "5 % of 400"


def test_only_a_measurement_of_another_day_and_of_the_same_eyes_is_compared() -> None:
    now = measured()
    yesterday, before = (measured(at=NOON - timedelta(days=days)) for days in (1, 2))
    hours_ago = measured(at=NOON - timedelta(hours=3))
    others = msgspec.structs.replace(yesterday, networks=NetworkPair("c", "d"))
    elsewhere = msgspec.structs.replace(yesterday, camera="back")
    assert former_of([yesterday, before, hours_ago, others, elsewhere], now, UTC) == yesterday
    assert former_of([hours_ago, others, elsewhere], now, UTC) is None
