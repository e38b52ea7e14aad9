"""Any file is either a picture of bounded size or one line that says what is wrong with it."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.capture.pictures import MAX_PIXELS, read_picture
from edge.classify.card import load_bundle
from edge.config import DetectorSettings, MqttSettings, Settings
from edge.decide.identity import EventIds
from edge.errors import PictureError
from edge.pipeline import open_pipeline
from edge.records import Frame, Pixels
from tests.edge.capture.fakes import scene
from tests.fakes import START


def _encoded(pixels: cv2.typing.MatLike, suffix: str, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, pixels, options)[1])


def _animated(kind: str, pictures: Sequence[Pixels]) -> bytes:
    first, *others = [Image.fromarray(picture) for picture in pictures]
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=others, method=0)
    return file.getvalue()


def _palette_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(scene(60, 40)).convert("P").save(file, "PNG")
    return file.getvalue()


_TURNS = [np.roll(scene(60, 40), 5 * turn, 1) for turn in range(3)]
_GREY = cv2.cvtColor(scene(60, 40), cv2.COLOR_BGR2GRAY)
_SOUND = {
    "jpeg": _encoded(scene(60, 40), ".jpg"),
    "progressive jpeg": _encoded(scene(60, 40), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "grey jpeg": _encoded(_GREY, ".jpg"),
    "png": _encoded(scene(60, 40), ".png"),
    "16-bit png": _encoded(scene(60, 40).astype(np.uint16) * 257, ".png"),
    "png of 4 channels": _encoded(cv2.cvtColor(scene(60, 40), cv2.COLOR_BGR2BGRA), ".png"),
    "palette png": _palette_png(),
    "animated png": _animated("PNG", _TURNS),
    "webp": _encoded(scene(60, 40), ".webp"),
    "lossless webp": _encoded(scene(60, 40), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
    "animated webp": _animated("WEBP", _TURNS),
    "bmp": _encoded(scene(60, 40), ".bmp"),
    "animated gif": _animated("GIF", _TURNS),
}


def _read(content: bytes) -> Pixels | None:
    """Read it; None where it is refused, as it should be: in one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture")
        path.write_bytes(content)
        try:
            pixels, refusal = read_picture(path), ""
        except PictureError as error:
            pixels, refusal = None, str(error)
    if pixels is None:
        assert "\n" not in refusal
        return None
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert 0 < pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
    return pixels


@pytest.mark.parametrize("kind", _SOUND)
def test_every_kind_is_read_or_refused(kind: str) -> None:
    pixels = _read(_SOUND[kind])
    assert (pixels is None) == (kind == "animated gif")
    assert pixels is None or pixels.shape == (40, 60, 3)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    content = bytearray(_SOUND[draw(st.sampled_from(sorted(_SOUND)))])
    for _ in range(draw(st.integers(1, 5))):
        # Half of it in the headers.
        at = draw(st.integers(0, 60) | st.integers(0, len(content)))
        match draw(st.sampled_from(["flip", "write", "cut", "drop", "double"])):
            case "flip" if at < len(content):
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "write":
                new = draw(st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0.\xe0", b"\1"]))
                content[at : at + len(new)] = new
            case "cut":
                del content[at:]
            case "drop":
                del content[at : at + draw(st.integers(1, 30))]
            case "double":
                content[at:at] = content[at : at + draw(st.integers(1, 300))]
    return bytes(content)


@settings(derandomize=True, max_examples=400)
@given(_damaged())
def test_damage_anywhere_gives_a_picture_or_one_line(content: bytes) -> None:
    _read(content)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _png(width: int, height: int, content: bytes = b"", before: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + before + _chunk(b"IHDR", header) + _chunk(b"IDAT", content)
        + _chunk(b"IEND", b"")
    )  # fmt: skip


def _black(width: int, height: int) -> bytes:
    packer = zlib.compressobj(1)
    rows = [packer.compress(bytes(1 + 3 * width)) for _ in range(height)]
    return b"".join(rows) + packer.flush()


def _bombs() -> Iterator[tuple[str, bytes, str]]:
    """Small files that claim much; with what is to be said of them."""
    yield "large.png", _png(12_000, 12_000, _black(12_000, 12_000)), "too many"
    yield "tall.png", _png(1, 2**31 - 1), "too many"
    # Its header is behind another chunk, whose content would be read as a size.
    small = _chunk(b"CgBI", struct.pack(">I", 64))
    yield "late.png", _png(12_000, 12_000, _black(12_000, 12_000), small), "not a JPEG"
    jpeg, webp = _SOUND["jpeg"], _SOUND["lossless webp"]
    yield (
        "large.jpg",
        jpeg.replace(struct.pack(">HH", 40, 60), struct.pack(">HH", 12_000, 12_000)),
        "too many",
    )
    yield "large.webp", webp[:21] + struct.pack("<I", 11_999 | 11_999 << 14) + webp[25:], "too many"
    yield "panorama.png", _png(12_000, 2_000, _black(12_000, 2_000)), "(2000, 12000, 3)"
    side = int(MAX_PIXELS**0.5)
    plain = [np.full((side, side, 3), grey, np.uint8) for grey in (0, 99)]
    yield "animation.webp", _animated("WEBP", plain), f"({side}, {side}, 3)"
    yield "animation.png", _animated("PNG", plain), f"({side}, {side}, 3)"


_MEASURE = """
import sys
from pathlib import Path
from edge.capture.pictures import read_picture
from edge.errors import PictureError
def peak_kb():
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
before_kb = peak_kb()
try:
    print(read_picture(Path(sys.argv[1])).shape)
except PictureError as error:
    print(error)
print((peak_kb() - before_kb) // 1000)
"""


def test_a_small_file_cannot_take_all_memory(tmp_path: Path) -> None:
    taken_mb = {}
    for name, content, says in _bombs():
        path = tmp_path / name
        path.write_bytes(content)
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True
        )
        said, taken = done.stdout.splitlines()
        assert says in said, name
        taken_mb[name] = int(taken)
    read = {name: taken_mb.pop(name) for name in list(taken_mb)[-3:]}
    assert max(taken_mb.values()) < 10, taken_mb  # refused before anything is decoded
    assert max(read.values()) < 320, read


@pytest.mark.parametrize("detector", ["res10", "yunet"])
def test_pictures_of_any_shape_are_judged_one_after_the_other(
    detector: str, yunet_weights: Path
) -> None:
    weights = str(yunet_weights) if detector == "yunet" else ""
    pipeline = open_pipeline(
        Settings(
            mqtt=MqttSettings(host="none"),
            detector=DetectorSettings(name=detector, model=weights, every_s=0.0),
        ),
        load_bundle(),
        EventIds(),
    )
    noise = np.random.default_rng(1)
    shapes = [(1, 1), (1, 5000), (5000, 1), (8, 12_000), (2, 900), (3, 3), (17, 33), (640, 480)]
    for number in range(20):
        height, width = shapes[noise.integers(len(shapes))]
        pixels = noise.integers(0, 256, (height, width, 3), np.uint8)
        moment = START + timedelta(seconds=number)
        outcome = pipeline.process(Frame(number, pixels, moment, float(number)))
        assert outcome.decision.violations == ()
