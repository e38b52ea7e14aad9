from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convert.detector.scenes import (
    NO_BOXES,
    SIDE_PX,
    FaceKind,
    SceneSampler,
    TrainingPiece,
    TrainingScene,
    cut,
    overlaps,
    tightened,
    with_finds,
)

FACE = (40.0, 30.0, 60.0, 54.0)
WHITE = 255


def scene(
    *faces: tuple[float, float, float, float], kind: FaceKind = FaceKind.BARE
) -> TrainingScene:
    """A black picture of 120 x 100 in which faces are white rectangles."""
    pixels = np.zeros((100, 120, 3), np.uint8)
    for left, top, right, bottom in faces:
        pixels[int(top) : int(bottom), int(left) : int(right)] = WHITE
    boxes = np.array(faces, np.float32).reshape(-1, 4)
    return TrainingScene(pixels, boxes, np.full(len(faces), kind, np.int64), NO_BOXES, 0)


def white_box(shown: TrainingPiece) -> list[int]:
    rows, columns = np.nonzero(shown.pixels[..., 0] > WHITE // 2)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("ratio_x", "ratio_y"), [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5), (1.5, 1.2)])
def test_the_box_is_where_the_face_is_shown(ratio_x: float, ratio_y: float, mirrored: bool) -> None:
    shown = cut(scene(FACE), (50.0, 42.0), (80, 70), ratio_x, ratio_y, mirrored)
    assert shown.pixels.shape == (70, 80, 3)
    assert shown.faces[0].tolist() == pytest.approx(white_box(shown), abs=1.5)


def test_a_piece_may_reach_beyond_the_picture() -> None:
    shown = cut(scene(FACE), (0.0, 0.0), (160, 140), 1.0, 1.0, False)
    assert shown.faces[0].tolist() == pytest.approx([120, 100, 140, 124])
    assert white_box(shown) == [120, 100, 140, 124]


def test_what_is_cut_off_or_too_small_is_left_alone() -> None:
    half_out = cut(scene(FACE), (50.0 + 32, 42.0), (60, 60), 1.0, 1.0, False)
    assert len(half_out.faces) == 0
    assert half_out.doubtful.tolist() == pytest.approx(np.array([[0, 18, 8, 42]]))
    small = cut(scene(FACE), (50.0, 42.0), (60, 60), 0.3, 0.3, False)
    assert len(small.faces) == 0
    assert len(small.doubtful) == 1
    gone = cut(scene(FACE), (110.0, 90.0), (20, 20), 1.0, 1.0, False)
    assert len(gone.faces) == len(gone.doubtful) == 0


def test_the_same_number_gives_the_same_batch_and_another_one_another() -> None:
    scenes = [scene(FACE), scene(FACE, (80, 60, 110, 96), kind=FaceKind.MASKED)]
    one, again = (SceneSampler(scenes, [1.0], 7).batch(3, 4) for _ in range(2))
    for name in one._fields:
        assert np.array_equal(getattr(one, name), getattr(again, name)), name
    other = SceneSampler(scenes, [1.0], 7).batch(4, 4)
    assert not np.array_equal(one.pixels, other.pixels)


def test_a_batch_shows_faces_of_many_sizes_inside_the_scene() -> None:
    sampler = SceneSampler([scene(FACE)], [1.0], 7)
    batch = sampler.batch(0, 64)
    boxes = batch.faces[batch.is_face]
    assert len(boxes) > 64
    assert boxes.min() >= 0
    assert boxes.max() <= SIDE_PX
    sizes = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    assert sizes.min() < 14
    assert sizes.max() > 45


def test_kinds_are_drawn_alike_however_rare() -> None:
    """A hundred masked faces and two bare ones: about as many of each are shown."""
    masked = [scene(FACE, kind=FaceKind.MASKED) for _ in range(100)]
    bare = [scene(FACE, kind=FaceKind.BARE) for _ in range(2)]
    sampler = SceneSampler([*masked, *bare], [1.0], 7)
    rng = np.random.default_rng(1)
    drawn = [sampler._chosen(100, 100, rng)[0] for _ in range(600)]
    share = sum(any(each is one for one in bare) for each in drawn) / len(drawn)
    assert 0.35 < share < 0.6


def test_what_another_detector_finds_is_a_face_doubtful_or_the_labelled_one() -> None:
    labelled = np.array([FACE], np.float32)
    finds: Any = [
        ((41.0, 31.0, 61.0, 55.0), 0.95),  # the labelled face
        ((80.0, 60.0, 100.0, 84.0), 0.9),
        ((0.0, 60.0, 20.0, 84.0), 0.5),
        ((0.0, 0.0, 9.0, 9.0), 0.2),
    ]
    sure, doubtful = with_finds(labelled, finds)
    assert sure.tolist() == [[80, 60, 100, 84]]
    assert doubtful.tolist() == [[0, 60, 20, 84]]
    assert tightened(labelled, finds).tolist() == [[40.5, 30.5, 60.5, 54.5]]


def test_a_face_within_another_box_overlaps_it() -> None:
    large = np.array([[0, 0, 100, 100]], np.float32)
    assert overlaps((10, 10, 30, 30), large)
    assert not overlaps((95, 95, 130, 130), large)
    assert not overlaps((0, 0, 10, 10), NO_BOXES)
