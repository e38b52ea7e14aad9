from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.classify.card import load_bundle
from edge.config import parse_settings
from edge.decide.identity import EventIds
from edge.detect.detectors import open_detector
from edge.life import MOST_PLACES, PROPOSED_S, Life
from edge.pipeline import Pipeline, open_pipeline
from edge.pixels import resize
from edge.records import Box, Face, Frame, Pixels, TrackedFace, ViolationState
from tests.clips import pictures_of
from tests.edge.capture.streams import write_video
from tests.fakes import START, frame_at

PLACE = Box(240, 120, 300, 180)
STEP_S = 0.12


def hall(
    noise: np.random.Generator,
    sway: float = 0.0,
    hidden: float = 0.0,
    light: float = 1.0,
    sigma: float = 4.0,
) -> Pixels:
    """A wall with a drawn face at PLACE, moved by so many pixels, partly hidden."""
    picture = np.full((360, 640, 3), 150, np.uint8)
    picture[:, ::40] = 120
    (x, y), size = PLACE.centre, PLACE.width
    at = round((x + sway) * 16), round(y * 16)
    for dx, dy, wide, high, level in (
        (0, 0, 0.5, 0.6, 190),
        (-0.2, -0.1, 0.08, 0.05, 40),
        (0.2, -0.1, 0.08, 0.05, 40),
        (0, 0.3, 0.2, 0.06, 90),
    ):
        centre = round(at[0] + dx * size * 16), round(at[1] + dy * size * 16)
        axes = round(wide * size * 16), round(high * size * 16)
        cv2.ellipse(picture, centre, axes, 0, 0, 360, (level,) * 3, cv2.FILLED, cv2.LINE_AA, 4)
    picture[:, int(PLACE.left) - 40 : int(PLACE.left + hidden * PLACE.width) - 20] = 60
    shown = picture * light + noise.normal(0, sigma, picture.shape)
    return np.clip(shown, 0, 255).astype(np.uint8)


def lifeless(life: Life, pictures: Iterable[Pixels], from_s: float = 0.0) -> list[bool]:
    """Return, look by look, whether the face at PLACE may be a picture."""
    return [
        bool(life.lifeless(frame_at(from_s + n * STEP_S, picture), [tracked()], ()))
        for n, picture in enumerate(pictures)
    ]


def tracked(who: int = 1) -> TrackedFace:
    return TrackedFace(who, Face(PLACE, 0.9))


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("sigma", [1.0, 4.0, 8.0])
def test_a_poster_stays_lifeless_however_noisy_its_picture(
    noise: np.random.Generator, sigma: float
) -> None:
    told = lifeless(Life(), (hall(noise, sigma=sigma) for _ in range(300)))
    assert (told[0], all(told[1:])) == (False, True)


def test_a_poster_in_light_that_changes_is_a_poster(noise: np.random.Generator) -> None:
    assert all(
        lifeless(Life(), (hall(noise, light=1 + 0.2 * np.sin(n / 9)) for n in range(99)))[1:]
    )


def test_who_sways_by_a_tenth_of_the_face_lives_within_three_seconds(
    noise: np.random.Generator,
) -> None:
    told = lifeless(Life(), (hall(noise, 6 * np.sin(n * STEP_S * 1.5)) for n in range(50)))
    assert told.index(False, 1) * STEP_S < 3
    assert not any(told[told.index(False, 1) :])


def test_who_moves_after_having_stood_like_a_statue_lives(noise: np.random.Generator) -> None:
    still = [hall(noise) for _ in range(100)]
    moves = [hall(noise, 6 * np.sin(n * STEP_S * 1.5)) for n in range(50)]
    told = lifeless(Life(), still + moves)
    assert all(told[1:100])
    assert told.index(False, 1) * STEP_S < 100 * STEP_S + 3


def test_who_passes_before_a_poster_does_not_bring_it_to_life(noise: np.random.Generator) -> None:
    # Each time for half a second.
    shown = [hall(noise, hidden=max(0.0, 1 - abs(n % 80 - 40) / 3)) for n in range(240)]
    assert all(lifeless(Life(), shown)[1:])


def test_a_poster_that_comes_out_from_behind_somebody_is_a_poster(
    noise: np.random.Generator,
) -> None:
    shown = [hall(noise, hidden=max(0.0, 0.6 - n / 5)) for n in range(100)]
    assert all(lifeless(Life(), shown)[1:])


def test_of_a_picture_that_stays_the_same_to_the_last_bit_nothing_is_said(
    noise: np.random.Generator,
) -> None:
    assert not any(lifeless(Life(), [hall(noise)] * 400))


def test_a_source_that_repeats_its_picture_for_long_brings_no_poster_to_life(
    noise: np.random.Generator,
) -> None:
    life = Life()
    assert all(lifeless(life, [hall(noise) for _ in range(10)])[1:])
    assert all(lifeless(life, [hall(noise)] * 300, 10 * STEP_S))


def test_its_place_is_proposed_until_it_is_gone(noise: np.random.Generator) -> None:
    life, looks = Life(), round(PROPOSED_S / STEP_S)
    lifeless(life, (hall(noise) for _ in range(looks)))
    assert life.places == ()
    lifeless(life, (hall(noise) for _ in range(9)), looks * STEP_S)
    # The face with a margin, in fractions of the picture.
    corners = ((0.347, 0.283), (0.497, 0.283), (0.497, 0.55), (0.347, 0.55))
    assert life.places == (corners,)
    life.lifeless(frame_at(looks * STEP_S + 9, hall(noise)), [], (1,))
    assert life.places == ()


def test_no_more_places_than_a_few_are_proposed(noise: np.random.Generator) -> None:
    life = Life()
    for n in range(100):
        crowd = [tracked(who) for who in range(30)]
        life.lifeless(frame_at(n, hall(noise)), crowd, ())
    assert len(life.places) == MOST_PLACES


def test_a_poster_behind_one_who_has_left_is_looked_at_again(noise: np.random.Generator) -> None:
    life = Life()
    told = lifeless(life, (hall(noise, 6 * np.sin(n / 5)) for n in range(50)))
    assert not told[-1]
    for n in range(50):
        frame = frame_at(50 * STEP_S + n * STEP_S, hall(noise))
        assert life.lifeless(frame, [tracked()], (), (1,) if n == 0 else ()) == {1}


def test_who_has_left_is_forgotten(noise: np.random.Generator) -> None:
    life = Life()
    for who in range(100):
        life.lifeless(frame_at(who, hall(noise)), [tracked(who)], (who - 1,))
    assert len(life._faces) == 1


def judge() -> Pipeline:
    tables = {"mqtt": {"host": "none"}, "camera": {"source": "none"}}
    return open_pipeline(parse_settings(tables, "test"), load_bundle(), EventIds())


def confirmed(pipeline: Pipeline, pictures: Iterable[Pixels], fps: float = 25) -> list[float]:
    """Return when violations are confirmed, in seconds."""
    found = []
    for number, pixels in enumerate(pictures):
        at_s = number / fps
        frame = Frame(number, pixels, START + timedelta(seconds=at_s), at_s)
        decided = pipeline.process(frame).decision.violations
        found += [at_s for each in decided if each.state is ViolationState.CONFIRMED]
    return found


def compressed(pictures: Iterable[Pixels], clip: Path, quality: int) -> Iterator[Pixels]:
    """Return them as a camera's encoder leaves them."""
    shown = list(pictures)
    times_s = [number / 25 for number in range(len(shown))]
    options = {"preset": "veryfast", "crf": str(quality)}
    write_video(clip, shown, times_s, "mp4", "libx264", options=options, key_every=50)
    return pictures_of(clip)


@pytest.mark.parametrize(("size_px", "sigma", "quality"), [(40, 2, 23), (72, 5, 28)])
def test_a_portrait_on_a_wall_is_not_reported_and_the_man_beside_it_is(
    shared: Path, tmp_path: Path, size_px: int, sigma: float, quality: int
) -> None:
    head = portrait(shared / "data/tensormask/without_mask", size_px)
    high, wide = head.shape[:2]
    noise = np.random.default_rng(1)

    def shown() -> Iterator[Pixels]:
        for picture in pictures_of(shared / "clips/yash_test_no_mask.mp4"):
            room = np.hstack((picture, np.full_like(picture, 150)))
            room[100 : 100 + high, 800 : 800 + wide] = head
            yield np.clip(room + noise.normal(0, sigma, room.shape), 0, 255).astype(np.uint8)

    pipeline = judge()
    assert len(confirmed(pipeline, compressed(shown(), tmp_path / "room.mp4", quality))) == 1
    # The man has been seen, and so has the portrait.
    assert len(pipeline.tracker.expected(7.7)) == 2


def portrait(folder: Path, size_px: int) -> Pixels:
    """Return a face that is found surely and judged bare, with its surroundings."""
    detector = open_detector("auto", "", None, None)
    for path in sorted(folder.iterdir()):
        read = cv2.imread(str(path))
        if read is None or max(read.shape) < 300:
            continue
        picture = np.asarray(read, np.uint8)
        faces = detector.find(picture)
        if len(faces) == 1 and faces[0].confidence > 0.9 and faces[0].box.size_px > 100:
            around = faces[0].box.grown(0.5).clipped(picture.shape[1], picture.shape[0])
            assert around is not None
            left, top, right, bottom = map(int, around.sides)
            ratio = size_px / faces[0].box.size_px
            wide, high = round((right - left) * ratio), round((bottom - top) * ratio)
            return resize(picture[top:bottom, left:right], (wide, high))
    raise AssertionError("no such portrait")
