"""Our Pi camera on the genuine picamera2 and libcamera; `run.sh` runs it in its own userland.

pytest does not collect this file unless it is named: without libcamera it has nothing to test.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import tests.camera.headless  # noqa: F401 - before picamera2
from edge.capture.newest import NewestFrame
from edge.capture.picamera import PiCamera
from edge.capture.sources import open_source
from edge.clock import SYSTEM_CLOCK
from edge.config import CameraSettings
from edge.errors import CameraError
from edge.records import Frame, Pixels
from tests.edge.capture.fakes import scene

PICTURES = Path("/tmp/pictures")  # as virtual.yaml says
SHOWN = Path("/out")
"""Where `run.sh` finds a frame of each camera, for people to look at."""
BARS = ["white", "yellow", "cyan", "green", "magenta", "red", "blue", "black"]
COLOURS = {
    "white": (255, 255, 255),
    "yellow": (0, 255, 255),
    "cyan": (255, 255, 0),
    "green": (0, 255, 0),
    "magenta": (255, 0, 255),
    "red": (0, 0, 255),
    "blue": (255, 0, 0),
    "black": (0, 0, 0),
}
"""In BGR."""


@pytest.fixture(scope="module", autouse=True)
def pictures() -> list[Pixels]:
    """What camera 0 shows: five scenes of different brightness."""
    PICTURES.mkdir()
    drawn = [cv2.convertScaleAbs(scene(640, 480), alpha=0.4 + 0.15 * n) for n in range(5)]
    for number, pixels in enumerate(drawn):
        cv2.imwrite(str(PICTURES / f"{number}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 98])
    return [np.asarray(pixels, np.uint8) for pixels in drawn]


@pytest.fixture
def opened() -> Iterator[list[PiCamera]]:
    """Cameras to close, for the next test could not open them else."""
    cameras: list[PiCamera] = []
    yield cameras
    for camera in cameras:
        camera.close()


def open_camera(opened: list[PiCamera], source: str, **settings: Any) -> PiCamera:
    wishes: dict[str, Any] = {"width_px": 640, "height_px": 480, "open_timeout_s": 5.0}
    camera = open_source(CameraSettings(source=source, **(wishes | settings)))
    assert isinstance(camera, PiCamera)
    opened.append(camera)
    return camera


def picture_shown(pixels: Pixels, pictures: list[Pixels]) -> int:
    """Return which picture it is; it must look like that one and no other."""
    # The virtual camera gives a JPEG's full range of values where a Pi gives the range of video,
    # which is what we convert.
    expected = [np.clip((drawn.astype(float) - 16) * 255 / 219, 0, 255) for drawn in pictures]
    distances = [float(np.abs(pixels - drawn).mean()) for drawn in expected]
    assert min(distances) < 4, distances
    return int(np.argmin(distances))


def bars_in(row: Pixels) -> list[str]:
    """Name the colors from left to right; the blends between two bars are left out."""
    names = [
        name
        for pixel in row.astype(int)
        for name, colour in COLOURS.items()
        if np.abs(pixel - colour).max() < 12
    ]
    return [name for name, _ in groupby(names)]


def test_pictures_come_through_the_genuine_camera_stack(
    opened: list[PiCamera], pictures: list[Pixels]
) -> None:
    camera = open_camera(opened, "picamera2")
    assert camera.name == "picamera2:0 (Pictures)"
    frames = [camera.read() for _ in range(20)]
    shown = [picture_shown(frame.pixels, pictures) for frame in frames]
    assert set(shown) == set(range(5))
    assert [frame.number for frame in frames] == list(range(20))
    assert all(frame.pixels.flags.c_contiguous for frame in frames)
    assert all(frame.lores is None for frame in frames)  # the virtual camera makes none smaller
    cv2.imwrite(str(SHOWN / "pictures.png"), frames[-1].pixels)


def test_frames_are_stamped_by_the_camera(opened: list[PiCamera]) -> None:
    camera = open_camera(opened, "picamera2:0")
    frames: list[Frame] = []
    for _ in range(10):
        frames.append(camera.read())
        delay_s = time.monotonic() - frames[-1].monotonic_s
        assert 0 < delay_s < 1
        assert (SYSTEM_CLOCK.utc() - frames[-1].captured_at).total_seconds() == pytest.approx(
            delay_s, abs=0.05
        )
    assert all(sooner.monotonic_s < later.monotonic_s for sooner, later in pairwise(frames))


def test_colour_bars_have_their_colours_in_their_order(opened: list[PiCamera]) -> None:
    camera = open_camera(opened, "picamera2:1", width_px=1280, height_px=720)
    frame = camera.read()
    assert (frame.width, frame.height) == (1280, 720)
    seen = bars_in(frame.pixels[360])
    # The bars move from frame to frame, so that one may be seen at both ends.
    start = seen.index("white")
    assert list(dict.fromkeys(seen[start:] + seen[:start])) == BARS
    cv2.imwrite(str(SHOWN / "bars.png"), frame.pixels)


def test_a_size_that_the_camera_has_not_becomes_one_that_it_has(opened: list[PiCamera]) -> None:
    frame = open_camera(opened, "picamera2:1", width_px=801, height_px=603).read()
    assert (frame.width, frame.height) in {(640, 480), (1280, 720)}


def test_a_camera_on_its_side_is_turned(opened: list[PiCamera]) -> None:
    frame = open_camera(opened, "picamera2:1", rotation_deg=90).read()
    assert (frame.width, frame.height) == (480, 640)
    assert len(bars_in(np.ascontiguousarray(frame.pixels[:, 240]))) >= 8


def test_a_camera_in_use_is_busy_and_free_again_when_closed(opened: list[PiCamera]) -> None:
    first = open_camera(opened, "picamera2")
    with pytest.raises(CameraError, match="resource busy"):
        open_camera(opened, "picamera2")
    first.close()
    assert open_camera(opened, "picamera2").read().number == 0


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(CameraError, match="picamera2:7: libcamera sees 2 camera"):
        open_source(CameraSettings(source="picamera2:7"))


def test_its_own_thread_reads_and_closes_the_camera(opened: list[PiCamera]) -> None:
    for _ in range(3):
        newest = NewestFrame(lambda: open_camera([], "picamera2"))
        frame = newest.read(10)
        assert frame is not None
        assert newest.close(10)
