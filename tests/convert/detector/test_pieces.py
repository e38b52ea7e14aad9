from __future__ import annotations

import cv2
import numpy as np
import pytest

from convert.detector.pieces import TrainingPiece, cut, turned
from convert.detector.scenes import NO_BOXES, FaceKind, TrainingScene
from tests.convert.detector.drawn import FACE, WHITE, scene


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


@pytest.mark.parametrize("degrees", [90, -90, 30, -65])
def test_a_turned_face_lies_in_its_box(degrees: int) -> None:
    """A head is an ellipse; of a turned one the box is as tight as before."""
    pixels = np.zeros((100, 120, 3), np.uint8)
    cv2.ellipse(pixels, (50, 42), (10, 14), 0, 0, 360, (WHITE, WHITE, WHITE), -1)
    boxes = np.array([[40, 28, 60.5, 56.5]], np.float32)
    kinds = np.array([FaceKind.BARE])
    upright = TrainingScene(pixels, boxes, kinds, boxes, 0, boxes, np.array([True]))
    other = turned(upright, degrees)
    shown = TrainingPiece(other.pixels, other.faces, NO_BOXES, NO_BOXES)
    assert other.faces[0].tolist() == pytest.approx(white_box(shown), abs=1.5)
    assert other.doubtful.tolist() == other.nothing.tolist() == other.faces.tolist()
    assert (other.kinds.tolist(), other.is_hard) == ([FaceKind.BARE], upright.is_hard)
    if abs(degrees) == 90:
        assert other.pixels.shape == (120, 100, 3)
