from __future__ import annotations

import pytest

from edge.detect.area import Area

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
RIGHT = ((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0))
POSTER = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.3), (0.1, 0.3))


@pytest.mark.parametrize(
    ("area", "point", "counts"),
    [
        (Area(), (0.5, 0.5), True),
        (Area([LEFT]), (0.2, 0.9), True),
        (Area([LEFT]), (0.55, 0.9), False),
        (Area([LEFT, RIGHT]), (0.9, 0.9), True),
        (Area([LEFT, RIGHT]), (0.55, 0.9), False),
        (Area((), [POSTER]), (0.2, 0.2), False),
        (Area((), [POSTER]), (0.9, 0.2), True),
        (Area([LEFT], [POSTER]), (0.2, 0.2), False),
    ],
)
def test_a_face_counts_in_any_region_and_in_no_part_that_is_left_out(
    area: Area, point: tuple[float, float], counts: bool
) -> None:
    assert area.holds(*point) is counts


def test_the_bounds_go_around_all_regions() -> None:
    assert Area().bounds is None
    assert Area((), [POSTER]).bounds is None
    assert Area([LEFT]).bounds == (0.0, 0.0, 0.5, 1.0)
    assert Area([POSTER, RIGHT]).bounds == pytest.approx((0.1, 0.0, 1.0, 1.0))


def test_an_area_without_a_point_is_empty() -> None:
    assert Area([LEFT], [LEFT]).is_empty
    assert not Area([LEFT], [POSTER]).is_empty
    assert not Area().is_empty
