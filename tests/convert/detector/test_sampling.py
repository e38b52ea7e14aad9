from __future__ import annotations

from dataclasses import replace

import numpy as np

from convert.detector.sampling import (
    HARD_WEIGHT,
    LARGE_EVERY,
    LARGE_SIDE_PX,
    SIDE_PX,
    SceneSampler,
)
from convert.detector.scenes import FaceKind, TrainingScene
from tests.convert.detector.drawn import FACE, scene


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


def test_some_batches_have_a_few_large_scenes_with_faces_that_fill_them() -> None:
    large = scene((10, 8, 110, 98))
    close = replace(large, pixels=large.pixels.repeat(4, 0).repeat(4, 1), faces=large.faces * 4)
    batch = SceneSampler([close], [1.0], 7).batch(LARGE_EVERY - 1, 64)
    assert batch.pixels.shape == (16, LARGE_SIDE_PX, LARGE_SIDE_PX, 3)
    boxes = batch.faces[batch.is_face]
    assert boxes.max() <= LARGE_SIDE_PX
    sizes = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    assert sizes.max() > 500
    assert sizes.min() < 100


def test_a_face_that_was_not_learned_before_is_shown_more_often() -> None:
    hard, easy = (replace(scene(FACE), is_hard=np.array([each])) for each in (True, False))
    assert _share_of(hard, [hard, easy, easy]) > 0.85 * HARD_WEIGHT / (HARD_WEIGHT + 2)
    assert _share_of(scene(FACE), [easy, easy, easy]) == 0


def _share_of(wanted: TrainingScene, scenes: list[TrainingScene]) -> float:
    rng = np.random.default_rng(1)
    sampler = SceneSampler(scenes, [1.0], 7)
    drawn = [sampler._face(0.0, rng)[0] for _ in range(600)]
    return sum(each.is_hard is wanted.is_hard for each in drawn) / len(drawn)
