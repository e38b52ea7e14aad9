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


def test_another_picture_for_a_moment_is_a_blink() -> None:
    expected = [Change.NONE] * 5 + [Change.BLINK] * 4 + [Change.NONE] * 5
    assert told([HALL] * 5 + [YARD] * 4 + [HALL] * 5) == expected


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_without_contrast_is_no_other_scene(level: int) -> None:
    assert set(told([HALL] * 5 + [blank(grey=level)] * 40 + [HALL] * 5)) == {Change.NONE}


def test_torn_pictures_are_no_other_scene() -> None:
    shown = [HALL] * 5 + [scene(3), scene(4), scene(5)] + [HALL] * 20
    assert Change.CUT not in told(shown)
    assert told(shown).count(Change.BLINK) == 1


def test_somebody_near_who_leaves_a_plain_wall_blinds_nobody() -> None:
    wall = np.repeat(np.linspace(100, 126, 640, dtype=np.float32)[np.newaxis], 360, axis=0)
    plain = np.repeat(wall.astype(np.uint8)[..., np.newaxis], 3, axis=2)
    near = plain.copy()
    near[40:, 150:500] = HALL[40:, 150:500]
    changes = told([plain] * 5 + [near] * 30 + [plain] * 40)
    assert changes[46:] == [Change.NONE] * len(changes[46:])


def test_of_unlike_pictures_far_apart_each_is_another_scene() -> None:
    watch = SceneWatch()
    shown = [watch.note(glimpse_of(scene(n)), n) for n in range(20)]
    assert shown == [Change.NONE] + [Change.CUT] * 19


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
