import numpy as np
import pytest

from edge.capture.rotate import rotated
from tests.edge.capture.fakes import scene


@pytest.mark.parametrize(("clockwise_deg", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_pictures_turn_clockwise_and_stay_contiguous(clockwise_deg: int, turns: int) -> None:
    turned = rotated(scene(), clockwise_deg)
    assert np.array_equal(turned, np.rot90(scene(), turns))
    assert turned.flags.c_contiguous


def test_a_picture_that_is_upright_is_not_copied() -> None:
    pixels = scene()
    assert rotated(pixels, 0) is pixels
