from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from edge.capture.rotate import rotated
from edge.classify.card import load_bundle
from edge.config import parse_settings
from edge.decide.identity import EventIds
from edge.detect.detectors import open_detector
from edge.people import frames as drawn_people
from edge.pipeline import open_pipeline
from edge.records import (
    Box,
    Face,
    Frame,
    Pixels,
    Sighting,
    TrackedFace,
    Verdict,
    ViolationState,
)
from edge.upright import CALM_S, CROP_PX, NEEDED, VOTE_EVERY_S, Upright
from tests.clips import pictures_of
from tests.fakes import START, blank, face_at, face_read, frame_at

BARE, MASKED = 0.95, 0.05


class BrightAbove:
    """Finds a face that is bright in its upper half; surer, the brighter that is."""

    sure = 0.78

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        faces = []
        for top in range(0, pixels.shape[0], CROP_PX):
            for left in range(0, pixels.shape[1], CROP_PX):
                crop = pixels[top : top + CROP_PX, left : left + CROP_PX]
                half = CROP_PX // 2
                above = float(crop[:half].mean()) - float(crop[half:].mean())
                box = Box(left + 60, top + 60, left + 100, top + 100)
                faces.append(Face(box, min(1.0, 0.7 + above / 1000)))
        return tuple(faces)


class Nothing:
    """Finds nothing, and counts."""

    sure = 0.78
    asked = 0

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        self.asked += 1
        return ()


class Lying:
    """Finds one face in a picture that is turned by a quarter, when it `lies`, and then again among
    the four positions."""

    sure = 0.78

    def __init__(self, lies: Callable[[int], bool]) -> None:
        self._lies = lies
        self.asked = 0

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        if pixels.shape[:2] == (2 * CROP_PX, 2 * CROP_PX):
            return (face_at(60, 60 + CROP_PX, 40),)
        if pixels.shape[0] <= pixels.shape[1]:
            return ()
        self.asked += 1
        return (face_at(60, 60, 60),) if self._lies(self.asked) else ()


def noisy(picture: Pixels, seed: int) -> Pixels:
    """As a camera by night gives it."""
    noise = np.random.default_rng(seed).normal(0, 12, picture.shape)
    light = 1 + 0.1 * (seed % 3)
    return np.asarray(np.clip(picture * 0.4 * light + noise, 0, 255), np.uint8)


def scene(*people_turned: int, height: int = 360) -> Pixels:
    """A picture of faces of 60 px, one each 200 px, turned by this many quarters."""
    picture = blank(200 * len(people_turned) + 200, height)
    for number, quarters in enumerate(people_turned):
        face = np.full((144, 144, 3), 40, np.uint8)
        face[:72] = 220
        picture[58:202, 58 + 200 * number : 202 + 200 * number] = rotated(face, 90 * quarters)
    return picture


def seen(
    upright: Upright, at_s: float, people: Sequence[tuple[int, int, float | None]]
) -> list[bool]:
    """Show people (id, quarters turned, how bare they look); tell whose look counts."""
    frame = frame_at(at_s, scene(*(quarters for _, quarters, _ in people)))
    sightings = [
        Sighting(
            who,
            face_read(face_at(100 + 200 * place, 100), bare),
            frame.captured_at,
            frame.monotonic_s,
        )
        for place, (who, _, bare) in enumerate(people)
    ]
    held = upright.hold_back(frame, sightings, ())
    assert [each.track_id for each in held] == [who for who, *_ in people]
    return [each.reading.probabilities is not None for each in held]


def test_the_look_at_an_upright_face_counts_at_once() -> None:
    upright = Upright(BrightAbove())
    assert all(seen(upright, n / 10, [(1, 0, BARE)]) == [True] for n in range(100))
    assert upright.rotation_wanted_deg is None
    assert upright.scores == 2


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_what_a_look_at_a_turned_face_says_is_held_back(quarters: int) -> None:
    upright = Upright(BrightAbove())
    assert not any(seen(upright, n / 10, [(1, quarters, BARE)])[0] for n in range(100))


def test_a_turned_face_that_looks_masked_is_not_judged_either() -> None:
    upright = Upright(BrightAbove())
    assert seen(upright, 0.0, [(1, 2, MASKED)]) == [False]
    assert seen(upright, 0.1, [(1, 2, BARE)]) == [False]


@pytest.mark.parametrize(("quarters", "wanted_deg"), [(1, 270), (2, 180), (3, 90)])
def test_one_person_who_is_turned_again_and_again_tells_how_the_camera_hangs(
    quarters: int, wanted_deg: int
) -> None:
    upright = Upright(BrightAbove())
    told = [
        seen(upright, n / 10, [(1, quarters, BARE)]) and upright.rotation_wanted_deg
        for n in range(80)
    ]
    since_s = (NEEDED - 1) * VOTE_EVERY_S
    assert told.index(wanted_deg) / 10 == pytest.approx(since_s, abs=1.1)
    assert set(told) == {None, wanted_deg}


def test_three_people_who_are_turned_tell_it_within_a_second_and_nobody_is_judged() -> None:
    upright = Upright(BrightAbove(), rotation_deg=90)
    people = [(1, 2, BARE), (2, 2, BARE), (3, 2, BARE)]
    for n in range(4):
        assert seen(upright, n / 8, people) == [False] * 3
    assert upright.rotation_wanted_deg == 270
    assert seen(upright, 1.0, [(4, 0, MASKED)]) == [False]


def test_one_who_lies_among_those_who_stand_is_one_who_lies() -> None:
    upright = Upright(BrightAbove())
    people = [(1, 0, MASKED), (2, 0, BARE), (3, 0, BARE), (4, 2, BARE)]
    for n in range(600):
        counts = seen(upright, n / 10, people)
        assert not counts[3]
    assert counts[:3] == [True] * 3
    assert upright.rotation_wanted_deg is None


def upside_down() -> Upright:
    """Return one that has known for a while, at 20 s, that its camera hangs upside down."""
    upright = Upright(BrightAbove())
    for n in range(200):
        seen(upright, n / 10, [(1, 2, BARE)])
    assert upright.rotation_wanted_deg == 180
    return upright


def test_a_camera_that_is_put_right_judges_again() -> None:
    upright = upside_down()
    for n in range(600):
        counts = seen(upright, 20 + n / 10, [(2, 0, BARE)])
    assert upright.rotation_wanted_deg is None
    assert counts == [True]


def test_people_who_look_masked_cost_a_score_each_and_then_one_a_minute() -> None:
    upright = Upright(BrightAbove())
    for n in range(round(10 * CALM_S * 3)):
        seen(upright, n / 10, [(1, 0, MASKED), (2, 0, MASKED)])
    assert upright.scores == 2 + 2


def test_who_has_left_is_forgotten() -> None:
    upright = Upright(BrightAbove())
    for who in range(1000):
        seen(upright, who / 10, [(who, 0, BARE)])
        upright.hold_back(frame_at(who / 10), (), (who,))
    assert not upright._people


def judged(
    pictures: Iterator[Pixels], fps: float, quarters: int
) -> tuple[list[Verdict], int, int | None]:
    """Return what the people of a clip come to, how many violations, and the rotation wanted."""
    tables = {"mqtt": {"host": "none"}, "camera": {"source": "none"}}
    pipeline = open_pipeline(parse_settings(tables, "test"), load_bundle(), EventIds())
    verdicts, violations = [], 0
    decisions = []
    for number, pixels in enumerate(pictures):
        at_s = number / fps
        frame = Frame(number, rotated(pixels, 90 * quarters), START + timedelta(seconds=at_s), at_s)
        decisions.append(pipeline.process(frame).decision)
    for decision in (*decisions, pipeline.finish()):
        verdicts += [visit.verdict for visit in decision.visits]
        violations += sum(v.state is ViolationState.CONFIRMED for v in decision.violations)
    return verdicts, violations, pipeline.rotation_wanted_deg


@pytest.mark.parametrize("turned_deg", [90, 180, 270])
def test_a_camera_that_is_turned_while_it_runs_accuses_nobody_meanwhile(
    shared: Path, turned_deg: int
) -> None:
    # Back and forth, so that nothing but the position jumps; eight pictures a second, and square,
    # so that their size stays.
    pictures = list(pictures_of(shared / "clips/yash_test_no_mask.mp4"))[::3]
    side = min(pictures[0].shape[:2])
    left = (pictures[0].shape[1] - side) // 2
    clip = [np.ascontiguousarray(each[:side, left : left + side]) for each in pictures]
    turned = [rotated(each, turned_deg) for each in (*clip[::-1], *clip, *clip[::-1])]
    shown = [*clip, *turned, *clip]
    tables = {"mqtt": {"host": "none"}, "camera": {"source": "none"}}
    pipeline = open_pipeline(parse_settings(tables, "test"), load_bundle(), EventIds())
    accused, wanted = [], []
    for number, pixels in enumerate(shown):
        at_s = number * 0.12
        frame = Frame(number, pixels, START + timedelta(seconds=at_s), at_s)
        violations = pipeline.process(frame).decision.violations
        is_turned = len(clip) <= number < len(clip) + len(turned)
        accused += [is_turned for each in violations if each.state is ViolationState.CONFIRMED]
        wanted.append(pipeline.rotation_wanted_deg)
    assert accused[:1] == [False]
    assert True not in accused
    last = len(clip) + len(turned) - 1
    assert (wanted[len(clip) - 1], wanted[last]) == (None, 360 - turned_deg)


def track(who: int, place: int) -> TrackedFace:
    return TrackedFace(who, face_at(100 + 200 * place, 100))


def test_a_thing_that_looks_like_a_turned_face_does_not_turn_the_camera() -> None:
    upright = Upright(BrightAbove())
    for n in range(600):
        frame = frame_at(n / 10, noisy(scene(2), n))
        upright.hold_back(frame, (), (), [track(1, 0)])
        upright.search(frame, ())
    assert upright.rotation_wanted_deg is None


def test_beside_a_thing_a_camera_that_is_put_right_judges_again() -> None:
    upright = upside_down()
    for n in range(600):
        frame = frame_at(20 + n / 10, scene(0, 0))
        reading = face_read(face_at(100, 100), BARE)
        person = Sighting(2, reading, frame.captured_at, frame.monotonic_s)
        counts = upright.hold_back(frame, [person], (), [track(3, 1)])
    assert upright.rotation_wanted_deg is None
    assert counts[0].reading.probabilities is not None


def test_a_face_whose_scores_contradict_each_other_does_not_take_everybodys_turn() -> None:
    upright = Upright(BrightAbove())
    for n in range(40):
        # One who nods and a new one who looks masked.
        counts = seen(upright, n / 10, [(1, 2 * (n % 2), BARE), (2, 0, MASKED)])
    assert counts[1]


@pytest.mark.parametrize("lies", [lambda n: True, lambda n: n % 3 > 0])
def test_a_thing_that_is_found_now_and_then_does_not_turn_the_camera(
    lies: Callable[[int], bool],
) -> None:
    finder = Lying(lies)
    upright = Upright(finder)
    for second in range(600):
        upright.search(frame_at(float(second), noisy(scene(1), second)), ())
    assert finder.asked > 10
    assert upright.rotation_wanted_deg is None


def test_whom_the_area_leaves_out_does_not_turn_the_camera() -> None:
    upright, moved = Upright(Lying(lambda n: True)), Upright(Lying(lambda n: True))
    for second in range(60):
        frame = frame_at(float(second), np.roll(scene(1), 60 * (second % 4), axis=1))
        upright.search(frame, (), lambda box: False)
        moved.search(frame, ())
    assert upright.rotation_wanted_deg is None
    assert moved.rotation_wanted_deg is not None


def search_lying(pictures: Sequence[Pixels]) -> int | None:
    """Show pictures, one a second, turned by a quarter, in which no face was found upright."""
    upright = Upright(open_detector())
    for second, pixels in enumerate(pictures):
        upright.search(frame_at(float(second), rotated(pixels, 90)), ())
    return upright.rotation_wanted_deg


def test_people_who_lie_are_searched_for_and_a_thing_that_stays_where_it_is_is_none(
    shared: Path,
) -> None:
    man = list(pictures_of(shared / "clips/yash_test_no_mask.mp4"))[::8]
    assert search_lying(man) == 270
    assert search_lying(man[10:11] * len(man)) is None


def test_searches_for_people_who_lie_become_rare() -> None:
    finder = Nothing()
    upright = Upright(finder)
    for tenth in range(6000):
        upright.search(frame_at(tenth / 10, blank(320, 240)), ())
    assert 15 <= finder.asked <= 40
    asked = finder.asked
    for tenth in range(600):
        frame = frame_at(600 + tenth / 10, blank(320, 240))
        reading = face_read(face_at(100, 100), MASKED)
        upright.search(frame, [Sighting(1, reading, frame.captured_at, frame.monotonic_s)])
    assert finder.asked == asked


def test_drawn_people_are_judged_as_before() -> None:
    verdicts, violations, wanted = judged(drawn_people(40, 10), 10, 0)
    assert (sorted(verdicts), violations, wanted) == (["bare", "masked", "masked"], 1, None)


def test_a_man_in_a_car_is_judged_when_he_sits_and_not_when_he_is_upside_down(
    carphone: Path,
) -> None:
    assert judged(pictures_of(carphone), 25, 0)[:2] == ([Verdict.BARE], 1)
    verdicts, violations, _ = judged(pictures_of(carphone), 25, 2)
    assert (set(verdicts) <= {Verdict.UNKNOWN}, violations) == (True, 0)


@pytest.mark.parametrize(
    ("clip", "verdict"), [("gituatu_mask", Verdict.MASKED), ("yash_test_no_mask", Verdict.BARE)]
)
def test_on_a_camera_upside_down_nobody_is_judged_and_it_is_said(
    shared: Path, clip: str, verdict: Verdict
) -> None:
    path = shared / "clips" / f"{clip}.mp4"
    assert judged(pictures_of(path), 25, 0) == ([verdict], int(verdict is Verdict.BARE), None)
    assert judged(pictures_of(path), 25, 2) == ([Verdict.UNKNOWN], 0, 180)
