from __future__ import annotations

import cv2
import numpy as np
import pytest

from convert.data.augment import (
    MARGIN,
    View,
    _recoloured,
    augment,
    camera_view,
    compact,
    misexposed,
    night_seen,
    whole_picture,
)
from edge.classify.preprocess import crop_face
from edge.records import Box
from tests.convert.pictures import draw_face, face_box

BACKGROUND = draw_face(1, 7, 120)


def view(side_px: int = 200) -> View:
    return View(draw_face(0, 1, side_px), face_box(side_px))


@pytest.mark.parametrize("shown", [view(), view(24), whole_picture(draw_face(1, 2, 80))])
def test_an_example_has_the_networks_size_whatever_it_is_made_of(shown: View) -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        example = augment(shown, 48, rng, BACKGROUND)
        assert example.shape == (48, 48, 3)
        assert example.dtype == np.uint8


def test_one_seed_gives_one_example_and_no_two_draws_are_alike() -> None:
    one = augment(view(), 48, np.random.default_rng(5), BACKGROUND)
    rng = np.random.default_rng(5)
    assert np.array_equal(one, augment(view(), 48, rng, BACKGROUND))
    assert not np.array_equal(one, augment(view(), 48, rng, BACKGROUND))


def test_augmentation_leaves_the_picture_alone() -> None:
    shown = view()
    before = shown.pixels.copy()
    for seed in range(30):
        augment(shown, 48, np.random.default_rng(seed), BACKGROUND)
    assert np.array_equal(shown.pixels, before)


def test_the_camera_view_is_the_largest_face_as_the_daemon_crops_it() -> None:
    pixels, box = draw_face(0, 1, 200), face_box(200)
    crop = camera_view(pixels, (box,)).crop(96)
    assert np.array_equal(crop, crop_face(pixels, box, MARGIN, 96))


def test_without_a_face_the_camera_view_is_the_whole_picture() -> None:
    pixels = draw_face(0, 1, 200)
    assert np.array_equal(
        camera_view(pixels, ()).crop(96), crop_face(pixels, Box(0, 0, 200, 200), 1.0, 96)
    )


def test_a_far_face_has_lost_its_detail() -> None:
    near, far = view().crop(96), view().crop(96, 12)
    assert far.shape == near.shape
    assert cv2.Laplacian(far, cv2.CV_32F).var() < cv2.Laplacian(near, cv2.CV_32F).var() / 10


def test_a_face_is_never_enlarged_on_the_way_to_a_size() -> None:
    assert np.array_equal(view(40).crop(96, 500), view(40).crop(96))


def test_a_compact_view_shows_the_same_crop() -> None:
    pixels = cv2.copyMakeBorder(draw_face(0, 1, 400), 300, 300, 300, 300, cv2.BORDER_REFLECT)
    shown = View(np.asarray(pixels, np.uint8), face_box(400).moved(300, 300))
    small = compact(shown)
    assert max(small.pixels.shape[:2]) <= 144 * 2.6 + 2
    difference = small.crop(96).astype(int) - shown.crop(96).astype(int)
    assert np.abs(difference).mean() < 4


def test_colours_are_changed_and_shapes_are_not() -> None:
    crop = np.zeros((32, 32, 3), np.uint8)
    crop[:, 16:] = (200, 40, 40)
    seen = set()
    for seed in range(40):
        changed = _recoloured(crop, np.random.default_rng(seed))
        assert (changed[:, :16] == 0).all(), "black has no hue"
        assert (changed[:, 16:] == changed[0, 16]).all()
        assert changed.max() == 200, "as bright as before"
        seen.add(int(changed[0, 16].argmax()))
    assert seen == {0, 1, 2}


def test_a_few_faces_lie_on_their_side() -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[:100] = 255
    shown, rng = View(pixels, Box(60, 60, 140, 140)), np.random.default_rng(3)
    lying = 0
    for _ in range(600):
        example = augment(shown, 16, rng, pixels).astype(float)
        across = abs(example[:, :8].mean() - example[:, 8:].mean())
        lying += across > abs(example[:8].mean() - example[8:].mean())
    assert 6 <= lying <= 30


def test_infrared_light_leaves_one_gray_that_still_shows_the_face() -> None:
    picture = draw_face(0, 1, 96)
    before = picture.copy()
    for seed in range(20):
        seen = night_seen(picture, np.random.default_rng(seed))
        assert seen.shape == picture.shape
        assert np.array_equal(seen[..., 0], seen[..., 1])
        assert np.array_equal(seen[..., 0], seen[..., 2])
        assert seen.std() > 5
    assert np.array_equal(picture, before)


def test_a_wrong_exposure_is_far_off_to_both_sides() -> None:
    picture = np.full((20, 20, 3), 120, np.uint8)
    levels = [int(misexposed(picture, np.random.default_rng(seed)).mean()) for seed in range(40)]
    assert min(levels) < 40
    assert max(levels) == 255
    assert not any(60 < level < 170 for level in levels)
