"""Any file gives frames of bounded size, or one line that says what is wrong with it."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.capture.clip import Clip
from edge.capture.pictures import MAX_PIXELS
from edge.config import CameraSettings
from edge.errors import PictureError
from tests.edge.capture.fakes import scene, write_clip

_SETTINGS = CameraSettings(source="clip")
_FRAMES = 12


def _damaged(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 20))):
        # The index of an MP4 is at its end, the headers of the others are at the beginning.
        end = len(damaged)
        at = chance.choice(
            (chance.randrange(end), chance.randrange(300), max(0, end - chance.randrange(1, 1500)))
        )
        match chance.choice(("flip", "flip", "write", "drop", "double", "cut")):
            case "flip" if at < end:
                damaged[at] ^= 1 << chance.randrange(8)
            case "write":
                damaged[at : at + 4] = chance.choice((bytes(4), b"\xff" * 4, b"\0\0.\xe0"))
            case "drop":
                del damaged[at : at + chance.randint(1, 30)]
            case "double":
                damaged[at:at] = damaged[at : at + chance.randint(1, 300)]
            case "cut" if at > 400:
                del damaged[at:]
    return bytes(damaged)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("b.avi", "XVID"), ("a.mp4", "mp4v"), ("a.mkv", "mp4v")]
)
def test_damage_anywhere_gives_frames_or_one_line(tmp_path: Path, name: str, codec: str) -> None:
    pictures = [np.roll(scene(96, 64), 3 * turn, 1) for turn in range(_FRAMES)]
    content = write_clip(tmp_path / name, pictures, codec=codec).read_bytes()
    _hold_against_damage(tmp_path / name, content, 60)


def test_damage_to_a_real_clip_gives_frames_or_one_line(tmp_path: Path, carphone: Path) -> None:
    _hold_against_damage(tmp_path / carphone.name, carphone.read_bytes(), 12)


def _opened(path: Path) -> Clip | None:
    """Open it; None where it is refused, as it should be: in one line."""
    try:
        return Clip(path, _SETTINGS)
    except PictureError as error:
        refusal = str(error)
    assert "\n" not in refusal
    return None


def _hold_against_damage(path: Path, content: bytes, times: int) -> None:
    chance = random.Random(20261123)
    readable = 0
    for _ in range(times):
        path.write_bytes(_damaged(content, chance))
        clip = _opened(path)
        if clip is None:
            continue
        frames, before_s = 0, -1.0
        while (media_s := clip.advance()) is not None:
            assert media_s > before_s
            before_s = media_s
            frames += 1
            assert frames < 1000
            if (pixels := clip.pixels()) is not None:
                assert pixels.dtype == np.uint8
                assert pixels.ndim == 3
                assert 0 < pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
        clip.close()
        readable += frames > 0
    assert 0 < readable < times


def _growing_clip(sides_px: list[int]) -> bytes:
    """Return an AVI of black squares of those sides, which claims to be of the first one."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)

    side, count = sides_px[0], len(sides_px)
    main = struct.pack("<14I", 100_000, 0, 0, 0x10, count, 0, 1, 0, side, side, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack(
        "<IHH8I4H", 0, 0, 0, 0, 1, 10, 0, count, *[0] * 5, side, side
    )
    kind = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0x47504A4D, 3 * side**2, *[0] * 4)
    lists = chunk(b"strh", stream) + chunk(b"strf", kind)
    head = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + chunk(b"LIST", b"strl" + lists))
    jpegs = {
        side: bytes(cv2.imencode(".jpg", np.zeros((side, side, 3), np.uint8))[1])
        for side in set(sides_px)
    }
    frames = b"".join(chunk(b"00dc", jpegs[side]) for side in sides_px)
    return chunk(b"RIFF", b"AVI " + head + chunk(b"LIST", b"movi" + frames))


_MEASURE = """
import sys
from pathlib import Path
from edge.capture.clip import Clip
from edge.config import CameraSettings
def peak_kb():
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
before_kb = peak_kb()
clip = Clip(Path(sys.argv[1]), CameraSettings(source="clip"))
while clip.advance() is not None:
    pixels = clip.pixels()
    print(None if pixels is None else pixels.shape)
print((peak_kb() - before_kb) // 1000)
"""


def test_frames_that_grow_too_large_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(_growing_clip([64, 64, 12_000, 12_000, 64]))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    *shapes, taken_mb = done.stdout.splitlines()
    assert shapes == ["(64, 64, 3)"] * 3
    assert int(taken_mb) < 200
