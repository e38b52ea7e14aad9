from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from edge.detect.cadence import glimpse_of
from edge.detect.scene import CUT_S, Change, SceneWatch
from edge.records import Pixels
from tests.fakes import blank

STEP_S = 0.125


def scene(seed: int) -> Pixels:
    """Some furniture."""
    patches = np.random.default_rng(seed).uniform(20, 230, (4, 7, 3)).astype(np.float32)
    return np.asarray(cv2.resize(patches, (640, 360), interpolation=cv2.INTER_NEAREST), np.uint8)


HALL, YARD = scene(1), scene(2)


def told(pictures: Sequence[Pixels]) -> list[Change]:
    watch = SceneWatch()
    return [watch.note(glimpse_of(each), n * STEP_S) for n, each in enumerate(pictures)]


def test_another_scene_is_one_when_it_has_lasted() -> None:
    blinks = round(CUT_S / STEP_S)
    expected = [Change.NONE] * 5 + [Change.BLINK] * blinks + [Change.CUT] + [Change.NONE] * 4
    assert told([HALL] * 5 + [YARD] * (blinks + 5)) == expected


@pytest.mark.parametrize(
    ("blink", "frames"),
    [(blank(grey=0), 40), (blank(grey=128), 40), (blank(grey=255), 1), (YARD, 4)],
)
def test_a_blink_is_no_other_scene(blink: Pixels, frames: int) -> None:
    expected = [Change.NONE] * 5 + [Change.BLINK] * frames + [Change.NONE] * 5
    assert told([HALL] * 5 + [blink] * frames + [HALL] * 5) == expected


def test_a_scene_after_the_dark_is_compared_with_the_one_before() -> None:
    shown = [HALL] * 5 + [blank(grey=0)] * 40 + [YARD] * 20
    assert told(shown).count(Change.CUT) == 1


@pytest.mark.parametrize("light", [0.3, 0.6, 1.6])
def test_light_that_is_switched_is_no_other_scene(light: float) -> None:
    lit = np.clip(HALL * light, 0, 255).astype(np.uint8)
    assert set(told([HALL] * 5 + [lit] * 20)) == {Change.NONE}


def test_somebody_large_who_appears_is_no_other_scene() -> None:
    shown = HALL.copy()
    shown[60:, 230:410] = 60
    assert set(told([HALL] * 5 + [shown] * 20)) == {Change.NONE}


def test_a_camera_that_moves_all_the_time_shows_no_other_scene() -> None:
    moving = [np.roll(HALL, 160 * n, axis=1) for n in range(40)]
    assert Change.CUT not in told(moving)


def test_a_picture_that_was_turned_is_another_scene() -> None:
    upright = cv2.resize(HALL, (360, 640))
    assert told([HALL, np.asarray(upright, np.uint8)]) == [Change.NONE, Change.CUT]


def test_a_wall_before_which_somebody_walks_is_always_itself() -> None:
    pictures = []
    for left in range(0, 500, 50):
        picture = blank()
        picture[150:210, left : left + 60] = 60
        pictures.append(picture)
    assert set(told(pictures)) == {Change.NONE}
