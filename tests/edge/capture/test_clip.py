import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.capture.clip import Clip
from edge.config import CameraSettings
from edge.errors import PictureError
from edge.records import Pixels
from tests.edge.capture.fakes import number_shown, numbered, scene, write_clip

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
    (tmp_path / "clip.mp4").write_bytes(b"no clip at all\n" * 100)
    # In a process of its own: whoever used FFmpeg first in this one has set its log level.
    program = "import sys, edge.capture.ffmpeg as f; print(f.open_ffmpeg(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(tmp_path / "clip.mp4")]
    output = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (output.stdout, output.stderr) == ("None\n", "")


def test_pictures_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", [np.zeros((6400, 6400, 3), np.uint8)])
    with pytest.raises(PictureError, match=r"^clip\.avi: .* 6400 x 6400 pixels is too large"):
        Clip(path, SETTINGS)
