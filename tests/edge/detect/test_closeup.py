from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.config import DetectorSettings, TrackerSettings
from edge.detect.cadence import PacedDetection
from edge.detect.closeup import CloseUps
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.records import Box, Frame, Pixels
from edge.track import Tracker
from tests.fakes import FixedDetector, blank, face_at, frame_at

FRAME = frame_at(0, blank(1280, 720))
MAP = (90, 160)


def moving(*boxes: Box) -> NDArray[np.bool_]:
    """What the map shows when something moves in these parts of FRAME."""
    changed = np.zeros(MAP, np.bool_)
    for box in boxes:
        at = box.scaled(1 / 8, 1 / 8)
        changed[int(at.top) : int(at.bottom), int(at.left) : int(at.right)] = True
    return changed


def holds(part: Box | None, box: Box) -> bool:
    return (
        part is not None
        and part.left <= box.left
        and part.top <= box.top
        and part.right >= box.right
        and part.bottom >= box.bottom
    )


FAR_LEFT, FAR_RIGHT = Box(80, 80, 160, 240), Box(1160, 480, 1240, 700)


@pytest.mark.parametrize("walker", [FAR_LEFT, FAR_RIGHT, Box(600, 300, 680, 460)])
def test_it_shows_what_moves_in_half_the_width_and_height(walker: Box) -> None:
    close_ups = CloseUps()
    close_ups.note_movement(moving(walker))
    part = close_ups.next(FRAME)
    assert holds(part, walker)
    assert part is not None
    assert holds(Box(0, 0, 1280, 720), part)
    assert (part.width, part.height) == (640, 360)


def test_what_moves_is_in_its_middle() -> None:
    close_ups = CloseUps()
    close_ups.note_movement(moving(Box(560, 320, 640, 400)))
    part = close_ups.next(FRAME)
    assert part is not None
    assert part.centre == pytest.approx((600, 360), abs=16)


def test_where_nothing_goes_on_there_is_none() -> None:
    close_ups = CloseUps()
    assert close_ups.next(FRAME) is None
    close_ups.note_movement(moving())
    assert close_ups.next(FRAME) is None


def test_two_places_take_turns() -> None:
    close_ups = CloseUps()
    shown = []
    for _ in range(6):
        close_ups.note_movement(moving(FAR_LEFT, FAR_RIGHT))
        part = close_ups.next(FRAME)
        shown.append((holds(part, FAR_LEFT), holds(part, FAR_RIGHT)))
    assert sorted(shown[:2]) == [(False, True), (True, False)]
    assert shown == shown[:2] * 3


def test_a_small_face_is_worth_a_look_though_it_keeps_still() -> None:
    close_ups = CloseUps()
    close_ups.note_movement(moving(FAR_LEFT))
    close_ups.note_face(Box(1180, 500, 1204, 524), FRAME)
    close_ups.next(FRAME)
    close_ups.note_movement(moving())
    assert holds(close_ups.next(FRAME), Box(1180, 500, 1204, 524))


def test_a_movement_is_forgotten() -> None:
    close_ups = CloseUps()
    close_ups.note_movement(moving(FAR_LEFT))
    for _ in range(10):
        close_ups.note_movement(moving())
    assert close_ups.next(FRAME) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (641, 359), (300, 4000)])
def test_any_frame_has_its_half(size: tuple[int, int]) -> None:
    frame = frame_at(0, blank(*size))
    close_ups = CloseUps()
    close_ups.note_movement(np.ones((min(90, size[1]), min(160, size[0])), np.bool_))
    part = close_ups.next(frame)
    assert part is not None
    assert holds(Box(0, 0, *size), part)
    FaceDetection(open_detector("res10"), DetectorSettings()).detect(frame, part=part)


def test_the_size_of_the_picture_may_change() -> None:
    close_ups = CloseUps()
    close_ups.note_movement(moving(FAR_LEFT))
    close_ups.note_movement(np.zeros((160, 90), np.bool_))
    assert close_ups.next(frame_at(0, blank(720, 1280))) is None


def walk(clip: Path, face_px: int) -> Iterator[Frame]:
    """Somebody who walks from left to right, three widths of the face a second, at 15 frames."""
    capture = cv2.VideoCapture(str(clip))
    _, picture = capture.read()
    face = Box(64, 37, 120, 93)  # in the clip
    ratio = face_px / face.size_px
    head = np.asarray(picture[17:113, 44:140], np.uint8)
    head = np.asarray(cv2.resize(head, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA))
    grain = np.random.default_rng(0)
    side = head.shape[0]
    for number in range(60):
        seconds = number / 15
        pixels: Pixels = blank(1280, 720)
        left = 300 + round(3 * face_px * seconds)
        pixels[300 : 300 + side, left : left + side] = head
        noisy = np.clip(pixels + grain.normal(0, 3, pixels.shape), 0, 255)
        yield frame_at(seconds, noisy.astype(np.uint8))


@pytest.mark.parametrize("face_px", [24, 32, 44])
def test_somebody_far_away_is_found_and_followed(
    carphone: Path, yunet_weights: Path, face_px: int
) -> None:
    detector = open_detector("yunet", str(yunet_weights))
    settings = DetectorSettings()
    paced = PacedDetection(FaceDetection(detector, settings), settings)
    tracker = Tracker(TrackerSettings(), sure_confidence=detector.sure)
    seen = [
        (found.track_id, found.face.box)
        for frame in walk(carphone, face_px)
        for found in tracker.update(frame, paced.detect(frame)).faces
    ]
    assert {who for who, _ in seen} == {1}
    assert len(seen) >= 8
    assert all(box.top > 290 and box.bottom < 420 for _, box in seen)
    assert [box.left for _, box in seen] == sorted(box.left for _, box in seen)


def test_a_face_at_the_edge_of_a_close_up_is_left_to_others() -> None:
    part = Box(320, 180, 960, 540)
    inside, cut = face_at(300, 200, 40), face_at(600, 200, 40)
    detector = FixedDetector([inside, cut])
    found = FaceDetection(detector, DetectorSettings()).detect(FRAME, part=part)
    assert [face.box for face in found] == [Box(620, 380, 660, 420)]
    assert detector.shown == [(640, 360)]
    # At the picture's own edge there is nothing beyond.
    part = Box(640, 180, 1280, 540)
    assert len(FaceDetection(detector, DetectorSettings()).detect(FRAME, part=part)) == 2
