from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.config import ClassifierSettings
from edge.decide.policy import Decision, Standing
from edge.page.scene import LINGER_S, OUTSIDE_S, InSight, Place, judge_picture, words
from edge.pipeline import Outcome
from edge.records import Face, MaskState
from edge.telemetry import CameraView
from tests.fakes import blank, face_at, frame_at

KNOWN = Standing(1, MaskState.BARE, 0.97, 0.6, 1.0, 3, 3, is_told=False)


def standing(**changed: object) -> Standing:
    fields = {name: getattr(KNOWN, name) for name in Standing.__slots__}
    return Standing(**(fields | changed))


@pytest.mark.parametrize(
    ("known", "size_px", "label", "note"),
    [
        (KNOWN, 34.2, "No mask 97 %", "for 0.6 of 1.0 s"),
        (standing(wrong_for_s=1.4), 34, "No mask 97 %", "for 1.4 s, not sure enough yet"),
        (standing(is_told=True), 34, "No mask 97 %", "reported"),
        (standing(state=MaskState.MASKED, confirm_s=0.0), 50, "Mask 97 %", ""),
        (standing(state=None, confirm_s=0.0), 50, "Not known yet", ""),
        (
            standing(state=None, confirm_s=0.0),
            19.7,
            "Not known yet",
            "too small to judge: 19 px, 20 px needed",
        ),
    ],
)
def test_a_person_is_described_in_words(
    known: Standing, size_px: float, label: str, note: str
) -> None:
    assert words(known, size_px, 20) == (label, note)


def test_a_picture_that_is_out_of_focus_is_less_sharp_in_any_light() -> None:
    draw = np.random.default_rng(1)
    sharp = draw.integers(0, 255, (720, 1280, 3), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3), np.uint8)
    pictures = [sharp, sharp // 3, blurred, blurred // 3]
    figures = [judge_picture(np.asarray(each, np.uint8)).sharpness for each in pictures]
    assert min(figures[:2]) > 5 * max(figures[2:])
    assert figures[0] == pytest.approx(figures[1], rel=0.1)


@pytest.mark.parametrize(
    ("grey", "text"), [(30, "dim"), (120, "good"), (220, "very bright"), (250, "glaring")]
)
def test_light_is_described_in_words(grey: int, text: str) -> None:
    picture = judge_picture(blank(grey=grey))
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
    assert judge_picture(noise).sharpness > 100, "noise looks sharp"
    picture = judge_picture(noise, view)
    assert (picture.sharpness, picture.light_text, picture.view) == (0, text, view)


def outcome(*outside: Face) -> Outcome:
    return Outcome((), Decision(), (), outside)


UNSCANNED = Outcome((), Decision())


def test_who_is_outside_the_area_is_shown_until_a_scan_says_otherwise() -> None:
    seen = InSight(ClassifierSettings())
    seen.note(frame_at(0), outcome(face_at(64, 36, 64)))
    seen.note(frame_at(3), UNSCANNED)
    assert seen.outside == (Place(0.1, 0.1, 0.1, 64 / 360),)
    assert seen.boxes == (face_at(64, 36, 64).box,)
    seen.note(frame_at(4), outcome())
    assert seen.outside == ()


def lefts(seen: InSight) -> list[float]:
    """Where boxes outside the area begin, in pixels."""
    return [round(640 * each.left) for each in seen.outside]


def test_who_is_outside_the_area_does_not_vanish_where_a_scan_misses_them() -> None:
    seen = InSight(ClassifierSettings())
    seen.note(frame_at(0), outcome(face_at(64, 36, 32), face_at(110, 36, 32)))
    seen.note(frame_at(0.5), outcome(face_at(110, 36, 32)))
    assert lefts(seen) == [110, 64]
    seen.note(frame_at(1), outcome(face_at(64, 36, 32)))
    assert lefts(seen) == [64, 110]
    for at_s in (1.5, 2.0, 2.5):
        seen.note(frame_at(at_s), outcome())
    assert lefts(seen) == []


def test_who_walks_outside_the_area_has_one_box_and_keeps_it_between_two_scans() -> None:
    """The picture where they were found is another one from then on."""
    seen = InSight(ClassifierSettings())
    for number in range(20):
        left = 40 + 20 * number
        picture = blank(grey=40)
        picture[36:68, left : left + 32] = 220
        found = outcome(face_at(left, 36, 32)) if number % 5 == 0 else UNSCANNED
        seen.note(frame_at(number / 10, picture), found)
        assert lefts(seen) == [left - 20 * (number % 5)]


def test_who_has_gone_from_outside_the_area_is_not_shown_where_another_picture_is() -> None:
    seen = InSight(ClassifierSettings())
    seen.note(frame_at(0), outcome(face_at(64, 36, 64), face_at(400, 36, 64)))
    moved = blank()
    moved[:, :200] = 200
    seen.note(frame_at(LINGER_S, moved), UNSCANNED)
    assert lefts(seen) == [400]
    seen.note(frame_at(OUTSIDE_S + 0.1), UNSCANNED)
    assert seen.outside == ()
