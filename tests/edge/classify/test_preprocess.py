from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.classify.preprocess import (
    crop_face,
    dequantize,
    face_sharpness,
    int8_levels,
    quantize,
    square_around,
    to_float,
    to_int8,
)
from edge.records import Box, Pixels


def noise(height: int = 120, width: int = 160) -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def test_the_square_shares_the_centre_of_the_box() -> None:
    assert square_around(Box(40, 20, 60, 60), 1.5) == (20, 10, 60)


def test_a_crop_inside_the_picture_is_the_picture_s_own_pixels() -> None:
    picture = noise()
    crop = crop_face(picture, Box(40, 30, 80, 70), 1.0, 40)
    assert np.array_equal(crop, picture[30:70, 40:80])


def test_a_crop_over_the_edge_replicates_it() -> None:
    picture = noise()
    crop = crop_face(picture, Box(0, 0, 20, 20), 2.0, 40)
    assert np.array_equal(crop[10:, 10:], picture[:30, :30])
    assert np.array_equal(crop[:10, :10], np.broadcast_to(picture[0, 0], (10, 10, 3)))


@pytest.mark.parametrize("box", [Box(0, 0, 0.4, 0.4), Box(159.7, 119.7, 160, 120)])
def test_a_box_smaller_than_a_pixel_at_the_edge_still_gives_a_crop(box: Box) -> None:
    assert crop_face(noise(), box, 1.0, 16).shape == (16, 16, 3)


def test_shrinking_averages_areas() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.all(crop_face(stripes, Box(0, 0, 64, 64), 1.0, 32) == 100)


def test_floats_are_rgb_from_minus_one_to_one() -> None:
    blue = np.array([[[255, 0, 0]]], np.uint8)
    assert to_float(blue).tolist() == [[[-1.0, -1.0, 1.0]]]


def test_quantizing_rounds_and_saturates() -> None:
    values = np.array([-9, -1.1, 0, 0.0059, 1, 9], np.float32)
    assert quantize(values, 1 / 127.5, 0).tolist() == [-128, -128, 0, 1, 127, 127]


def test_the_table_gives_what_quantizing_gives() -> None:
    picture = noise()
    levels = int8_levels(0.0078, -1)
    assert np.array_equal(to_int8(picture, levels), quantize(to_float(picture), 0.0078, -1))


def test_dequantizing_undoes_quantizing_within_a_step() -> None:
    values = np.linspace(-1, 1, 101, dtype=np.float32)
    assert np.abs(dequantize(quantize(values, 0.01, 3), 0.01, 3) - values).max() <= 0.005 + 1e-6


def test_a_blurred_face_is_less_sharp_whatever_its_size_and_light() -> None:
    large = cv2.resize(noise(24, 24), (200, 200), interpolation=cv2.INTER_NEAREST)
    face = np.asarray(large, np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(face, (0, 0), 20), np.uint8)
    box = Box(0, 0, 200, 200)
    assert face_sharpness(face, box) > 10 * face_sharpness(blurred, box)
    darker = (face // 4).astype(np.uint8)
    assert face_sharpness(darker, box) == pytest.approx(face_sharpness(face, box), rel=0.1)


def test_a_blank_or_outside_face_is_not_sharp() -> None:
    blank = np.full((50, 50, 3), 80, np.uint8)
    assert face_sharpness(blank, Box(0, 0, 50, 50)) == 0
    assert face_sharpness(blank, Box(60, 60, 80, 80)) == 0
