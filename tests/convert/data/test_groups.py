from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convert.data.groups import (
    agreeing_keypoints,
    feature_similarity,
    find_groups,
    find_keypoints,
    same_persons,
    thumbnail_correlation,
)
from edge.records import Pixels
from tests.convert.pictures import draw_face


def turned(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(pixels, matrix, (width, height), borderMode=1), np.uint8)


COPIES: dict[str, Callable[[Pixels], NDArray[Any]]] = {
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "smaller": lambda pixels: cv2.resize(pixels, (70, 70), interpolation=cv2.INTER_AREA),
    "cropped": lambda pixels: np.ascontiguousarray(pixels[20:-20, 20:-20]),
    "turned": lambda pixels: turned(pixels, 10),
    "turned far": lambda pixels: turned(pixels, 30),
    "darker": lambda pixels: (pixels * 0.6).astype(np.uint8),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_joins_its_original_and_nobody_else(how: str) -> None:
    strangers = [draw_face(0, seed, 256) for seed in range(6)]
    copy = np.asarray(COPIES[how](strangers[2]), np.uint8)
    groups = find_groups([*strangers, copy], None)
    assert groups.tolist() == [0, 1, 2, 3, 4, 5, 2]


def test_features_join_what_the_eye_of_the_network_finds_alike() -> None:
    strangers = [draw_face(seed % 2, seed, 160) for seed in range(4)]
    features = np.eye(4, dtype=np.float32)
    features[3] = features[0] + 0.1
    assert find_groups(strangers, (features, features)).tolist() == [0, 1, 2, 0]


def test_features_of_a_mirror_image_count() -> None:
    plain = np.array([[1, 0], [0, 1]], np.float32)
    mirrored = np.array([[0, 1], [0, 1]], np.float32)
    assert feature_similarity(plain, mirrored)[0, 1] == pytest.approx(1)
    assert feature_similarity(plain, plain)[0, 1] == pytest.approx(0)


def test_a_blank_picture_is_like_nothing() -> None:
    blank = np.full((40, 40, 3), 200, np.uint8)
    assert np.abs(thumbnail_correlation([blank, blank, draw_face(0, 1)])).max() < 1.001
    assert thumbnail_correlation([blank, blank])[0, 1] == pytest.approx(0)
    assert agreeing_keypoints(find_keypoints(blank), find_keypoints(draw_face(0, 1))) == 0


def test_portraits_of_one_size_that_look_alike_are_one_person() -> None:
    alike = np.full((3, 3), 0.9, np.float32)
    assert same_persons([(300, 400), (300, 400), (640, 480)], alike) == [(0, 1)]
    assert same_persons([(300, 400), (300, 400)], np.full((2, 2), 0.3, np.float32)) == []


def test_known_pairs_share_a_group() -> None:
    strangers = [draw_face(0, seed, 160) for seed in range(4)]
    assert find_groups(strangers, None, [(1, 3)]).tolist() == [0, 1, 2, 1]


def test_a_single_picture_is_a_group() -> None:
    assert find_groups([draw_face(0, 1)], None).tolist() == [0]


@settings(max_examples=40)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14),
)
def test_groups_are_whole_and_numbered_by_their_first_picture(pairs: list[tuple[int, int]]) -> None:
    blank = np.zeros((8, 8, 3), np.uint8)
    members = [{number} for number in range(12)]
    for one, other in pairs:
        joined = members[one] | members[other]
        for number in joined:
            members[number] = joined
    firsts = sorted({min(group) for group in members})
    expected = [firsts.index(min(group)) for group in members]
    assert find_groups([blank] * 12, None, pairs).tolist() == expected
