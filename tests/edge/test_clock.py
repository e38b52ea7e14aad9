from datetime import UTC, datetime, timedelta

import pytest

from edge.clock import (
    MAX_CLOCK_ERROR_US,
    SYSTEM_CLOCK,
    Moment,
    SteppedClock,
    Timex,
    _adjtimex,
    clock_synchronised,
    this_moment,
)
from tests.fakes import SetClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("then", "now", "age_s"),
    [
        (Moment(NOON, True, "a", 50), Moment(NOON, True, "a", 80), 30),
        (Moment(EPOCH, False, "a", 50), Moment(NOON, True, "a", 80), 30),
        (Moment(NOON, True, "a", 50), Moment(EPOCH, False, "a", 80), 30),
        (Moment(NOON, True, "a", 50), Moment(NOON + timedelta(days=1), True, "b", 80), 86_400),
        (Moment(NOON, True, "a", 50), Moment(NOON - timedelta(days=1), True, "b", 80), 80),
        (Moment(EPOCH, False, "a", 50), Moment(NOON, True, "b", 80), 80),
        (Moment(NOON, True, "a", 50), Moment(NOON + timedelta(days=9), False, "b", 80), 80),
    ],
    ids=["same run", "set since", "stepped back", "off for a day", "stepped back while off",
         "was wrong", "is wrong"],
)  # fmt: skip
def test_an_age_is_what_is_certain(then: Moment, now: Moment, age_s: float) -> None:
    assert then.age_s(now) == age_s


def test_this_moment_passes() -> None:
    first, second = this_moment(), this_moment(clock_is_right=True)
    assert 0 <= first.age_s(second) < 10
    assert (first.clock_is_right, second.clock_is_right) == (False, True)


@pytest.mark.parametrize(
    ("answer", "maxerror_us", "synchronised"),
    [(0, 250_000, True), (5, 250_000, True), (5, 16_000_000, False), (-1, 0, False)],
)
def test_the_clock_is_synchronised_while_its_error_is_bounded(
    answer: int, maxerror_us: int, synchronised: bool
) -> None:
    def adjtimex(timex: Timex) -> int:
        timex.maxerror = maxerror_us
        return answer

    assert clock_synchronised(adjtimex) is synchronised


def test_the_kernel_answers_about_its_clock() -> None:
    answers = []

    def asked(timex: Timex) -> int:
        # Poisoned, so that an answer at another place of the structure is seen.
        timex.maxerror = timex.status = -1
        answers.append((_adjtimex(timex), timex.maxerror, timex.status))
        return -1

    clock_synchronised(asked)
    ((state, maxerror_us, status),) = answers
    assert state in range(6)
    assert 0 <= maxerror_us <= MAX_CLOCK_ERROR_US
    assert 0 <= status < 1 << 16
