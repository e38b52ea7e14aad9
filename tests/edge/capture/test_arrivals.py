from __future__ import annotations

import pytest

from edge.capture.arrivals import KNOWN, ArrivalTimes

FPS = 10


def taken(arrived_s: list[float]) -> list[float]:
    """The times of pictures that came then, after a while of even ones until 0 s."""
    arrivals = ArrivalTimes()
    even_s = [-number / FPS for number in range(KNOWN + 2)][::-1]
    asked_s: list[float] = []
    times_s = []
    for place, at_s in enumerate(came_s := even_s + arrived_s):
        following_s = came_s[place + 1] if place + 1 < len(came_s) else 1e9

        def follows(within_s: float, gap_s: float = following_s - at_s) -> bool:
            asked_s.append(within_s)
            return gap_s <= within_s

        times_s.append(arrivals.taken_s(at_s, follows))
    assert times_s[: len(even_s)] == even_s
    assert all(within_s == pytest.approx(0.05) for within_s in asked_s)
    return [round(each, 6) for each in times_s[len(even_s) :]]


def test_pictures_that_come_evenly_were_taken_when_they_came() -> None:
    came_s = [0.1, 0.21, 0.29, 0.4, 0.55, 0.6, 0.7]
    assert taken(came_s) == [0.1, 0.21, 0.29, 0.4, 0.55, 0.6, 0.7]


def test_pictures_that_were_held_up_and_come_at_once_were_taken_evenly() -> None:
    held_s = [2.0 + number / 1000 for number in range(20)]
    assert taken([*held_s, 2.1, 2.2]) == [round(0.1 + number / 10, 6) for number in range(22)]


def test_a_pause_after_which_pictures_come_evenly_was_one() -> None:
    assert taken([2.0, 2.1, 2.2]) == [2.0, 2.1, 2.2]


def test_where_some_of_those_held_up_were_left_out_the_next_is_on_time_again() -> None:
    assert taken([2.0, 2.001, 2.002, 2.1, 2.2]) == [0.1, 0.2, 0.3, 2.1, 2.2]


def test_however_often_pictures_are_held_up_they_were_taken_evenly() -> None:
    """Three seconds of every five."""
    taken_s = [number / FPS for number in range(1, 1000)]
    came_s = [at_s if at_s % 5 < 2 else at_s - at_s % 5 + 5 + at_s % 5 / 1000 for at_s in taken_s]
    assert taken(came_s) == [round(at_s, 6) for at_s in taken_s]


def test_no_picture_was_taken_after_it_came() -> None:
    assert taken([0.4, 0.41, 0.42, 0.43, 0.44, 0.45]) == [0.1, 0.2, 0.3, 0.4, 0.44, 0.45]


def test_at_first_nothing_is_known_and_each_was_taken_when_it_came() -> None:
    arrivals = ArrivalTimes()
    came_s = [number / 1000 for number in range(KNOWN)]
    assert [arrivals.taken_s(at_s, lambda _: True) for at_s in came_s] == came_s
