from __future__ import annotations

import pytest

from edge.records import Box


def test_a_box_knows_its_geometry() -> None:
    box = Box(10, 20, 40, 100)
    assert (box.width, box.height, box.area) == (30, 80, 2400)
    assert box.centre == (25, 60)
    assert box.size_px == pytest.approx(48.99, abs=0.01)


@pytest.mark.parametrize(
    "sides", [(0, 0, 0, 5), (5, 0, 4, 5), (0, 0, float("nan"), 5), (0, 0, float("inf"), 5)]
)
def test_a_box_without_area_is_refused(sides: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="a box needs an area"):
        Box(*sides)


def test_iou_is_the_shared_part() -> None:
    assert Box(0, 0, 10, 10).iou(Box(0, 0, 10, 10)) == 1
    assert Box(0, 0, 10, 10).iou(Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert Box(0, 0, 10, 10).iou(Box(10, 0, 20, 10)) == 0


def test_clipping_keeps_what_lies_inside() -> None:
    assert Box(-5, -5, 5, 5).clipped(100, 50) == Box(0, 0, 5, 5)
    assert Box(90, 40, 200, 200).clipped(100, 50) == Box(90, 40, 100, 50)
    assert Box(100, 0, 120, 20).clipped(100, 50) is None


def test_scaling_and_moving() -> None:
    assert Box(1, 2, 3, 4).scaled(2, 10) == Box(2, 20, 6, 40)
    assert Box(1, 2, 3, 4).moved(10, -2) == Box(11, 0, 13, 2)
