from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.config import DetectorSettings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.people import PEOPLE, frames
from edge.pixels import resize
from edge.records import Box, Face, Frame, Pixels
from tests.fakes import FixedDetector, blank, face_at, frame_at

IN_FIRST_FRAME = Box(65, 31, 111, 96)
"""Where the man in the car is, drawn by hand."""


def detect(frame: Frame, *faces: Face, **settings: Any) -> tuple[tuple[Face, ...], FixedDetector]:
    detector = FixedDetector(faces)
    return FaceDetection(detector, DetectorSettings(**settings)).detect(frame), detector


def test_a_frame_of_the_right_size_is_looked_at_as_it_is() -> None:
    faces, detector = detect(frame_at(0), face_at(10, 20))
    assert faces == (face_at(10, 20),)
    assert detector.shown == [(640, 360)]


def test_large_frames_are_scaled_down_and_boxes_scaled_back() -> None:
    frame = frame_at(0, blank(1280, 720))
    faces, detector = detect(frame, face_at(10, 20, 60), longest_side_px=640)
    assert detector.shown == [(640, 360)]
    assert [face.box for face in faces] == [Box(20, 40, 140, 160)]


def test_small_frames_are_doubled() -> None:
    frame = frame_at(0, blank(176, 144))
    faces, detector = detect(frame, face_at(100, 100, 60))
    assert detector.shown == [(352, 288)]
    assert [face.box for face in faces] == [Box(50, 50, 80, 80)]
    _, detector = detect(frame, upscale_below_px=0)
    assert detector.shown == [(176, 144)]


def test_the_small_stream_is_used_where_there_is_one() -> None:
    frame = frame_at(0, blank(1280, 960), lores=blank(640, 480))
    faces, detector = detect(frame, face_at(10, 20, 60))
    assert detector.shown == [(640, 480)]
    assert [face.box for face in faces] == [Box(20, 40, 140, 160)]


def test_a_quick_look_is_at_a_smaller_picture_that_is_never_enlarged() -> None:
    detector = FixedDetector([face_at(10, 20, 60)])
    detection = FaceDetection(detector, DetectorSettings(quick_side_px=320))
    (face,) = detection.detect(frame_at(0, blank(1280, 720)), quick=True)
    assert face.box == Box(40, 80, 280, 320)
    detection.detect(frame_at(0, blank(176, 144)), quick=True)
    assert detector.shown == [(320, 180), (176, 144)]


def test_a_detector_that_scales_for_itself_gets_the_full_picture() -> None:
    detector = FixedDetector([])
    detector.input_px = 300
    FaceDetection(detector, DetectorSettings()).detect(frame_at(0), quick=True)
    assert detector.shown == [(640, 360)]


def test_small_faces_are_not_looked_at() -> None:
    faces, _ = detect(frame_at(0), face_at(0, 0, 29), face_at(100, 0, 31), min_face_px=30)
    assert faces == (face_at(100, 0, 31),)


def test_only_faces_whose_centre_lies_in_the_region_count() -> None:
    left_half = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    faces, _ = detect(frame_at(0), face_at(280, 0), face_at(300, 0), region=left_half)
    assert faces == (face_at(280, 0),)


def frames_of(clip: Path, every: int) -> list[Pixels]:
    capture = cv2.VideoCapture(str(clip))
    frames = []
    while True:
        found, pixels = capture.read()
        if not found:
            break
        frames.append(np.asarray(pixels, np.uint8))
    return frames[::every]


def test_res10_finds_a_real_face_and_none_in_an_empty_picture(carphone: Path) -> None:
    detection = FaceDetection(open_detector("res10"), DetectorSettings())
    faces = [detection.detect(frame_at(0, picture)) for picture in frames_of(carphone, 20)]
    assert [len(found) for found in faces] == [1] * 6
    assert faces[0][0].box.iou(IN_FIRST_FRAME) > 0.7
    assert detection.detect(frame_at(0)) == ()


def test_yunet_finds_a_real_face_and_none_in_an_empty_picture(
    carphone: Path, yunet_weights: Path
) -> None:
    detection = FaceDetection(open_detector("yunet", str(yunet_weights)), DetectorSettings())
    faces = [detection.detect(frame_at(0, picture)) for picture in frames_of(carphone, 20)]
    assert [len(found) for found in faces] == [1] * 6
    assert faces[0][0].box.iou(IN_FIRST_FRAME) > 0.7
    assert detection.detect(frame_at(0)) == ()


@pytest.mark.parametrize("low", [1, 2, 5, 16, 31, 32])
def test_yunet_makes_no_faces_of_noise_in_a_low_or_narrow_picture(
    low: int, yunet_weights: Path
) -> None:
    detector = open_detector("yunet", str(yunet_weights))
    for seed in range(4):
        line = np.random.default_rng(seed).integers(0, 256, (low, 640, 3), np.uint8)
        assert detector.find(line) == ()
        assert detector.find(np.ascontiguousarray(line.transpose(1, 0, 2))) == ()


def test_yunet_finds_a_face_that_fills_a_small_picture(carphone: Path, yunet_weights: Path) -> None:
    detector = open_detector("yunet", str(yunet_weights))
    picture = frames_of(carphone, 1000)[0]
    box = IN_FIRST_FRAME
    head = picture[round(box.top) - 8 : round(box.bottom) + 4, round(box.left) : round(box.right)]
    small = np.asarray(cv2.resize(head, (26, 30), interpolation=cv2.INTER_AREA), np.uint8)
    (face,) = detector.find(small)
    assert 0 <= face.box.left < face.box.right <= 26
    assert 0 <= face.box.top < face.box.bottom <= 30
    assert face.box.size_px > 18


def test_yunet_follows_a_change_of_the_frame_s_size(carphone: Path, yunet_weights: Path) -> None:
    detector = open_detector("yunet", str(yunet_weights))
    picture = frames_of(carphone, 1000)[0]
    for ratio in (2, 4, 1, 3):
        (face,) = detector.find(np.asarray(cv2.resize(picture, None, fx=ratio, fy=ratio)))
        assert face.box.scaled(1 / ratio, 1 / ratio).iou(IN_FIRST_FRAME) > 0.7


def test_faces_outside_the_area_are_kept_apart() -> None:
    inside, outside, small = face_at(100, 100), face_at(500, 100), face_at(500, 300, 4)
    settings = DetectorSettings(region=((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
    detection = FaceDetection(FixedDetector([inside, outside, small]), settings)
    assert detection.detect(frame_at(0)) == (inside,)
    assert detection.outside == (outside,)


def test_a_face_that_fills_the_picture_is_found_in_a_small_one() -> None:
    detector = FixedDetector([face_at(10, 20, 60, 0.8)])
    # In a quarter of the size: one that fills the picture, and one that is too small there.
    detector.near = (face_at(60, 20, 60, 0.7), face_at(130, 5, 12, 0.99))
    detection = FaceDetection(detector, DetectorSettings())
    frame = frame_at(0)
    faces = detection.detect(frame)
    assert [face.box for face in faces] == [Box(10, 20, 70, 80), Box(240, 80, 480, 320)]
    quick = detection.detect(frame, quick=True)
    close_up = detection.detect(frame, part=Box(0, 0, 320, 180))
    assert [len(quick), len(close_up)] == [1, 1], "with the whole picture only"


def test_of_both_pictures_the_surer_find_of_a_face_stays() -> None:
    detector = FixedDetector([face_at(100, 100, 100, 0.7)])
    detector.near = (face_at(26, 26, 24, 0.9),)
    (face,) = FaceDetection(detector, DetectorSettings()).detect(frame_at(0))
    assert face == Face(Box(104, 104, 200, 200), 0.9)


def test_somebody_who_fills_the_picture_is_as_sure_as_farther_away() -> None:
    detector = open_detector("tensormask", "")
    (hall,) = frames(1, 15, PEOPLE[2:])
    x, y, half = round(PEOPLE[2].x), round(PEOPLE[2].y), 70
    filled = resize(hall[y - half : y + half, x - half : x + half], (640, 640))
    (face, *_) = FaceDetection(detector, DetectorSettings()).detect(frame_at(0, filled))
    (alone, *_) = detector.find(filled)
    assert face.confidence > alone.confidence + 0.03
    assert face.box.size_px > 300
