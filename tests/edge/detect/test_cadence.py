from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from edge.config import DetectorSettings, TrackerSettings
from edge.detect.cadence import PacedDetection, changes, glimpse_of, has_moved
from edge.detect.detection import FaceDetection
from edge.plan import FULL, SPARING, THOROUGH, USUAL, SeeingPlan
from edge.records import Face, Pixels
from edge.track import Tracker
from tests.fakes import FixedDetector, blank, face_at, frame_at

FPS = 25
Scene = Callable[[int], Pixels]


def scans(
    scene: Scene,
    faces: list[Face],
    seconds: float = 6.0,
    fps: float = FPS,
    plan: SeeingPlan = USUAL,
    **settings: Any,
) -> tuple[list[float], list[tuple[int, int]]]:
    """Return when the detector was asked, and in what size."""
    detector = FixedDetector(faces)
    chosen = DetectorSettings(**settings)
    paced = PacedDetection(FaceDetection(detector, chosen), chosen)
    paced.plan = plan
    times: list[float] = []
    for number in range(round(seconds * fps)):
        before = paced.scans
        paced.detect(frame_at(number / fps, scene(number)))
        if paced.scans > before:
            times.append(number / fps)
    assert paced.scans == len(detector.shown)
    return times, detector.shown


def still(number: int) -> Pixels:
    return blank()


def walking(number: int, size: int = 60) -> Pixels:
    """Somebody dark in front of a gray wall, from left to right."""
    picture = blank()
    left = 4 * number % 500
    picture[150 : 150 + size, left : left + size] = 60
    return picture


def test_where_nothing_moves_and_nobody_is_hardly_anything_runs() -> None:
    times, _ = scans(still, [], seconds=11)
    assert times == [0, 5, 10]


def test_where_something_moves_scans_keep_the_pace() -> None:
    times, _ = scans(walking, [face_at(100, 100)])
    assert times == pytest.approx([0.12 * n for n in range(50)])
    times, _ = scans(walking, [face_at(100, 100)], fps=15)
    assert np.diff(times) == pytest.approx(2 / 15)


def test_what_moves_outside_the_region_is_nothing() -> None:
    above = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.25))  # the walker is below
    assert scans(walking, [], seconds=11, region=above)[0] == [0, 5, 10]
    beside = ((0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0))
    assert len(scans(walking, [], seconds=11, region=beside)[0]) > 3


def test_nobody_is_searched_for_at_half_the_pace_in_full_size() -> None:
    times, shown = scans(walking, [])
    assert times == pytest.approx([0.24 * n for n in range(25)])
    assert set(shown) == {(640, 360)}


def kinds(
    scene: Scene,
    faces: list[Face],
    size: tuple[int, int] = (640, 360),
    plan: SeeingPlan = USUAL,
) -> str:
    """Return what three seconds of scans were: f(ull), q(uick), c(lose-up)."""
    settings = DetectorSettings()
    paced = PacedDetection(FaceDetection(FixedDetector(faces), settings), settings)
    paced.plan = plan
    done = ""
    for number in range(3 * FPS):
        before = paced.full_scans, paced.quick_scans, paced.close_ups
        pixels = np.asarray(cv2.resize(scene(number), size), np.uint8)
        paced.detect(frame_at(number / FPS, pixels))
        after = paced.full_scans, paced.quick_scans, paced.close_ups
        done += "".join(kind * (b - a) for kind, a, b in zip("fqc", before, after, strict=True))
    return done


def test_every_other_search_is_a_close_up_of_what_moves() -> None:
    assert kinds(walking, []) == "fcfcfcfcfcfcf"
    assert kinds(walking, [], (1280, 720)) == "fcfcfcfcfcfcf"


def test_people_too_far_away_for_the_full_picture_are_followed_in_close_ups() -> None:
    # 40 px in 1280 are 20 px in the full picture.
    far, near = face_at(200, 100, 20), face_at(200, 100, 40)
    assert kinds(walking, [far], (1280, 720)) == "fc" * 12 + "f"
    assert kinds(walking, [near]) == "f" * 25
    assert kinds(still, [far], (1280, 720)) == "fcfcfc"


def test_a_movement_of_one_frame_is_answered_by_a_scan_of_the_whole_too() -> None:
    # As when the person who hid somebody has passed.
    times, _ = scans(lambda number: blank(grey=128 if number < FPS else 180), [], seconds=6.2)
    assert times == pytest.approx([0, 1, 1.24])


def test_somebody_who_stands_before_a_slow_camera_is_scanned_for_in_every_frame() -> None:
    times, _ = scans(still, [face_at(100, 100)], seconds=60, fps=0.5)
    assert times == [2 * n for n in range(30)]


def test_a_small_picture_has_no_close_ups() -> None:
    assert "c" not in kinds(walking, [], (320, 180))


def test_people_in_sight_are_scanned_for_even_where_nothing_moves() -> None:
    times, shown = scans(still, [face_at(100, 100, 80)], seconds=3)
    assert np.diff(times) == pytest.approx(0.52, abs=0.03)
    assert set(shown) == {(640, 360)}


def test_every_frame_is_scanned_where_no_pause_is_asked_for() -> None:
    times, _ = scans(walking, [], seconds=1, every_s=0)
    assert len(times) == FPS


def test_faces_are_followed_in_a_small_picture_between_full_scans() -> None:
    _, shown = scans(walking, [face_at(100, 100)], seconds=1.2)
    full, quick = (640, 360), (320, 180)
    assert shown == [full, quick, quick, quick, quick, full, quick, quick, quick, quick]


def test_faces_too_small_for_the_small_picture_are_scanned_for_in_full() -> None:
    # 40 px in 640 would be 20 px in 320.
    _, shown = scans(walking, [face_at(100, 100, 40)], seconds=1.2)
    assert set(shown) == {(640, 360)}
    _, shown = scans(walking, [face_at(100, 100, 60)], seconds=1.2)
    assert shown.count((640, 360)) == 2


def test_a_small_face_that_one_scan_missed_is_still_scanned_for_in_full() -> None:
    detector = FixedDetector([face_at(100, 100, 40)])
    settings = DetectorSettings()
    paced = PacedDetection(FaceDetection(detector, settings), settings)
    paced.detect(frame_at(0, walking(0)))
    detector.show([])
    for number in range(1, 25):
        paced.detect(frame_at(number / FPS, walking(number)))
    assert paced.full_scans == 9
    assert paced.quick_scans == 0


def test_a_face_that_one_scan_missed_is_still_waited_for() -> None:
    detector = FixedDetector([face_at(100, 100, 80)])
    settings = DetectorSettings()
    paced = PacedDetection(FaceDetection(detector, settings), settings)
    assert paced.detect(frame_at(0, still(0)))
    detector.show([])
    found = [paced.detect(frame_at(n / FPS, still(n))) for n in range(1, 20)]
    assert found == [()] * 19
    detector.show([face_at(100, 100, 80)])
    assert any(paced.detect(frame_at(n / FPS, still(n))) for n in range(20, 30))


def test_the_small_stream_is_what_is_watched() -> None:
    detector = FixedDetector([])
    settings = DetectorSettings()
    paced = PacedDetection(FaceDetection(detector, settings), settings)
    for number in range(FPS):
        frame = frame_at(number / FPS, blank(1280, 720), lores=walking(number))
        paced.detect(frame)
    assert len(detector.shown) == 5


@pytest.mark.parametrize("sigma", [2, 6])
def test_a_sensor_s_noise_is_no_movement(sigma: float) -> None:
    random = np.random.default_rng(1)

    def noisy() -> Pixels:
        noise = random.normal(0, sigma, (720, 1280, 3))
        return np.clip(blank(1280, 720) + noise, 0, 255).astype(np.uint8)

    glimpses = [glimpse_of(noisy()) for _ in range(10)]
    assert not any(has_moved(changes(glimpses[0], each)) for each in glimpses[1:])


def test_a_face_of_16_px_that_comes_into_the_picture_is_movement() -> None:
    before = blank(1280, 720, grey=160)
    for left in range(600, 616):
        now = before.copy()
        now[300:316, left : left + 16] = 90
        assert has_moved(changes(glimpse_of(before), glimpse_of(now)))


def test_another_size_of_picture_is_movement() -> None:
    assert has_moved(changes(glimpse_of(blank(640, 360)), glimpse_of(blank(640, 480))))
    assert has_moved(changes(None, glimpse_of(blank())))


def test_who_is_outside_is_told_by_scans_of_the_whole_only() -> None:
    detector = FixedDetector([face_at(500, 100, 80)])
    settings = DetectorSettings(region=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
    paced = PacedDetection(FaceDetection(detector, settings), settings)
    assert paced.detect(frame_at(0)) == ()
    assert paced.outside == (face_at(500, 100, 80),)
    assert paced.detect(frame_at(0.05)) == ()
    assert paced.outside is None


def test_plans_differ_in_how_often_and_how_closely_is_scanned() -> None:
    far, near = face_at(200, 100, 20), face_at(200, 100, 160)
    searches = {plan.name: kinds(walking, [], (1280, 720), plan) for plan in (SPARING, USUAL, FULL)}
    assert searches == {"sparing": "fcfcfcf", "usual": "fc" * 6 + "f", "full": "fc" * 25}
    assert kinds(walking, [far], (1280, 720), SPARING) == "fc" * 6 + "f"
    assert kinds(walking, [far], (1280, 720), THOROUGH) == "ffc" * 12 + "f"
    assert kinds(walking, [near], plan=THOROUGH) == kinds(walking, [near])
    assert kinds(walking, [near], plan=FULL) == "fc" + "f" * 24


@pytest.mark.parametrize("plan", [THOROUGH, FULL], ids=lambda plan: plan.name)
def test_who_is_in_the_whole_picture_and_in_the_close_up_is_found_once(plan: SeeingPlan) -> None:
    far, settings = face_at(200, 100, 20), DetectorSettings()
    detector = FixedDetector([far])
    paced = PacedDetection(FaceDetection(detector, settings), settings)
    paced.plan = plan
    for number in range(2):
        found = paced.detect(frame_at(number, walking(number)))
        assert len(found) <= 1 + paced.close_ups
    assert (paced.full_scans, paced.close_ups > 0) == (2, True)


def test_no_plan_scans_an_idle_scene_more_often() -> None:
    for plan in (SPARING, USUAL, THOROUGH, FULL):
        assert scans(still, [], seconds=11, plan=plan)[0] == [0, 5, 10]


def test_a_plan_never_scans_more_often_than_the_settings_say() -> None:
    times, _ = scans(walking, [face_at(100, 100)], plan=FULL, every_s=0.4)
    assert np.diff(times) == pytest.approx(0.4)
    times, _ = scans(walking, [face_at(100, 100)], plan=SPARING, every_s=0.0)
    assert np.diff(times) == pytest.approx(0.24)


def followed(pictures: list[Pixels]) -> list[tuple[int, ...]]:
    """Return, frame by frame, whose faces are followed where one is found at the same place."""
    chosen = DetectorSettings(quick_side_px=640)
    paced = PacedDetection(FaceDetection(FixedDetector([face_at(100, 100)]), chosen), chosen)
    tracker = Tracker(TrackerSettings())
    tracks = []
    for number, pixels in enumerate(pictures):
        frame = frame_at(number / 8, pixels)
        update = tracker.update(frame, paced.detect(frame), is_cut=paced.is_cut)
        tracks.append(tuple(each.track_id for each in update.faces))
    return tracks


def furnished(seed: int, number: int) -> Pixels:
    """Return a room in which something moves."""
    patches = np.random.default_rng(seed).uniform(20, 230, (4, 7, 3)).astype(np.float32)
    room = cv2.resize(patches, (640, 360), interpolation=cv2.INTER_NEAREST)
    room[300:330, 20 * number % 600 :][:, :40] = 255
    return np.asarray(room, np.uint8)


def test_a_face_where_one_was_before_a_scene_cut_is_somebody_else() -> None:
    tracks = followed([furnished(1 + (n >= 16), n) for n in range(40)])
    assert set(tracks[:16]) == {(1,)}
    assert set(tracks[16:20]) == {()}
    assert set(tracks[22:]) == {(2,)}


@pytest.mark.parametrize("before", range(16, 20))
def test_another_scene_is_scanned_as_a_whole_first(before: int) -> None:
    settings = DetectorSettings()
    paced = PacedDetection(FaceDetection(FixedDetector([]), settings), settings)
    for number in range(40):
        whole = paced.full_scans
        paced.detect(frame_at(number / 8, furnished(1 + (number >= before), number)))
        if paced.is_cut:
            assert paced.full_scans == whole + 1
            return
    pytest.fail("no cut")


@pytest.mark.parametrize("level", [0, 128, 255])
def test_after_a_blink_of_the_camera_everybody_is_who_they_were(level: int) -> None:
    tracks = followed([blank(grey=level) if 16 <= n < 24 else furnished(1, n) for n in range(40)])
    assert set(tracks) <= {(1,), ()}
    assert set(tracks[24:]) == {(1,)}
