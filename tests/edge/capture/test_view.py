from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.capture.clip import Clip
from edge.capture.view import PATIENCE_S, Repetition, Standstill, ViewWatch, view_of
from edge.config import CameraSettings
from edge.records import Pixels
from edge.telemetry import CameraView
from tests.edge.capture.streams import write_video
from tests.fakes import blank, frame_at

CLEAR, DARK, BLINDED, COVERED = CameraView


def noisy(pixels: NDArray[Any], sigma: float = 3.0, seed: int = 1) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, sigma, pixels.shape)
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)


def pictures_of(clip: Path, every: int = 10) -> Iterator[Pixels]:
    media = Clip(clip, CameraSettings())
    number = 0
    while media.advance() is not None:
        if number % every == 0 and (pixels := media.pixels()) is not None:
            yield pixels
        number += 1
    media.close()


@pytest.fixture(params=["carphone", "gituatu_mask", "yash_test_no_mask", "dishadtu_mask3"])
def clip(request: pytest.FixtureRequest) -> Path:
    """A real clip: by day, before a bright window, before a white wall, upright with bars."""
    if request.param == "carphone":
        carphone: Path = request.getfixturevalue("carphone")
        return carphone
    shared: Path = request.getfixturevalue("shared")
    return shared / "clips" / f"{request.param}.mp4"


def test_real_clips_are_clear(clip: Path) -> None:
    assert {view_of(picture) for picture in pictures_of(clip)} == {CLEAR}


def test_a_real_clip_is_clear_in_weak_light_and_dark_without(clip: Path) -> None:
    pictures = list(pictures_of(clip, 30))
    assert {view_of(noisy(picture * 0.15)) for picture in pictures} == {CLEAR}
    assert {view_of(noisy(picture * 0.05)) for picture in pictures} == {DARK}


def test_a_lens_with_something_on_it_is_covered(clip: Path) -> None:
    """Whatever touches the lens is out of focus, by a good part of the picture."""
    for picture in pictures_of(clip, 30):
        small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(small, (0, 0), max(small.shape) / 8)
        assert view_of(noisy(np.asarray(blurred))) is COVERED


def test_every_street_picture_is_clear(shared: Path) -> None:
    files = sorted((shared / "data" / "street" / "images").iterdir())[::8]
    assert len(files) > 50
    read = {file.name: np.asarray(cv2.imread(str(file)), np.uint8) for file in files}
    unclear = [name for name, picture in read.items() if view_of(picture) is not CLEAR]
    assert unclear == []


@pytest.mark.parametrize(("grey", "view"), [(0, DARK), (10, DARK), (120, COVERED), (252, BLINDED)])
def test_a_picture_of_one_grey_shows_nothing(grey: int, view: CameraView) -> None:
    for sigma in (0, 3, 12):
        assert view_of(noisy(blank(1280, 720, grey), sigma)) is view


def test_a_hand_over_the_lens_has_light_but_no_edges() -> None:
    across = np.linspace(5, 120, 1280)[None, :, None]
    assert view_of(noisy(np.broadcast_to(across, (720, 1280, 3)))) is COVERED


def white_wall() -> Pixels:
    return blank(1280, 720, 200)


def wall_with_a_person() -> Pixels:
    picture = white_wall()
    cv2.rectangle(picture, (600, 400), (660, 560), (60, 60, 80), -1)
    cv2.circle(picture, (630, 385), 20, (120, 140, 180), -1)
    return picture


def wall_with_a_floor() -> Pixels:
    picture = white_wall()
    picture[560:] = 150
    return picture


def lamp_in_the_night() -> Pixels:
    picture = blank(1280, 720, 4)
    cv2.circle(picture, (900, 120), 30, (255, 255, 255), -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 8), np.uint8)


def lamp_that_lights_somebody() -> Pixels:
    picture = lamp_in_the_night()
    picture[400:, 500:1200] += 50
    cv2.rectangle(picture, (800, 420), (840, 600), (20, 20, 20), -1)
    return picture


def time_written_on_a_covered_lens() -> Pixels:
    picture = blank(1280, 720, 60)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, "2026-11-23 14:03:21", (30, 60), font, 1.6, (255, 255, 255), 3)
    cv2.putText(picture, "Camera 01", (1000, 690), font, 1.4, (255, 255, 255), 3)
    return picture


@pytest.mark.parametrize(
    ("scene", "view"),
    [
        (wall_with_a_person, CLEAR),
        (wall_with_a_floor, CLEAR),
        (lamp_in_the_night, DARK),
        (lamp_that_lights_somebody, CLEAR),
        (time_written_on_a_covered_lens, COVERED),
    ],
)
def test_odd_scenes(scene: Callable[[], Pixels], view: CameraView) -> None:
    assert view_of(noisy(scene())) is view


@pytest.mark.parametrize("size", [(1, 1), (9, 200), (200, 9), (64, 64), (4608, 2592)])
def test_any_size_can_be_judged(size: tuple[int, int]) -> None:
    assert view_of(blank(*size)) is COVERED


def watched(grey_at: Callable[[float], int], seconds: float) -> list[tuple[float, CameraView]]:
    """Return when the view changed, and to what."""
    watch, changes = ViewWatch(), []
    for number in range(round(seconds * 10)):
        at_s = number / 10
        grey = grey_at(at_s)
        picture = wall_with_a_floor() if grey < 0 else blank(grey=grey)
        if watch.look(frame_at(at_s, picture)):
            changes.append((at_s, watch.view))
    return changes


def test_what_passes_quickly_changes_nothing() -> None:
    assert watched(lambda at_s: 0 if 5 <= at_s < 8.9 else -1, 15) == []


def test_what_lasts_is_reported_within_five_seconds_and_once() -> None:
    changes = watched(lambda at_s: (0 if at_s < 15 else 120) if 5 <= at_s < 25 else -1, 35)
    assert changes == [(5 + PATIENCE_S, DARK), (25 + PATIENCE_S, CLEAR)]


def test_the_small_stream_is_looked_at_where_there_is_one() -> None:
    watch = ViewWatch()
    for number in range(10):
        watch.look(frame_at(number, wall_with_a_floor(), lores=blank(640, 360, 0)))
    assert watch.view is DARK


def exposure(number: int) -> Pixels:
    return noisy(wall_with_a_floor()[::4, ::4], 1, number)


def test_a_picture_is_known_again_by_its_noise() -> None:
    repetition = Repetition()
    repeated = [repetition.is_repeated(exposure(number)) for number in (1, 2, 2, 2, 3)]
    assert repeated == [False, False, True, True, False]


def test_a_camera_may_use_one_buffer_for_all_its_pictures() -> None:
    repetition = Repetition()
    buffer = exposure(1)
    repetition.is_repeated(buffer)
    buffer[:] = exposure(2)
    assert not repetition.is_repeated(buffer)


def decoded(pictures: list[Pixels], codec: str, **options: str) -> list[Pixels]:
    """Encode two pictures a second as a camera that saves bits does, and decode them again."""
    file = io.BytesIO()
    times_s = [number / 2 for number in range(len(pictures))]
    write_video(file, pictures, times_s, "matroska", codec, key_every=8, options=options)
    file.seek(0)
    with av.open(file, "r") as container:
        shown = container.decode(container.streams.video[0])
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in shown]


def becomes_frozen(pictures: Iterable[Pixels]) -> list[bool]:
    """Tell after each picture, of which two a second come, whether that is frozen after 20 s."""
    standstill, frozen = Standstill(20.0), []
    for number, picture in enumerate(pictures):
        standstill.look(picture, number / 2)
        frozen.append(standstill.is_frozen)
    return frozen


def room() -> Pixels:
    picture = blank()
    picture[:, ::40] = 20
    picture[::40] = 200
    return picture


@lru_cache(128)
def exposed_room(number: int) -> Pixels:
    """As a sensor gives it: with another noise for each number."""
    return noisy(room(), seed=number)


def with_walker(number: int) -> Pixels:
    picture = room()
    left = 7 * number % 600
    picture[100:340, left : left + 40] = 60
    return picture


CODECS = [("mjpeg", {}), ("mpeg4", {"b": "300000"}), ("libx264", {"crf": "33", "preset": "fast"})]


@pytest.mark.parametrize(("codec", "options"), CODECS)
def test_a_sensor_s_picture_that_stands_still_is_frozen_through_every_encoder(
    codec: str, options: dict[str, str]
) -> None:
    alive = decoded([exposed_room(seed) for seed in range(340)], codec, **options)
    frozen = becomes_frozen([*alive[:300], *[alive[299]] * 60, *alive[300:]])
    assert frozen.index(True) == pytest.approx(340, abs=2)
    assert frozen[360:].index(False) == pytest.approx(5, abs=8)
    assert not any(frozen[375:])


@pytest.mark.parametrize(("codec", "options"), CODECS)
def test_an_empty_room_that_is_drawn_is_not_frozen(codec: str, options: dict[str, str]) -> None:
    drawn = [with_walker(number) for number in range(140)] + [room()] * 100
    assert not any(becomes_frozen(decoded(drawn, codec, **options)))


@pytest.mark.parametrize("every_s", [2, 8, 40])
def test_what_was_frozen_is_alive_where_an_encoder_repeats_its_quiet_picture(every_s: int) -> None:
    """Every key picture shows the noise, and nothing changes in between."""
    stuck = [exposed_room(min(number, 99)) for number in range(400)]
    quiet = [exposed_room(1000 + number // (2 * every_s)) for number in range(8 * every_s)]
    frozen = becomes_frozen([*stuck, *quiet])
    assert frozen[399]
    assert frozen[400:].index(False) == pytest.approx(2 * 2 * every_s, abs=2)
    assert not any(frozen[402 + 4 * every_s :])


@pytest.mark.parametrize("grey", [0, 120, 255])
def test_what_was_frozen_and_then_shows_nothing_is_alive(grey: int) -> None:
    """A camera that was restarted in the dark may have no noise."""
    stuck = [exposed_room(min(number, 99)) for number in range(400)]
    frozen = becomes_frozen([*stuck, *[blank(grey=grey)] * 100])
    assert frozen[399]
    assert frozen[400:].index(False) <= 8
    assert not any(frozen[408:])


def test_what_is_frozen_stays_so_however_often_it_is_opened() -> None:
    """Each opening may begin with a gray picture, and encode the frozen one differently."""
    stuck = [exposed_room(min(number, 99)) for number in range(400)]
    opening = [blank(grey=120)] * 2 + [exposed_room(1000)] * 200
    assert all(becomes_frozen([*stuck, *opening * 4])[399:])


def test_a_picture_that_all_changes_now_and_then_is_not_frozen() -> None:
    """Drawn pictures, one after the other, each for a while."""
    slides = [exposed_room(number // 20) for number in range(300)]
    assert not any(becomes_frozen([*slides, *[slides[-1]] * 100]))


def test_a_night_that_swallows_the_noise_is_not_frozen() -> None:
    evening = [exposed_room(seed) for seed in range(100)]
    assert not any(becomes_frozen([*evening, *[blank(grey=0)] * 100]))


def test_a_picture_that_an_encoder_repeats_for_some_seconds_is_not_frozen() -> None:
    quiet = [exposed_room(number // 20) for number in range(1000)]
    assert not any(becomes_frozen(quiet))
