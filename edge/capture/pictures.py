"""Reading one picture file, without trusting it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.errors import PictureError
from edge.records import Pixels

MAX_BYTES: Final = 64_000_000
MAX_PIXELS: Final = 25_000_000
"""Larger pictures are refused. As BGR this many take 75 MB, and reading them takes 150 MB, or 280
at worst (an animated WebP), while a Pi may have 1 GB in all."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = (b"PLTE", b"IDAT", b"IEND", b"eXIf")


def read_picture(path: Path) -> Pixels:
    """Return a JPEG, PNG, WebP or BMP file as uint8 BGR, turned upright as its EXIF says.

    Gray, transparent and 16-bit pictures come out as BGR uint8 too; an animation gives its first
    picture. Raises PictureError for anything else, for damage, and beyond MAX_BYTES or MAX_PIXELS.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PictureError(f"{path.name}: larger than {MAX_BYTES // 1_000_000} MB")
        content = path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path.name}: {error.strerror}") from error
    # The size that the file claims, before a decoder makes room for it: 10,000 x 10,000 black
    # pixels are a PNG of 100 kB.
    size = _claimed_size(content)
    if size is None:
        raise PictureError(f"{path.name}: not a JPEG, PNG, WebP or BMP picture")
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise PictureError(f"{path.name}: {width} x {height} pixels: too many or none")
    if content.startswith(_PNG):
        content = _plain_png(content)
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PictureError(f"{path.name}: damaged: {error.err}") from error
    if pixels is None:
        raise PictureError(f"{path.name}: damaged")
    return np.asarray(pixels, np.uint8)


def _claimed_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height as the header has them; None for a format that is not read here."""
    try:
        if content.startswith(_PNG) and content[12:16] == b"IHDR":
            return struct.unpack_from(">II", content, 16)
        if content[:2] == b"BM":
            width, height = struct.unpack_from("<ii", content, 18)
            return width, abs(height)  # negative: stored from the top down
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp_size(content)
        if content[:3] == b"\xff\xd8\xff":
            return _jpeg_size(content)
    except (struct.error, IndexError):
        return None
    return None


def _plain_png(content: bytes) -> bytes:
    """Return a PNG file with nothing in it but its header and its one picture.

    OpenCV 4.11 reads animations by code of its own, and crashes on damaged ones; and texts and
    color profiles are packed, so a small one can become a very large one.
    """
    kept = []
    at = len(_PNG)
    while at + 8 <= len(content):
        end = at + 12 + struct.unpack_from(">I", content, at)[0]
        if at == len(_PNG) or content[at + 4 : at + 8] in _PNG_CHUNKS:
            kept.append(content[at:end])
        at = end
    return _PNG + b"".join(kept)


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walk the segments to the start of frame (ITU-T T.81, annex B)."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """Read the first chunk (RFC 9649, section 2)."""
    if content[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if content[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if content[12:16] == b"VP8X":
        width, height = content[24:27], content[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    return None
