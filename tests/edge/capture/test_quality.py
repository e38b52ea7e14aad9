from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.capture.quality import quality_of
from edge.telemetry import CameraView
from tests.fakes import blank


def test_a_picture_that_is_out_of_focus_is_less_sharp_in_any_light() -> None:
    draw = np.random.default_rng(1)
    sharp = draw.integers(0, 255, (720, 1280, 3), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3), np.uint8)
    pictures = [sharp, sharp // 3, blurred, blurred // 3]
    figures = [quality_of(np.asarray(each, np.uint8)).sharpness for each in pictures]
    assert min(figures[:2]) > 5 * max(figures[2:])
    assert figures[0] == pytest.approx(figures[1], rel=0.1)


@pytest.mark.parametrize(
    ("grey", "text"), [(30, "dim"), (120, "good"), (220, "very bright"), (250, "glaring")]
)
def test_light_is_described_in_words(grey: int, text: str) -> None:
    picture = quality_of(blank(grey=grey))
    assert (picture.light_text, picture.light) == (text, round(grey / 2.55))
    assert picture.sharpness == 0


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (CameraView.COVERED, "covered"),
        (CameraView.DARK, "too dark"),
        (CameraView.BLINDED, "blinded"),
    ],
)
def test_a_picture_that_shows_nothing_is_neither_sharp_nor_well_lit(
    view: CameraView, text: str
) -> None:
    noise = np.random.default_rng(1).integers(90, 110, (720, 1280, 3), np.uint8)
    assert quality_of(noise).sharpness > 100, "noise looks sharp"
    picture = quality_of(noise, view)
    assert (picture.sharpness, picture.light_text, picture.view) == (0, text, view)
