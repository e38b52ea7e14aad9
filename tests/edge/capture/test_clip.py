import re
import struct
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.capture.clip import Clip
from edge.config import CameraSettings
from edge.errors import PictureError
from edge.records import Pixels
from tests.edge.capture.fakes import number_shown, numbered, scene, write_clip
from tests.edge.capture.streams import evenly, video, write_video

SETTINGS = CameraSettings(source="clip")


def played(clip: Clip) -> list[tuple[float, int]]:
    """The time and the number of each picture."""
    shown: list[tuple[float, int]] = []
    while (media_s := clip.advance()) is not None:
        pixels = clip.pixels()
        assert pixels is not None
        shown.append((round(media_s, 3), number_shown(pixels)))
    return shown


def with_box(content: bytes, kind: bytes, payload: bytes) -> bytes:
    """Give the one box `kind` of an MP4 of one track another payload, and its parents the room.

    The index is behind the pictures, so that their places do not change.
    """
    at = content.index(kind)
    (size,) = struct.unpack_from(">I", content, at - 4)
    grown = bytearray(content[:at] + kind + payload + content[at + size - 4 :])
    for parent in (kind, b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        start = grown.index(parent) - 4
        (size,) = struct.unpack_from(">I", grown, start)
        struct.pack_into(">I", grown, start, size + len(grown) - len(content))
    return bytes(grown)


@pytest.mark.parametrize(("name", "codec"), [("clip.avi", "MJPG"), ("clip.mp4", "mp4v")])
def test_every_frame_comes_with_its_time(tmp_path: Path, name: str, codec: str) -> None:
    path = write_clip(tmp_path / name, [numbered(n) for n in range(6)], fps=8, codec=codec)
    clip = Clip(path, SETTINGS)
    assert played(clip) == [(n / 8, n) for n in range(6)]
    assert clip.interval_s == pytest.approx(1 / 8)
    clip.close()


def test_frames_are_contiguous_bgr_of_their_own(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", [scene(), np.zeros_like(scene())])
    clip = Clip(path, SETTINGS)
    clip.advance()
    first = clip.pixels()
    clip.advance()
    clip.pixels()
    assert first is not None
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous
    assert float(np.abs(first.astype(int) - scene()).mean()) < 4  # not overwritten by the second


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [numbered(n) for n in range(6)], codec="mp4v")
    content = path.read_bytes()
    _, _, _, step = struct.unpack_from(">4I", content, content.index(b"stts") + 4)
    # Three frames at twice the usual pace, then three at a third of that; as long as before.
    stamps = struct.pack(">6I", 0, 2, 3, step // 2, 3, 3 * step // 2)
    path.write_bytes(with_box(content, b"stts", stamps))
    assert played(Clip(path, SETTINGS)) == [
        (0, 0),
        (0.05, 1),
        (0.1, 2),
        (0.15, 3),
        (0.3, 4),
        (0.45, 5),
    ]


def test_a_damaged_time_stamp_counts_as_the_usual_step(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [numbered(n) for n in range(4)], codec="mp4v")
    content = path.read_bytes()
    _, _, _, step = struct.unpack_from(">4I", content, content.index(b"stts") + 4)
    stamps = struct.pack(">8I", 0, 3, 1, step, 1, 100_000 * step, 2, step)
    path.write_bytes(with_box(content, b"stts", stamps))
    times_s = [media_s for media_s, _ in played(Clip(path, SETTINGS))]
    assert all(0 < later - sooner < 60 for sooner, later in pairwise(times_s))


def test_a_clip_filmed_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [scene()], codec="mp4v")
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    clockwise = (0, 1 << 16, 0, -1 << 16, 0, 0, 240 << 16, 0, 1 << 30)
    struct.pack_into(">9i", content, matrix, *clockwise)
    path.write_bytes(content)
    clip = Clip(path, SETTINGS)
    clip.advance()
    pixels = clip.pixels()
    assert pixels is not None
    assert difference(pixels, np.rot90(scene(), -1)) < 4


def with_blank_header(content: bytes, number: int) -> bytes:
    """Make one picture of a Motion JPEG clip undecodable: its width and height are 0."""
    start = -1
    for _ in range(number + 1):
        start = content.index(b"\xff\xd8\xff", start + 1)
    size = content.index(b"\xff\xc0", start) + 5
    return content[:size] + bytes(4) + content[size + 4 :]


def difference(pixels: Pixels, other: Pixels) -> float:
    assert pixels.shape == other.shape
    return float(np.abs(pixels.astype(int) - other).mean())


def test_a_rewound_clip_starts_again_at_zero(tmp_path: Path) -> None:
    clip = Clip(write_clip(tmp_path / "clip.avi", [numbered(n) for n in range(3)]), SETTINGS)
    first = played(clip)
    clip.rewind()
    assert played(clip) == first


def test_a_clip_cut_short_gives_the_frames_that_it_has(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", [scene() for _ in range(20)])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    clip = Clip(path, SETTINGS)
    frames = 0
    while clip.advance() is not None:
        frames += 1
    assert 5 <= frames <= 11


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no clip at all\n" * 100,
        bytes(range(256)) * 40,
        b"\x00\x00\x00\x18ftypmp42" + bytes(99),
    ],
    ids=["empty", "text", "bytes", "mp4 without an index"],
)
def test_a_file_that_is_no_clip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"^clip\.mp4: no video that can be read"):
        Clip(path, SETTINGS)


def test_ffmpeg_adds_no_lines_of_its_own(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "damaged.avi", [scene()] * 4)
    path.write_bytes(with_blank_header(path.read_bytes(), 2))
    # In a process of its own: what comes from FFmpeg passes by Python's stderr.
    program = (
        "import sys, pathlib\n"
        "from edge.capture.clip import Clip\n"
        "from edge.config import CameraSettings\n"
        "clip = Clip(pathlib.Path(sys.argv[1]), CameraSettings(source='clip'))\n"
        "while clip.advance() is not None: clip.pixels()\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "damaged.avi: 1 of 4 frames cannot be decoded" in output.stderr
    assert (output.stdout, output.stderr.count("\n")) == ("", 1)


def test_pictures_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", [np.zeros((6400, 6400, 3), np.uint8)])
    with pytest.raises(PictureError, match=r"^clip\.avi: .* 6400 x 6400 pixels is too large"):
        Clip(path, SETTINGS)


def shapes(clip: Clip) -> list[tuple[int, ...]]:
    """The shape of each picture."""
    seen: list[tuple[int, ...]] = []
    while clip.advance() is not None:
        pixels = clip.pixels()
        assert pixels is not None
        seen.append(pixels.shape)
    return seen


def read_through(path: Path) -> Clip:
    clip = Clip(path, SETTINGS)
    while clip.advance() is not None:
        """Read to its end."""
    return clip


def test_a_picture_that_changes_its_size_comes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    small = video([scene(96, 64)] * 10, evenly(10), "mpegts")
    path.write_bytes(small + video([scene(192, 128)] * 10, evenly(10), "mpegts"))
    assert shapes(Clip(path, SETTINGS)) == [(64, 96, 3)] * 10 + [(128, 192, 3)] * 10


def test_one_frame_that_cannot_be_decoded_does_not_end_a_clip(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / "clip.avi", [numbered(n) for n in range(20)])
    path.write_bytes(with_blank_header(path.read_bytes(), 7))
    clip = Clip(path, SETTINGS)
    assert played(clip) == [(n / 10, n) for n in range(20) if n != 7]
    assert clip.damage == ""
    assert caplog.messages == ["clip.avi: 1 of 20 frames cannot be decoded"]


def test_frames_that_cannot_be_decoded_are_damage_where_they_are_many(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", [numbered(n) for n in range(20)])
    content = path.read_bytes()
    for number in range(5, 10):
        content = with_blank_header(content, number)
    path.write_bytes(content)
    assert read_through(path).damage == "5 of 20 frames cannot be decoded: the file is damaged"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("matroska", {"sound_s": 5}),
        ("mpegts", {"codec": "libx264"}),
        ("matroska", {"codec": "libx264"}),
        ("avi", {"sound_s": 5}),
        ("mov", {"sound_s": 5}),
    ],
)
@pytest.mark.parametrize("start_s", [0.0, 90_000.0])
def test_a_whole_clip_is_not_called_damaged(
    tmp_path: Path, kind: str, options: dict[str, Any], start_s: float
) -> None:
    path = tmp_path / "clip"
    slow = [start_s + time_s for time_s in (*evenly(25), *(1 + n / 5 for n in range(10)))]
    if kind == "avi":  # it counts frames, and so would fill the time before it
        slow = evenly(35)
    path.write_bytes(video([scene(96, 64)] * 35, slow, kind, **options))
    clip = Clip(path, SETTINGS)
    times_s = [time_s for time_s, _ in played(clip)]
    assert times_s == pytest.approx([time_s - slow[0] for time_s in slow], abs=0.002)
    assert clip.damage == ""


@pytest.mark.parametrize("kind", ["matroska", "avi", "flv"])
def test_a_clip_cut_short_is_called_so(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "clip.avi"
    pictures = [np.roll(scene(), n, 1) for n in range(50)]
    if kind == "avi":
        write_clip(path, pictures, fps=25)
    else:
        codec = "flv" if kind == "flv" else "mpeg4"
        write_video(path, pictures, evenly(50), kind, codec)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    damage = read_through(path).damage
    assert re.fullmatch(r"read 1\.\d of 2\.0 s: the file is damaged or cut", damage)


@pytest.mark.parametrize("name", ["a:b.avi", "rtsp:x.avi", "50%.avi", "ä ö.avi"])
def test_a_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "clip.avi", [numbered(n) for n in range(3)])
    clip = Clip(path.rename(tmp_path / name), SETTINGS)
    assert len(played(clip)) == 3


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    for stretch, shape in [
        (Fraction(16, 11), (64, 140, 3)),
        (Fraction(1, 2), (128, 96, 3)),
        (Fraction(128, 117), (64, 96, 3)),  # which no detector minds
    ]:
        write_video(path, [scene(96, 64)] * 3, evenly(3), "matroska", stretch=stretch)
        assert shapes(Clip(path, SETTINGS)) == [shape] * 3


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx", "libsvtav1"])
def test_codecs_of_cameras_and_phones_are_read(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "clip.mkv"
    # With pictures that are stored in another order than they are shown.
    write_video(path, [numbered(n // 2) for n in range(30)], evenly(30), "matroska", codec)
    seen = played(Clip(path, SETTINGS))
    assert [time_s for time_s, _ in seen] == pytest.approx(evenly(30), abs=0.002)
    assert [number for _, number in seen] == [n // 2 for n in range(30)]


@pytest.mark.parametrize(("kind", "codec"), [("avi", "mjpeg"), ("matroska", "libx264")])
def test_colours_are_those_that_opencv_gives(tmp_path: Path, kind: str, codec: str) -> None:
    """Full range and limited: the models were measured on these."""
    path = tmp_path / "clip"
    write_video(path, [scene()] * 3, evenly(3), kind, codec)
    clip, other = Clip(path, SETTINGS), cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    clip.advance()
    pixels = clip.pixels()
    assert pixels is not None
    assert difference(pixels, np.asarray(other.read()[1], np.uint8)) < 1


def test_stamps_in_the_order_of_decoding_do_not_stretch_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    write_video(path, [scene(96, 64)] * 60, evenly(60), "avi", "libx264")
    times_s = [time_s for time_s, _ in played(Clip(path, SETTINGS))]
    assert times_s[-1] == pytest.approx(59 / 25, abs=0.2)
    assert all(later > sooner for sooner, later in pairwise(times_s))
