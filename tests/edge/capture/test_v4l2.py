import errno
import os
import struct
from pathlib import Path

import pytest

from edge.capture.v4l2 import V4l2Camera, _name_in, _remedy
from edge.config import CameraSettings
from edge.errors import CameraError
from tests.edge.capture.fakes import TurnedClock

SETTINGS = CameraSettings(source="/dev/video0")
CAPTURE, METADATA, CODEC, DEVICE_CAPS = 0x1, 0x800000, 0x8000, 0x80000000


def capability(whole: int, device: int) -> bytes:
    """What the kernel answers to VIDIOC_QUERYCAP."""
    texts = struct.pack("16s32s32s", b"uvcvideo", b"HD Webcam", b"usb-1.2")
    return texts + struct.pack("=III12x", 0x060100, whole, device)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/dev/video77", "/dev/video77: no such device; is the camera plugged in"),
        ("/dev/null", "/dev/null: no camera, but some other kind of device"),
    ],
)
def test_a_device_that_is_no_camera_is_told_apart(path: str, words: str) -> None:
    with pytest.raises(CameraError, match=words):
        V4l2Camera(Path(path), SETTINGS, TurnedClock())


def test_a_camera_tells_its_name() -> None:
    answer = capability(CAPTURE | METADATA | DEVICE_CAPS, CAPTURE)
    assert _name_in(answer, Path("/dev/video0")) == "HD Webcam"


@pytest.mark.parametrize(
    ("whole", "device"), [(CAPTURE | METADATA | DEVICE_CAPS, METADATA), (CODEC, 0)]
)
def test_the_other_nodes_of_a_camera_and_codecs_are_no_cameras(whole: int, device: int) -> None:
    with pytest.raises(CameraError, match="a video device, but no camera"):
        _name_in(capability(whole, device), Path("/dev/video1"))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "sudo usermod -aG video"),
        (errno.EBUSY, "fuser -v"),
        (errno.ENODEV, "plug it in again"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_refusal_says_what_to_do(number: int, words: str) -> None:
    assert words in _remedy(OSError(number, os.strerror(number)))
