from datetime import UTC

from edge.clock import SYSTEM_CLOCK


def test_wall_time_is_aware_and_utc() -> None:
    assert SYSTEM_CLOCK.utc().tzinfo is UTC


def test_sleeping_takes_the_time_it_says() -> None:
    before_s = SYSTEM_CLOCK.monotonic_s()
    SYSTEM_CLOCK.sleep(0.01)
    assert SYSTEM_CLOCK.monotonic_s() - before_s >= 0.01
