import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.capture.pictures import read_picture
from edge.errors import PictureError
from edge.records import Pixels
from tests.edge.capture.fakes import scene


def encoded(pixels: object, suffix: str = ".png", *options: int) -> bytes:
    written, content = cv2.imencode(suffix, pixels, options)  # type: ignore[call-overload]
    assert written
    return bytes(content)


def read(folder: Path, content: bytes) -> Pixels:
    path = folder / "picture"
    path.write_bytes(content)
    return read_picture(path)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment with that one tag behind the start of a JPEG."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    segment = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
    )


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".webp"])
def test_each_format_is_read(tmp_path: Path, suffix: str) -> None:
    pixels = read(tmp_path, encoded(scene(), suffix))
    assert pixels.shape == scene().shape
    assert float(np.abs(pixels.astype(int) - scene()).mean()) < 4


def test_lossless_and_animated_webp_are_read(tmp_path: Path) -> None:
    lossless = encoded(scene(), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)
    assert np.array_equal(read(tmp_path, lossless), scene())


@pytest.mark.parametrize(
    "pixels",
    [
        cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY),
        cv2.cvtColor(scene(), cv2.COLOR_BGR2BGRA),
        scene().astype(np.uint16) * 257,
        cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257,
    ],
    ids=["grey", "alpha", "16 bit", "16 bit grey"],
)
def test_every_kind_of_picture_comes_out_as_bgr_bytes(tmp_path: Path, pixels: Pixels) -> None:
    shown = read(tmp_path, encoded(pixels))
    assert shown.dtype == np.uint8
    assert shown.flags.c_contiguous
    expected = (
        scene()
        if pixels.ndim == 3
        else cv2.cvtColor(cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    )
    assert np.abs(shown.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, -1), (8, 1)])
def test_a_photograph_is_turned_upright(tmp_path: Path, orientation: int, turns: int) -> None:
    shown = read(tmp_path, with_orientation(encoded(scene(), ".jpg"), orientation))
    assert float(np.abs(shown.astype(int) - np.rot90(scene(), turns)).mean()) < 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a JPEG, PNG, WebP or BMP"),
        (b"GIF89a" + bytes(100), "not a JPEG, PNG, WebP or BMP"),
        (b"\xff\xd8\xff", "not a JPEG, PNG, WebP or BMP"),
        (b"\xff\xd8\xff\xe0\0\0" * 3, "not a JPEG, PNG, WebP or BMP"),
        (b"RIFF\0\0\0\0WEBPVP8L", "not a JPEG, PNG, WebP or BMP"),
        (png_claiming(0, 100), "too many or none"),
        (png_claiming(12_000, 12_000), "12000 x 12000 pixels: too many"),
        (png_claiming(100, 100), "damaged"),
    ],
    ids=[
        "empty",
        "gif",
        "cut jpeg",
        "zero segments",
        "cut webp",
        "no width",
        "huge",
        "only a head",
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        read(tmp_path, content)


def test_of_a_png_only_the_picture_is_read(tmp_path: Path) -> None:
    plain = encoded(scene())
    end = plain.index(b"IEND") - 4
    text = b"zTXt" + bytes(99)
    chunk = struct.pack(">I", 99) + text + struct.pack(">I", zlib.crc32(text))
    header = plain.index(b"IDAT") - 4
    for content in (plain[:header] + chunk + plain[header:], plain[:end] + chunk + plain[end:]):
        assert np.array_equal(read(tmp_path, content), scene())
    assert np.array_equal(read(tmp_path, plain + b"behind the end"), scene())


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".webp"])
def test_a_picture_cut_anywhere_is_a_picture_or_an_error(tmp_path: Path, suffix: str) -> None:
    content = encoded(scene(32, 24), suffix)
    for length in range(0, len(content), 7):
        try:
            assert read(tmp_path, content[:length]).shape == (24, 32, 3)
        except PictureError:
            continue


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"gone\.png: No such file"):
        read_picture(tmp_path / "gone.png")


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(64_000_001)
    with pytest.raises(PictureError, match="larger than 64 MB"):
        read_picture(path)
