"""The crowds are what the table says of them, and the road runs over them."""

from __future__ import annotations

import numpy as np
import pytest

from edge.classify.card import BARE, MASKED
from edge.people import PEOPLE, frames
from edge.plan import FULL, USUAL
from edge.records import Box
from tools.crowd.__main__ import COLUMNS, STAYS_S, Crowd, parse_changes, row_of, watch
from tools.crowd.people import MARGIN, WIDTH, Cutout, frames_of, guests_of, walkers_of


@pytest.fixture(scope="module")
def cutouts() -> list[Cutout]:
    """The two drawn people who are near."""
    (picture,) = frames(1, 15)
    made = []
    for figure, label in zip(PEOPLE[1:], (MASKED, BARE), strict=True):
        wide, high = 0.4 * figure.head_px, 0.5 * figure.head_px
        face = Box(figure.x - wide, figure.y - high, figure.x + wide, figure.y + high)
        left, top, right, bottom = map(round, face.grown(MARGIN).sides)
        made.append(Cutout(picture[top:bottom, left:right], face.moved(-left, -top), label))
    return made


def test_about_so_many_people_are_there_at_any_time(cutouts: list[Cutout]) -> None:
    guests = guests_of(cutouts, 20, STAYS_S, 10, np.random.default_rng(0))
    here = [sum(g.is_here(now_s) for g in guests) for now_s in np.arange(0, 10, 0.1)]
    assert np.mean(here) == pytest.approx(20, rel=0.15)
    one = [g for g in guests if g.place == guests[0].place]
    assert one[1].from_s - one[0].until_s >= 1.5, "longer than the tracker waits"
    assert max(a.size_px for a in one) / min(a.size_px for a in one) > 1.4, "nor is it the same"


def test_each_is_where_the_scene_says(cutouts: list[Cutout]) -> None:
    rng = np.random.default_rng(0)
    guests = guests_of(cutouts, 1, STAYS_S, 4, rng)
    with_them, without = (
        next(frames_of(each, 4, 15, np.random.default_rng(0))) for each in (guests, [])
    )
    changed = np.abs(with_them.pixels.astype(int) - without.pixels).max(-1) > 30
    (there,) = (guest for guest in guests if guest.is_here(0))
    face = there.face_at(0)
    x, y = map(round, face.centre)
    assert changed[y, x]
    beside = np.ones_like(changed)
    left, top, right, bottom = map(round, face.grown(MARGIN).sides)
    beside[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
    assert not changed[beside].any()


def test_who_wears_none_is_alerted_and_who_wears_one_is_not(cutouts: list[Cutout]) -> None:
    settings = parse_changes(["detector.every_s=0.1"])
    guests = guests_of(cutouts, 4, (3.0, 4.0), 9, np.random.default_rng(1))
    (crowd,) = watch(settings, guests, 9, 15)
    row = dict(zip(COLUMNS[5:], row_of(crowd, 1.0, 9)[5:], strict=True))
    assert row["alerted"] == row["in time"] == "1.00"
    assert (row["nobody"], row["twice"]) == ("0", "0")
    assert not any(g.reported_s for g in crowd.guests if g.cutout.label == MASKED)
    assert crowd.multiply_adds > 100


def test_walkers_cross_the_picture_one_after_the_other(cutouts: list[Cutout]) -> None:
    guests = walkers_of(cutouts, 3, 20, np.random.default_rng(0))
    assert len({guest.place[1] for guest in guests}) == 3
    for guest in guests:
        ends = [guest.face_at(at_s).centre[0] for at_s in (guest.from_s, guest.until_s)]
        assert abs(ends[1] - ends[0]) > 0.8 * WIDTH
        assert 0 < min(ends) < max(ends) < WIDTH


def test_plans_are_compared_over_the_same_frames(cutouts: list[Cutout]) -> None:
    settings = parse_changes([])
    guests = guests_of(cutouts, 4, (3.0, 4.0), 2, np.random.default_rng(1))
    usual, full = watch(settings, guests, 2, 15, (USUAL, FULL))
    assert 0 < usual.multiply_adds < full.multiply_adds
    assert usual.processor > 0
    assert not any(guest.found for guest in guests), "each plan has guests of its own"


def test_only_visits_that_are_seen_whole_count() -> None:
    assert row_of(Crowd([]), 1.0, 9)[:4] == ["0", "-", "0", "0"]
