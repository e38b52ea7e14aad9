"""The people with which the eyes are measured are few at a time, and of every size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from convert.data.dataset import Picture
from convert.data.voc import BoxedPicture, LabelledFace
from edge.classify.card import MASKED
from edge.records import Box
from tools.doors import DOOR_PEOPLE, SMALLEST_PX, ShownPicture, at_doors, distinct


def picture(number: int, faces: int, folder: Path = Path()) -> BoxedPicture:
    boxes = (Box(10 + 200 * each, 10, 170 + 200 * each, 170) for each in range(faces))
    return BoxedPicture(
        Picture(f"{number}.png", MASKED, f"{number:064d}"),
        tuple(LabelledFace(box, MASKED) for box in boxes),
        folder=folder,
    )


def test_everybody_but_crowds_is_shown_once_and_few_at_a_time() -> None:
    pictures = [picture(number, number % 14) for number in range(100)]
    (scenes,) = at_doors([pictures], 4)
    shown = [each for scene in scenes for each in scene]
    assert {each.picture.picture.path for each in shown} == {
        each.picture.path for each in pictures if 0 < len(each.faces) <= DOOR_PEOPLE
    }
    assert len(shown) == len({each.picture.picture.path for each in shown})
    assert all(len(scene) <= 4 for scene in scenes)
    assert all(sum(each.people for each in scene) <= DOOR_PEOPLE for scene in scenes)
    sizes = [each.smallest_px for each in shown]
    assert max(map(sizes.count, SMALLEST_PX)) - min(map(sizes.count, SMALLEST_PX)) <= 1


def test_near_faces_are_shown_smaller_and_far_ones_never_larger() -> None:
    face_of_160 = picture(0, 1)
    assert ShownPicture(face_of_160).ratio(0.8) == 0.8
    assert ShownPicture(face_of_160, 40.0).ratio(0.8) == 0.25
    assert ShownPicture(face_of_160, 40.0).ratio(0.1) == 0.1


def test_a_photograph_that_is_there_twice_is_shown_once(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    first, other = (
        cv2.resize(random.integers(0, 256, (24, 24, 3), np.uint8), (240, 240)) for _ in range(2)
    )
    brighter = cv2.convertScaleAbs(first, alpha=0.9, beta=10)
    for number, pixels in enumerate((first, brighter, other)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
    one, copy, stranger = (picture(number, 1, tmp_path) for number in range(3))
    assert distinct([[one], [copy, stranger]]) == [[one], [stranger]]
