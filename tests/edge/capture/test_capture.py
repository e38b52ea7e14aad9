import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.capture.sources import is_live, open_source
from edge.config import CameraSettings
from edge.errors import CameraError, ConfigError, TensorMaskError
from edge.records import Frame
from tests.edge.capture.fakes import NOON, TurnedClock, number_shown, numbered, write_clip


def frames_of(path: Path, **settings: Any) -> list[Frame]:
    """Read a file as `replay` does, to its end or for twelve frames."""
    camera = CameraSettings(source=str(path), **{"realtime": False, **settings})
    source = open_source(camera, TurnedClock(), NOON)
    frames: list[Frame] = []
    while len(frames) < 12 and (frame := source.read()) is not None:
        frames.append(frame)
    source.close()
    return frames


def test_a_file_is_a_clip_and_a_folder_is_pictures(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", [numbered(n) for n in range(3)])
    folder = tmp_path / "folder"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), numbered(7))
    assert [number_shown(frame.pixels) for frame in frames_of(clip)] == [0, 1, 2]
    assert [number_shown(frame.pixels) for frame in frames_of(folder)] == [7]


def test_a_given_start_makes_the_times_of_a_file_its_own(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", [numbered(n) for n in range(3)], fps=10)
    frames = frames_of(clip)
    assert [frame.monotonic_s for frame in frames] == pytest.approx([0, 0.1, 0.2])
    assert [frame.captured_at for frame in frames] == [
        NOON + timedelta(seconds=frame.monotonic_s) for frame in frames
    ]
    assert [frame.number for frame in frames] == [0, 1, 2]


def test_without_a_start_a_file_starts_at_its_first_read(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", [numbered(0)])
    clock = TurnedClock()
    source = open_source(CameraSettings(source=str(clip)), clock)
    clock.sleep(5)
    frame = source.read()
    source.close()
    assert frame is not None
    assert (frame.captured_at, frame.monotonic_s) == (NOON + timedelta(seconds=5), 1005)


@pytest.mark.parametrize("realtime", [True, False])
def test_a_file_is_live_when_it_plays_in_real_time(tmp_path: Path, realtime: bool) -> None:
    clip = write_clip(tmp_path / "clip.avi", [numbered(0)])
    settings = CameraSettings(source=str(clip), realtime=realtime)
    source = open_source(settings)
    source.close()
    assert source.live is realtime
    assert is_live(settings) is realtime


@pytest.mark.parametrize(
    "source", ["picamera2", "picamera2:1", "/dev/video0", "0", "rtsp://camera/stream"]
)
def test_a_camera_is_live_whatever_the_settings_say(source: str) -> None:
    assert is_live(CameraSettings(source=source, realtime=False))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("/no/such/clip.mp4", ConfigError, "/no/such/clip.mp4 is no file or folder"),
        ("picamera3", ConfigError, "or a folder of pictures; did you mean picamera2?"),
        ("video0", ConfigError, "or a folder of pictures; did you mean /dev/video0?"),
        ("x" * 300, ConfigError, "File name too long"),
        ("~nobody-of-that-name/clip.mp4", ConfigError, "home directory"),
        ("ftp://user:secret@host/clip", ConfigError, "ftp:// is not known"),
        ("/dev/video77", CameraError, "/dev/video77: no such device"),
        ("77", CameraError, "/dev/video77: no such device"),
    ],
)
def test_a_source_that_is_nothing_is_refused_in_one_line(
    source: str, error: type[TensorMaskError], words: str
) -> None:
    with pytest.raises(error) as refusal:
        open_source(CameraSettings(source=source))
    message = str(refusal.value)
    assert words in message
    assert "secret" not in message
    assert "\n" not in message


def test_ffmpeg_is_loaded_for_clips_and_streams_only() -> None:
    program = (
        "import sys, edge.daemon.assembly, edge.capture.v4l2, edge.capture.picamera\n"
        "print('av' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
