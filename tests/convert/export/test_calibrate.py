from __future__ import annotations

import numpy as np
import pytest

from convert.data.augment import View
from convert.data.dataset import Picture
from convert.export.calibrate import calibration_crops, choose_pictures
from edge.errors import ConfigError
from tests.convert.pictures import draw_face, face_box

PICTURES = [Picture(f"{i}.png", int(i % 5 == 0), f"{i:064d}") for i in range(100)]


def test_both_classes_are_chosen_alike() -> None:
    chosen = choose_pictures(PICTURES, 30, 1)
    assert len(set(chosen)) == 30
    assert sum(PICTURES[place].label for place in chosen) == 15


def test_a_seed_decides_the_choice() -> None:
    assert choose_pictures(PICTURES, 30, 1) == choose_pictures(PICTURES, 30, 1)
    assert choose_pictures(PICTURES, 30, 1) != choose_pictures(PICTURES, 30, 2)


def test_too_few_pictures_of_a_class_are_an_error_that_gives_the_limit() -> None:
    with pytest.raises(ConfigError, match=r"30 training pictures of without_mask.*--pictures 40"):
        choose_pictures(PICTURES, 60, 1)


def test_every_other_face_is_seen_from_afar() -> None:
    view = View(draw_face(0, 1, 200), face_box(200))
    crops = calibration_crops([view] * 4, 48, 1)
    near = view.crop(48)
    assert [np.array_equal(crop, near) for crop in crops] == [True, False, True, False]
