"""The plan is chosen by what scans and classifications cost, and by what the scene asks for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from edge.config import Settings, parse_settings
from edge.daemon.budget import EVERY_S, MOST_PATIENCE, PATIENCE, Budget, Usage
from edge.host.health import Spent
from edge.plan import FULL, PLANS, SPARING, THOROUGH, USUAL, SeeingPlan, Work, forecast
from edge.telemetry import Pace, Strain

FPS = 15.0
GAP_S = {SPARING: 4 / 15, USUAL: 2 / 15, THOROUGH: 2 / 15, FULL: 2 / 15}
"""From one scan to the next at this rate."""
SCANS = {SPARING: (0.5, 0.5), USUAL: (0.5, 0.5), THOROUGH: (1, 0.5), FULL: (1, 1)}
"""Of the whole picture and close-ups, in a scanned frame with somebody far away."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What one of each costs in wall time; two threads take 1.7 times as much of the processor."""

    scan_s: float
    look_s: float
    cores: float = 4


PI_ZERO = Machine(0.2, 0.025)
PI_4 = Machine(0.085, 0.012)
PI_5 = Machine(0.032, 0.0025)


def settings(**detector: object) -> Settings:
    return parse_settings({"mqtt": {"host": "h"}, "detector": detector}, "test")


def minute(plan: SeeingPlan, machine: Machine, people: int, busy: float = 1.0) -> Usage:
    """Return a minute with so many small faces in sight for `busy` of it, as far as it keeps up."""
    looks = min(people, plan.looks_per_frame)
    taken_s = sum(SCANS[plan]) * machine.scan_s + looks * machine.look_s
    frames = 2 * round(busy * EVERY_S / max(GAP_S[plan], taken_s) / 2)
    full, close_ups = (round(each * frames) for each in SCANS[plan])
    spent_s = (full + close_ups) * machine.scan_s, frames * looks * machine.look_s
    return Usage(
        Work(frames, full, close_ups, 0, frames * looks),
        *(Spent(each, 1.7 * each) for each in spent_s),
    )


def chosen(
    machine: Machine,
    people: int = 2,
    minutes: int = 10,
    busy: float = 1.0,
    pace: Pace = Pace(),  # noqa: B008 - a frozen value
    **detector: object,
) -> list[str]:
    """Return the plan after each minute."""
    budget = Budget(settings(**detector), machine.cores, 0.0)
    total, names = Usage(), []
    for number in range(1, minutes + 1):
        spent = minute(budget.plan, machine, people, busy)
        total = total.since(Usage().since(spent))
        assert budget.is_due(EVERY_S * number)
        names.append(budget.choose(total, FPS, pace, EVERY_S * number).name)
    return names


def test_it_begins_with_the_usual_plan_and_takes_a_step_after_minutes_that_fit() -> None:
    names = chosen(PI_5)
    assert names[: PATIENCE - 1] == ["usual"] * (PATIENCE - 1)
    assert names[PATIENCE - 1] == "thorough"
    assert names[-1] == "full"


@pytest.mark.parametrize(
    ("machine", "people", "plan"),
    [(PI_ZERO, 2, "sparing"), (PI_4, 2, "thorough"), (PI_4, 20, "thorough"), (PI_5, 20, "full")],
)
def test_a_box_gets_the_plan_that_it_can_follow(machine: Machine, people: int, plan: str) -> None:
    assert chosen(machine, people)[-1] == plan


def test_what_is_idle_most_of_the_time_leaves_more_for_the_rest() -> None:
    slow = Machine(0.06, 0.01, cores=1)
    assert chosen(slow, busy=1.0)[-1] == "sparing"
    assert chosen(slow, busy=0.25)[-1] == "thorough"


def test_the_share_is_the_owners() -> None:
    assert chosen(PI_5, cpu_share=0.12)[-1] == "usual"
    assert chosen(PI_5, cpu_share=0.0)[-1] == "sparing"
    assert chosen(PI_5, cpu_share=1.0)[-1] == "full"


def test_a_plan_that_the_owner_has_named_stays() -> None:
    budget = Budget(settings(plan="full"), 1, 0.0)
    assert budget.plan is FULL
    assert not budget.is_due(1e6)


def test_heat_takes_a_part_of_the_share() -> None:
    machine = Machine(0.03, 0.002, cores=1)
    hot = Pace(4.0, (Strain.HEAT,))
    assert [Pace().share, hot.share, Pace(2.0).share] == [1, 0.5, 0.25]
    assert chosen(machine, cpu_share=0.78)[-1] == "thorough"
    assert chosen(machine, pace=hot, cpu_share=0.78)[-1] == "thorough", "though fewer frames come"
    assert chosen(machine, pace=hot, cpu_share=0.5)[-1] == "usual"


def test_a_minute_in_which_hardly_anything_was_scanned_says_nothing() -> None:
    assert set(chosen(PI_5, busy=0.01)) == {"usual"}


def test_a_pause_makes_nothing_cheaper() -> None:
    spent, share = minute(USUAL, PI_5, 2), 0.02
    paused = Budget(settings(cpu_share=share), PI_5.cores, 0.0)
    paused.start_over(Usage(), 9 * EVERY_S)
    assert not paused.is_due(9.5 * EVERY_S)
    assert paused.choose(spent, FPS, Pace(), 10 * EVERY_S) is SPARING
    # The same in ten minutes would be little.
    quiet = Budget(settings(cpu_share=share), PI_5.cores, 0.0)
    assert quiet.choose(spent, FPS, Pace(), 10 * EVERY_S) is USUAL


def test_a_plan_that_had_to_be_left_is_tried_again_later_each_time() -> None:
    machine = Machine(0.085, 0.02)
    budget = Budget(settings(), machine.cores, 0.0)
    total, left_at, followed = Usage(), [], USUAL
    for number in range(1, 300):
        # A crowd comes as soon as more is tried.
        spent = minute(budget.plan, machine, 2 if budget.plan is USUAL else 40)
        total = total.since(Usage().since(spent))
        plan = budget.choose(total, FPS, Pace(), EVERY_S * number)
        if plan is USUAL and followed is not USUAL:
            left_at.append(number)
        followed = plan
    pauses = [later - earlier for earlier, later in itertools.pairwise(left_at)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 10
    assert pauses[-1] > MOST_PATIENCE


def test_no_plan_is_taken_under_which_people_are_lost_between_two_scans() -> None:
    sections = {"tracker": {"max_missed_s": 0.24}, "detector": {"full_every_s": 0.1}}
    slow = parse_settings({"mqtt": {"host": "h"}, **sections}, "test")
    budget = Budget(slow, 4, 0.0)
    spent = minute(USUAL, PI_ZERO, 20)
    assert budget.choose(spent, FPS, Pace(), EVERY_S) is USUAL


def test_a_forecast_of_the_plan_that_is_followed_is_what_was_done() -> None:
    for plan in PLANS.values():
        work = minute(plan, PI_4, 3).work
        expected = forecast(work, plan, plan, 1.0)
        assert (expected.frames, expected.scans, expected.looks) == pytest.approx(
            (work.frames, work.scans, work.looks), rel=0.01
        )


def test_a_forecast_knows_what_is_scanned_beside_what() -> None:
    work = Work(frames=100, full=45, close_ups=40, quick=15, looks=100, searches=30)
    both = forecast(work, USUAL, THOROUGH, 1.0)
    # 80 frames that alternate, and 30 more of searching; 5 without anything far away.
    assert both.frames == 110 + 5 + 15
    assert both.scans == 1.5 * 110 + 5 + 15 / 4
    assert both.looks == 130
    full = forecast(work, USUAL, FULL, 1.0)
    assert (full.scans, full.looks) == (2 * 110 + 5 + 15, 1.25 * 130)
