from __future__ import annotations

import pytest

from edge.config import ClassifierSettings
from edge.decide.policy import Decision, Standing
from edge.page.scene import LINGER_S, OUTSIDE_S, InSight, ShownPlace, words
from edge.pipeline import FrameOutcome
from edge.records import Face, MaskState, TrackedFace
from tests.fakes import blank, face_at, frame_at

KNOWN = Standing(1, MaskState.BARE, 0.97, 0.6, 1.0, 3, 3, is_reported=False)


def standing(**changed: object) -> Standing:
    fields = {name: getattr(KNOWN, name) for name in Standing.__slots__}
    return Standing(**(fields | changed))


@pytest.mark.parametrize(
    ("known", "size_px", "label", "note"),
    [
        (KNOWN, 34.2, "No mask 97 %", "for 0.6 of 1.0 s"),
        (standing(wrong_for_s=1.4), 34, "No mask 97 %", "for 1.4 s, not sure enough yet"),
        (standing(is_reported=True), 34, "No mask 97 %", "reported"),
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


def outcome(*outside: Face) -> FrameOutcome:
    return FrameOutcome((), Decision(), (), outside)


UNSCANNED = FrameOutcome((), Decision())


def test_who_is_outside_the_area_is_shown_until_a_scan_says_otherwise() -> None:
    seen = InSight(ClassifierSettings())
    seen.note(frame_at(0), outcome(face_at(64, 36, 64)))
    seen.note(frame_at(3), UNSCANNED)
    assert seen.outside == (ShownPlace(0.1, 0.1, 0.1, 64 / 360),)
    assert seen.boxes == (face_at(64, 36, 64).box,)
    seen.note(frame_at(4), outcome())
    assert seen.outside == ()


def test_what_the_classifier_calls_nobody_is_not_shown_and_is_covered() -> None:
    seen = InSight(ClassifierSettings())
    face = face_at(64, 36, 64)
    seen.note(frame_at(0), FrameOutcome((), Decision(), denied=(TrackedFace(1, face),)))
    assert (seen.people, seen.boxes) == ((), (face.box,))
    seen.note(frame_at(1), UNSCANNED)
    assert seen.boxes == (face.box,)
    seen.note(frame_at(9), UNSCANNED)
    assert seen.boxes == ()


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
