from datetime import UTC

import pytest

from edge.clock import SYSTEM_CLOCK, SteppedClock
from tests.fakes import SetClock


def test_wall_time_is_aware_and_utc() -> None:
    assert SYSTEM_CLOCK.utc().tzinfo is UTC


def test_sleeping_takes_the_time_it_says() -> None:
    before_s = SYSTEM_CLOCK.monotonic_s()
    SYSTEM_CLOCK.sleep(0.01)
    assert SYSTEM_CLOCK.monotonic_s() - before_s >= 0.01


def test_a_step_of_the_wall_clock_is_noticed_once_and_its_rate_is_none() -> None:
    clock = SetClock()
    stepped = SteppedClock(clock)
    clock.sleep(30)
    clock.set_by_s = 0.015  # steered, by as much as is allowed
    assert not stepped.look()
    clock.sleep(5)
    clock.set_by_s = -3600
    assert stepped.look()
    assert (stepped.steps, stepped.last_step_s) == (1, pytest.approx(-3600, abs=0.1))
    assert not stepped.look()
