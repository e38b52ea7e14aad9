from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.decide.policy import Standing
from edge.page.scene import judge_picture, words
from edge.records import MaskState
from tests.fakes import blank

KNOWN = Standing(1, MaskState.BARE, 0.97, 0.6, 1.0, 3, 3, is_told=False)


def standing(**changed: object) -> Standing:
    fields = {name: getattr(KNOWN, name) for name in Standing.__slots__}
    return Standing(**(fields | changed))


@pytest.mark.parametrize(
    ("known", "size_px", "text"),
    [
        (KNOWN, 34.2, "no mask 97%, 34 px: for 0.6 of 1.0 s"),
        (standing(wrong_for_s=1.4), 34, "no mask 97%, 34 px: for 1.4 s, not sure enough yet"),
        (standing(is_told=True), 34, "no mask 97%, 34 px: told"),
        (standing(state=MaskState.MASKED, confirm_s=0.0), 50, "mask 97%, 50 px"),
        (standing(state=None, confirm_s=0.0), 50, "not known yet, 50 px"),
        (
            standing(state=None, confirm_s=0.0),
            17,
            "not known yet, 17 px: too small, judged from 20 px on",
        ),
    ],
)
def test_a_person_is_told_in_words(known: Standing, size_px: float, text: str) -> None:
    assert words(known, size_px, 20) == text


def test_a_picture_that_is_out_of_focus_is_less_sharp_in_any_light() -> None:
    draw = np.random.default_rng(1)
    sharp = draw.integers(0, 255, (720, 1280, 3), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3), np.uint8)
    pictures = [sharp, sharp // 3, blurred, blurred // 3]
    figures = [judge_picture(np.asarray(each, np.uint8)).sharpness for each in pictures]
    assert min(figures[:2]) > 5 * max(figures[2:])
    assert figures[0] == pytest.approx(figures[1], rel=0.1)


@pytest.mark.parametrize(
    ("grey", "text"),
    [(5, "dark"), (30, "dim"), (120, "good"), (220, "very bright"), (250, "glaring")],
)
def test_light_is_told_in_words(grey: int, text: str) -> None:
    picture = judge_picture(blank(grey=grey))
    assert picture.light_text.startswith(text)
    assert picture.light == round(grey / 2.55)
    assert picture.sharpness == 0
