from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge.commands.scene import clip_frames, cut_out_faces, scene_frames
from edge.config import CameraSettings, MqttSettings, Settings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.errors import PictureError
from tests.fakes import blank


def of(source: Path) -> Settings:
    camera = CameraSettings(source=str(source), realtime=False)
    return Settings(mqtt=MqttSettings(host="none"), camera=camera)


def test_a_clip_starts_again_and_its_time_goes_on(carphone: Path) -> None:
    frames = list(islice(clip_frames(of(carphone)), 250))
    assert [frame.number for frame in frames[118:122]] == [118, 119, 0, 1]
    times = np.diff([frame.monotonic_s for frame in frames])
    assert times == pytest.approx(1 / 29.97, abs=0.002)


def test_people_in_a_scene_are_found_by_a_real_detector(carphone: Path) -> None:
    settings = of(carphone)
    cutouts = cut_out_faces(settings, settings.detector)
    assert len(cutouts) > 100
    detection = FaceDetection(open_detector("res10"), settings.detector)
    for people in (0, 1, 4):
        frame = next(islice(scene_frames(cutouts, people, (640, 480)), 5, None))
        assert (frame.width, frame.height) == (640, 480)
        assert len(detection.detect(frame)) == people


def test_ten_people_share_the_frame_and_sway() -> None:
    face = blank(50, 50, grey=0)
    first, later = islice(scene_frames([face], 10, (640, 480)), 0, 31, 30)
    assert (first.pixels == 0).all(axis=2).sum() == 10 * 128 * 128
    assert (first.pixels != later.pixels).any()
    assert later.monotonic_s == 1.0


def test_a_wall_stands_still() -> None:
    first, later = islice(scene_frames([], 0, (64, 48)), 0, 31, 30)
    assert (first.pixels == later.pixels).all()


def test_a_source_without_frames_or_faces_is_refused(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "wall.png"), blank())
    with pytest.raises(PictureError, match="no face"):
        cut_out_faces(of(tmp_path), of(tmp_path).detector)
