from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge.capture.every import EveryFrame
from edge.capture.sources import open_source
from edge.config import CameraSettings
from edge.errors import PictureError
from tests.fakes import blank


def test_every_picture_is_read_once_and_then_it_is_over(tmp_path: Path) -> None:
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), blank(40, 30, 40 * number))
    settings = CameraSettings(source=str(tmp_path), realtime=False)
    frames = EveryFrame(lambda: open_source(settings))
    greys = []
    while not frames.ended:
        if frame := frames.read(0.5):
            greys.append(int(frame.pixels[0, 0, 0]))
    assert greys == [0, 40, 80, 120, 160]
    assert frames.close()


def test_what_is_no_clip_is_said_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no clip")
    settings = CameraSettings(source=str(tmp_path / "text.mp4"), realtime=False)
    with pytest.raises(PictureError, match=r"text\.mp4"):
        EveryFrame(lambda: open_source(settings))
