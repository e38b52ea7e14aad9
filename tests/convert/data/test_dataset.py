from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convert.data.dataset import (
    LONGEST_SIDE_PX,
    Picture,
    decode,
    digest_of,
    limit_side,
    read_dataset,
)
from edge.errors import ConfigError, PictureError
from tests.convert.pictures import draw_face, encode, write_dataset

RED = (255, 0, 0)
RED_BGR = [0, 0, 255]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_content_decides_what_a_file_is(kind: str) -> None:
    pixels = decode(saved(Image.new("RGB", (40, 30), RED), kind))
    assert pixels.shape == (30, 40, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - RED_BGR).max() <= 3


def test_what_is_transparent_lies_on_white() -> None:
    half = Image.new("RGBA", (20, 20), (255, 0, 0, 255))
    half.paste((0, 0, 0, 0), (0, 0, 10, 20))
    pixels = decode(saved(half, "PNG"))
    assert pixels[5, 2].tolist() == [255, 255, 255]
    assert pixels[5, 15].tolist() == RED_BGR


def test_a_palette_with_a_transparent_entry_lies_on_white() -> None:
    palette = Image.new("P", (20, 20), 0)
    palette.putpalette([9, 9, 9, 255, 0, 0])
    palette.paste(1, (10, 0, 20, 20))
    pixels = decode(saved(palette, "PNG", transparency=0))
    assert pixels[5, 2].tolist() == [255, 255, 255]
    assert pixels[5, 15].tolist() == RED_BGR


def test_cmyk_becomes_colour() -> None:
    pixels = decode(saved(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG"))
    blue, green, red = pixels[10, 10].tolist()
    assert red > 200
    assert max(blue, green) < 80


def test_grey_has_three_equal_channels() -> None:
    pixels = decode(saved(Image.new("L", (20, 20), 77), "PNG"))
    assert pixels[3, 3].tolist() == [77, 77, 77]


def test_sixteen_bits_keep_their_brightness() -> None:
    grey = Image.fromarray(np.full((20, 20), 32768, np.uint16))
    assert abs(int(decode(saved(grey, "PNG"))[3, 3, 0]) - 127) <= 1


def test_a_camera_held_upright_is_turned() -> None:
    image = Image.new("RGB", (40, 20), RED)
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees to see it upright
    assert decode(saved(image, "JPEG", exif=exif)).shape == (40, 20, 3)


def test_of_a_moving_picture_the_first_frame_counts() -> None:
    first, second = Image.new("RGB", (20, 20), RED), Image.new("RGB", (20, 20), (0, 0, 255))
    content = saved(first, "GIF", save_all=True, append_images=[second])
    assert decode(content)[3, 3].tolist() == RED_BGR


def test_a_large_picture_is_shrunk() -> None:
    content = saved(Image.new("RGB", (3000, 1000), RED), "JPEG")
    assert max(decode(content).shape[:2]) == LONGEST_SIDE_PX


def test_a_small_picture_keeps_its_size() -> None:
    small = np.zeros((9, 20, 3), np.uint8)
    assert limit_side(small, 30) is small
    assert limit_side(small, 10).shape == (4, 10, 3)


def test_a_decompression_bomb_is_not_opened() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    content = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )
    with pytest.raises(PictureError, match="pixels"):
        decode(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html>not a picture</html>", "known format"),
        (saved(Image.new("RGB", (4, 50)), "PNG"), "only 4 x 50"),
        (saved(Image.effect_noise((200, 200), 90), "JPEG")[:3000], "damaged"),
        (saved(Image.effect_noise((200, 200), 90), "PNG")[:3000], "damaged"),
    ],
)
def test_what_cannot_be_used_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decode(content)


def test_odd_files_are_skipped_by_name_and_the_rest_is_used(tmp_path: Path) -> None:
    write_dataset(tmp_path, 2)
    masked, bare = tmp_path / "with_mask", tmp_path / "without_mask"
    odd = masked / "Übung copy 2.jpg"  # a WebP under another name
    odd.write_bytes(encode(draw_face(0, 9), ".webp"))
    (masked / "broken.jpg").write_bytes(encode(draw_face(0, 10), ".jpg")[:500])
    (masked / "empty.png").write_bytes(b"")
    (masked / "notes.txt").write_text("nothing to see")
    (masked / "twin.png").write_bytes((masked / "0.png").read_bytes())
    both = encode(draw_face(0, 11))
    (masked / "both.png").write_bytes(both)
    (bare / "both too.png").write_bytes(both)

    dataset = read_dataset(tmp_path)

    assert [picture.path for picture in dataset.pictures] == [
        "with_mask/0.png",
        "with_mask/1.png",
        "with_mask/Übung copy 2.jpg",
        "without_mask/0.png",
        "without_mask/1.png",
    ]
    reasons = {item.path: item.reason for item in dataset.skipped}
    assert reasons.pop("with_mask/broken.jpg").startswith("damaged picture")
    assert reasons == {
        "with_mask/both.png": "the same picture is in both classes",
        "with_mask/empty.png": "empty file",
        "with_mask/notes.txt": "not a picture of a known format",
        "with_mask/twin.png": "same content as with_mask/0.png",
        "without_mask/both too.png": "the same picture is in both classes",
    }


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    (tmp_path / "with_mask").mkdir()
    with pytest.raises(ConfigError, match="without_mask"):
        read_dataset(tmp_path)


def test_a_class_without_a_picture_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path, 1)
    (tmp_path / "without_mask" / "0.png").unlink()
    with pytest.raises(ConfigError, match="without_mask: no usable picture"):
        read_dataset(tmp_path)


def test_the_digest_knows_contents_and_not_names() -> None:
    one, other = Picture("a.png", 0, "11"), Picture("b.png", 1, "22")
    renamed = Picture("c.png", 0, "11")
    assert digest_of([one, other]) == digest_of([other, renamed])
    assert digest_of([one, other]) != digest_of([one])


def test_unreadable_dimensions_are_no_crash() -> None:
    content = bytearray(encode(np.zeros((20, 20, 3), np.uint8)))
    content[16:20] = b"\0\0\0\0"
    with pytest.raises(PictureError):
        decode(bytes(content))
