import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.capture.picamera import PiCamera
from edge.capture.sources import open_source
from edge.config import CameraSettings
from edge.errors import CameraError, MissingPackageError
from edge.records import Frame, Pixels
from tests.edge.capture.fake_picamera2 import Camera, fake_picamera2, real_signature
from tests.edge.capture.fakes import NOON, TurnedClock, scene

FORMATS = [
    "RGB888", "BGR888", "XRGB8888", "XBGR8888", "YUV420", "YVU420", "NV12", "NV21", "YUYV", "UYVY"
]  # fmt: skip


class Installed:
    """Puts a fake picamera2 in the place of the package and opens our camera on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def open(self, camera: Camera, **settings: Any) -> PiCamera:
        self.module = fake_picamera2(camera)
        self._monkeypatch.setitem(sys.modules, "picamera2", self.module)
        wishes: dict[str, Any] = {
            "source": "picamera2",
            "width_px": 320,
            "height_px": 240,
            "lores_width_px": 0,
        }
        source = open_source(CameraSettings(**(wishes | settings)), TurnedClock())
        assert isinstance(source, PiCamera)
        return source

    @property
    def opened(self) -> Any:
        return self.module.opened[-1]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(monkeypatch)


def difference(pixels: Pixels, other: Pixels) -> float:
    assert pixels.shape == other.shape
    return float(np.abs(pixels.astype(int) - other).mean())


def shot(source: PiCamera) -> Frame:
    frame = source.read()
    source.close()
    return frame


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("width", [320, 300], ids=["full rows", "padded rows"])
def test_every_format_that_a_camera_may_give_becomes_bgr(
    installed: Installed, format: str, width: int
) -> None:
    frame = shot(installed.open(Camera(scene(width), format), width_px=width))
    assert difference(frame.pixels, scene(width)) < 3
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.flags.c_contiguous
    assert frame.lores is None


def test_the_small_stream_comes_with_the_main_one(installed: Installed) -> None:
    frame = shot(installed.open(Camera(scene()), lores_width_px=100))
    assert frame.lores is not None
    assert frame.lores.shape == (76, 100, 3)  # as wide as asked, in proportion, and even
    assert frame.lores.flags.c_contiguous
    assert frame.pixels.shape == (240, 320, 3)


@pytest.mark.parametrize(
    ("camera", "lores_width_px"),
    [(Camera(scene(), small_stream=False), 100), (Camera(scene()), 320), (Camera(scene()), 640)],
    ids=["the camera cannot", "as large", "larger"],
)
def test_a_second_stream_that_is_no_smaller_is_not_used(
    installed: Installed, camera: Camera, lores_width_px: int
) -> None:
    assert shot(installed.open(camera, lores_width_px=lores_width_px)).lores is None


def test_both_streams_are_turned(installed: Installed) -> None:
    frame = shot(installed.open(Camera(scene()), lores_width_px=160, rotation_deg=90))
    assert difference(frame.pixels, np.rot90(scene(), -1)) < 1
    assert frame.lores is not None
    assert frame.lores.shape == (160, 120, 3)


def test_frames_carry_the_time_of_exposure(installed: Installed) -> None:
    frame = shot(installed.open(Camera(scene(), delay_s=0.25)))
    assert frame.monotonic_s == pytest.approx(1000 - 0.25, abs=0.1)
    assert (NOON - frame.captured_at).total_seconds() == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("delay_s", [None, -3.0, 1e6])
def test_a_time_stamp_of_some_other_clock_is_not_believed(
    installed: Installed, delay_s: float | None
) -> None:
    frame = shot(installed.open(Camera(scene(), delay_s=delay_s)))
    assert (frame.monotonic_s, frame.captured_at) == (1000, NOON)


def test_odd_sizes_are_made_even_and_buffers_are_few(installed: Installed) -> None:
    source = installed.open(Camera(scene()), width_px=321, height_px=243, fps=20)
    source.close()
    asked = installed.opened.asked
    assert asked["main"]["size"] == (320, 244)
    assert asked["controls"] == {"FrameDurationLimits": (50_000, 50_000)}
    assert asked["buffer_count"] <= 4


def test_a_camera_without_a_rate_control_is_not_asked_for_one(installed: Installed) -> None:
    installed.open(Camera(scene(), controls=())).close()
    assert installed.opened.asked["controls"] == {}


def test_requests_are_given_back_and_frames_counted(installed: Installed) -> None:
    source = installed.open(Camera(scene()))
    assert [source.read().number for _ in range(3)] == [0, 1, 2]
    assert all(request.released for request in installed.opened.requests)
    source.close()
    assert installed.opened.state == "closed"


def test_a_missing_camera_is_named(installed: Installed) -> None:
    with pytest.raises(CameraError, match=r"picamera2:1: libcamera sees 1 camera.*ribbon cable"):
        installed.open(Camera(scene()), source="picamera2:1")


def test_a_busy_camera_is_reported_with_its_cause(installed: Installed) -> None:
    with pytest.raises(CameraError, match=r"imx708\): .* resource busy; .*`fuser"):
        installed.open(Camera(scene(), busy=True))


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (Camera(scene(), starts=False), "cannot be started: .*Cannot allocate memory"),
        (Camera(scene(), format="YVYU"), "cannot be started: it gives YVYU pictures"),
    ],
)
def test_a_camera_that_cannot_start_is_given_back(
    installed: Installed, camera: Camera, words: str
) -> None:
    with pytest.raises(CameraError, match=words):
        installed.open(camera)
    assert installed.opened.state == "closed"


def test_a_camera_that_gives_no_frame_can_still_be_closed(installed: Installed) -> None:
    source = installed.open(Camera(scene(), stalled=True), open_timeout_s=4)
    with pytest.raises(CameraError, match="no frame for 4 s; check the ribbon cable"):
        source.read()
    source.close()
    assert installed.opened.state == "closed"


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(MissingPackageError, match="sudo apt install python3-picamera2"):
        open_source(CameraSettings(source="picamera2"))


def test_a_call_that_the_real_picamera2_would_refuse_fails_here_too() -> None:
    camera: SimpleNamespace = fake_picamera2(Camera(scene()))
    with pytest.raises(TypeError, match="brightness"):
        camera.Picamera2().create_video_configuration(brightness=1)
    with pytest.raises(ValueError, match="not enough values"):
        real_signature("picamera2", "Picamera2", "capture_frame")
