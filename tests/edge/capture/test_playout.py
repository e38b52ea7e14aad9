from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.playout import (
    JITTER_S,
    LONGEST_WAIT_S,
    MAX_DELAY_S,
    MOST_ASTRAY_S,
    Due,
    Playout,
)

EVERY_S = 0.04


def played(
    media_s: Sequence[float | None], arrivals_s: Sequence[float]
) -> tuple[list[float], list[float]]:
    """When each picture is given on, and its stamp."""
    playout, now_s = Playout(), 0.0
    given_s: list[float] = []
    stamps_s: list[float] = []
    for time_s, arrived_s in zip(media_s, arrivals_s, strict=True):
        due: Due = playout.add(time_s, arrived_s, max(now_s, arrived_s))
        now_s = max(now_s, arrived_s, due.at_s)
        given_s.append(now_s)
        stamps_s.append(due.stamp_s)
    return given_s, stamps_s


def steps(values: Sequence[float]) -> list[float]:
    return [later - sooner for sooner, later in pairwise(values)]


def evenly(count: int, every_s: float = EVERY_S) -> list[float]:
    return [number * every_s for number in range(count)]


def test_what_comes_evenly_is_given_as_it_comes() -> None:
    arrivals_s = [100 + time_s for time_s in evenly(500)]
    given_s, stamps_s = played(evenly(500), arrivals_s)
    assert given_s == pytest.approx(arrivals_s)
    assert stamps_s == pytest.approx(arrivals_s)


def test_jitter_is_not_in_the_stamps() -> None:
    arrivals_s = [100 + time_s + (number % 3) * 0.01 for number, time_s in enumerate(evenly(500))]
    given_s, stamps_s = played(evenly(500), arrivals_s)
    assert max(sooner - later for sooner, later in zip(given_s, arrivals_s, strict=True)) <= 0.021
    assert steps(stamps_s) == pytest.approx([EVERY_S] * 499, rel=0.06)


@pytest.mark.parametrize("burst_s", [1.0, 4.0, 6.0])
def test_bursts_are_played_evenly(burst_s: float) -> None:
    media_s = evenly(3000)
    # A segment comes when it is over.
    arrivals_s = [100 + (time_s // burst_s + 1) * burst_s for time_s in media_s]
    given_s, stamps_s = played(media_s, arrivals_s)
    assert max(steps(given_s)) < 0.05
    assert min(steps(given_s)) > 0.03
    assert stamps_s == pytest.approx(given_s)


def test_the_start_of_a_playlist_is_played_from_its_first_picture_and_caught_up_slowly() -> None:
    media_s = evenly(12_000)
    arrivals_s = [max(112.0, 100 + (time_s // 4 + 1) * 4) for time_s in media_s]
    given_s, _ = played(media_s, arrivals_s)
    assert given_s[0] == 112
    assert max(steps(given_s)) < 0.05
    lag_s = [given - (100 + time_s) for given, time_s in zip(given_s, media_s, strict=True)]
    assert lag_s[250] == pytest.approx(12, abs=0.5)
    assert lag_s[-1] == pytest.approx(4, abs=0.1)


def test_what_a_stall_held_up_keeps_its_times_and_is_given_evenly() -> None:
    media_s = evenly(3000)
    arrivals_s = [103.0 + 10 if 10 <= time_s < 13 else 100 + time_s for time_s in media_s]
    given_s, stamps_s = played(media_s, arrivals_s)
    assert max(steps(given_s)) == pytest.approx(3 + EVERY_S)
    assert sum(step > 0.05 for step in steps(given_s)) == 1
    assert max(steps(stamps_s)) < 0.05
    # A minute without a stall, and nothing waits any more.
    assert given_s[-1] == pytest.approx(arrivals_s[-1], abs=0.01)
    assert stamps_s[-1] == pytest.approx(given_s[-1], abs=0.01)


@pytest.mark.parametrize("drift", [200e-6, -200e-6])
def test_a_clock_that_runs_wrong_is_followed(drift: float) -> None:
    arrivals_s = [100 + time_s for time_s in evenly(50_000)]
    media_s = [time_s * (1 + drift) for time_s in evenly(50_000)]
    given_s, stamps_s = played(media_s, arrivals_s)
    assert given_s[-1] == pytest.approx(arrivals_s[-1], abs=0.02)
    assert stamps_s[-1] == pytest.approx(arrivals_s[-1], abs=0.02)


@pytest.mark.parametrize("jump_s", [-95_443.7, -30.0, -2.0, 5.0, 3600.0])
def test_a_jump_of_the_clock_begins_again(jump_s: float) -> None:
    media_s = [
        time_s + (jump_s if number >= 500 else 0) for number, time_s in enumerate(evenly(1000))
    ]
    arrivals_s = [100 + time_s for time_s in evenly(1000)]
    given_s, stamps_s = played(media_s, arrivals_s)
    assert max(steps(stamps_s)) < 0.1
    assert given_s[-1] == pytest.approx(arrivals_s[-1], abs=JITTER_S)


def test_pictures_without_times_are_stamped_on_arrival() -> None:
    arrivals_s = [100.0, 100.1, 103.0, 103.0, 103.1]
    given_s, stamps_s = played([None] * 5, arrivals_s)
    assert given_s == pytest.approx(arrivals_s, abs=0.002)
    assert stamps_s == pytest.approx(arrivals_s, abs=0.002)


@pytest.mark.parametrize("pace", [0.25, 0.5, 2, 11.25])
def test_a_clock_that_does_not_tell_seconds_is_not_believed(pace: float) -> None:
    arrivals_s = [100 + time_s for time_s in evenly(10_000)]
    given_s, stamps_s = played([pace * time_s for time_s in evenly(10_000)], arrivals_s)
    waits_s = [given - arrived for given, arrived in zip(given_s, arrivals_s, strict=True)]
    assert max(waits_s) < MOST_ASTRAY_S + 1
    assert given_s[-2000:] == pytest.approx(arrivals_s[-2000:], abs=0.01)
    assert stamps_s[-2000:] == pytest.approx(arrivals_s[-2000:], abs=0.01)


def test_a_clock_by_which_no_camera_could_give_so_many_pictures_is_not_believed_for_long() -> None:
    arrivals_s = [100 + time_s for time_s in evenly(200)]
    given_s, stamps_s = played([time_s / 10 for time_s in evenly(200)], arrivals_s)
    assert given_s[100:] == pytest.approx(arrivals_s[100:], abs=0.01)
    assert stamps_s[100:] == pytest.approx(arrivals_s[100:], abs=0.01)


@pytest.mark.parametrize("segment_s", [2, 6, 10])
def test_a_live_playlist_is_believed(segment_s: float) -> None:
    media_s = evenly(6000)
    ready_s = [100 + (time_s // segment_s + 1) * segment_s for time_s in media_s]
    arrivals_s = [max(100.0 + 3 * segment_s, ready) for ready in ready_s]
    given_s, _ = played(media_s, arrivals_s)
    assert max(steps(given_s)) < 0.05


def test_times_in_the_order_of_decoding_do_not_move_the_clock() -> None:
    media_s: list[float | None] = []
    for number in range(0, 600, 3):
        media_s += [(number + place) * EVERY_S for place in (2, 0, 1)]
    arrivals_s = [100 + time_s for time_s in evenly(600)]
    given_s, stamps_s = played(media_s, arrivals_s)
    assert given_s[-1] == pytest.approx(arrivals_s[-1], abs=0.2)
    assert all(step > 0 for step in steps(stamps_s))


times = st.one_of(st.none(), st.floats(-1e6, 1e6), st.floats(0, 30))


@given(st.lists(st.tuples(times, st.floats(0, 20)), min_size=1, max_size=60))
def test_stamps_rise_and_are_never_of_the_future(
    pictures: list[tuple[float | None, float]],
) -> None:
    arrivals_s, now_s = [], 1000.0
    for _, pause_s in pictures:
        now_s += pause_s
        arrivals_s.append(now_s)
    given_s, stamps_s = played([media_s for media_s, _ in pictures], arrivals_s)
    assert all(step > 0 for step in steps(stamps_s))
    assert all(stamp <= given for stamp, given in zip(stamps_s, given_s, strict=True))


@given(st.lists(st.floats(0, MAX_DELAY_S), min_size=2, max_size=200))
def test_no_picture_waits_longer_than_is_promised(late_s: list[float]) -> None:
    arrivals_s, arrived_s = [], 0.0
    for number, late in enumerate(late_s):
        arrived_s = max(arrived_s, 1000 + number * EVERY_S + late)
        arrivals_s.append(arrived_s)
    given_s, _ = played(evenly(len(late_s)), arrivals_s)
    waits_s = [given - arrived for given, arrived in zip(given_s, arrivals_s, strict=True)]
    assert max(waits_s) <= MAX_DELAY_S + LONGEST_WAIT_S
