from __future__ import annotations

import pytest

from edge.host.load import CALM_S, MIB, Load
from edge.telemetry import Pace, Strain, ThrottlingFlag, Vitals

HEAT, POWER, MEMORY = Strain


def paces(*readings: Vitals, every_s: float = CALM_S) -> list[Pace]:
    """Return the pace after each reading."""
    load = Load()
    found = []
    for number, vitals in enumerate(readings):
        load.update(vitals, number * every_s)
        found.append(load.pace)
    return found


@pytest.mark.parametrize(
    ("vitals", "pace"),
    [
        (Vitals(), Pace()),
        (Vitals(74.9, [], 500 * MIB), Pace()),
        (Vitals(75.0, [], 500 * MIB), Pace(4.0, (HEAT,))),
        (Vitals(90.0, None, 500 * MIB), Pace()),  # no Raspberry Pi
        (Vitals(80.0, [], 500 * MIB), Pace(2.0, (HEAT,))),
        (Vitals(60.0, [ThrottlingFlag.SOFT_TEMPERATURE_LIMIT]), Pace()),
        (Vitals(None, [ThrottlingFlag.SOFT_TEMPERATURE_LIMIT]), Pace(4.0, (HEAT,))),
        (Vitals(60.0, [ThrottlingFlag.THROTTLED]), Pace(2.0, (HEAT,))),
        (Vitals(60.0, [ThrottlingFlag.UNDER_VOLTAGE]), Pace(4.0, (POWER,))),
        (
            Vitals(60.0, [ThrottlingFlag.UNDER_VOLTAGE, ThrottlingFlag.THROTTLED]),
            Pace(4.0, (POWER,)),
        ),
        (Vitals(60.0, [ThrottlingFlag.THROTTLED_OCCURRED]), Pace()),
        (Vitals(60.0, [], 96 * MIB - 1), Pace(4.0, (MEMORY,))),
        (Vitals(60.0, [], 48 * MIB - 1), Pace(2.0, (MEMORY,))),
        (Vitals(76.0, [], 40 * MIB), Pace(2.0, (HEAT, MEMORY))),
    ],
)
def test_the_plan(vitals: Vitals, pace: Pace) -> None:
    assert paces(vitals) == [pace]


def test_a_step_is_left_below_where_it_was_taken() -> None:
    warm_and_cool = [Vitals(at_c, []) for at_c in (76, 74, 70, 69.9, 69.9)]
    assert [pace.max_fps for pace in paces(*warm_and_cool)] == [4, 4, 4, 4, None]
    hot_and_cool = [Vitals(at_c, []) for at_c in (81, 75, 74.9, 74.9, 69, 69)]
    assert [pace.max_fps for pace in paces(*hot_and_cool)] == [2, 2, 2, 4, 4, None]
    short_and_ample = [Vitals(available_bytes=mib * MIB) for mib in (90, 143, 144, 144)]
    assert [pace.max_fps for pace in paces(*short_and_ample)] == [4, 4, 4, None]


def test_slower_at_once_and_faster_after_a_calm_minute() -> None:
    low, fine = Vitals(throttling=[ThrottlingFlag.UNDER_VOLTAGE]), Vitals(throttling=[])
    flickering = paces(*[low, fine] * 10, every_s=5)
    assert {pace.max_fps for pace in flickering} == {4}
    calm = paces(low, *[fine] * 20, every_s=5)
    assert [pace.max_fps for pace in calm].index(None) == 1 + CALM_S / 5


def test_a_change_is_reported_once() -> None:
    load = Load()
    assert [load.update(Vitals(at_c, []), 0.0) for at_c in (60, 76, 77, 81)] == [
        False, True, False, True,
    ]  # fmt: skip


def test_an_interval_belongs_to_each_pace() -> None:
    assert (Pace().interval_s, Pace(4.0).interval_s) == (0, 0.25)
