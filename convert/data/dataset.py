"""Read a data set: a folder with one folder of pictures per class, whatever the files are called.

Files are told apart by content only. Whatever cannot be used is skipped and named with its reason.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.classify.card import BARE, LABELS, MASKED
from edge.errors import ConfigError, PictureError
from edge.pixels import resize, scaled_size
from edge.records import Pixels

NEEDED = (LABELS[MASKED], LABELS[BARE])
LONGEST_SIDE_PX = 640
"""Pictures are shrunk to this longest side: a face that fills one still has several times the
network's input."""
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 100_000_000
"""Above this a file is taken for a decompression bomb. A 100-megapixel camera stays below."""
SMALLEST_SIDE_PX = 8

Progress = Callable[[Iterable[str]], Iterable[str]]


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A picture that can be used."""

    path: str
    """Relative to the data set, with forward slashes."""
    label: int
    """Index into `edge.classify.card.LABELS`."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dataset:
    folder: Path
    pictures: tuple[Picture, ...]
    """Sorted by path; no content occurs twice."""
    skipped: tuple[Skipped, ...]

    def read(self, picture: Picture) -> Pixels:
        return decode((self.folder / picture.path).read_bytes())

    @property
    def digest(self) -> str:
        """The sha256 over the sorted sha256 of the pictures."""
        return digest_of(self.pictures)


def digest_of(pictures: Iterable[Picture]) -> str:
    """Return the sha256 over the sorted sha256 of `pictures`: their identity, not their names."""
    lines = "".join(f"{sha256}\n" for sha256 in sorted(picture.sha256 for picture in pictures))
    return hashlib.sha256(lines.encode()).hexdigest()


def decode(content: bytes, longest_side_px: int = LONGEST_SIDE_PX) -> Pixels:
    """Return the first frame of the picture in `content` as a camera would have given it.

    uint8 BGR, upright, transparency over white, at most `longest_side_px` long. Raises
    PictureError.
    """
    if not content:
        raise PictureError("empty file")
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PictureError(f"{width} x {height} pixels are more than this program opens")
            if min(width, height) < SMALLEST_SIDE_PX:
                raise PictureError(f"only {width} x {height} pixels")
            # Lets the JPEG decoder shrink while it decodes; does nothing for other formats.
            image.draft(None, (2 * longest_side_px, 2 * longest_side_px))
            rgb = _on_white(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise PictureError("not a picture of a known format") from error
    except Image.DecompressionBombError as error:
        raise PictureError("more pixels than this program opens") from error
    # Pillow's decoders raise all of these on damaged files.
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        raise PictureError(f"damaged picture ({error})") from error
    pixels = np.ascontiguousarray(np.asarray(rgb, np.uint8)[..., ::-1])
    return limit_side(pixels, longest_side_px)


def limit_side(pixels: Pixels, longest_side_px: int) -> Pixels:
    """Shrink a picture to at most `longest_side_px`; smaller ones are returned as they are."""
    ratio = longest_side_px / max(pixels.shape[:2])
    if ratio >= 1:
        return pixels
    return resize(pixels, scaled_size(pixels, ratio))


def _on_white(image: Image.Image) -> Image.Image:
    """Return `image` as RGB, laid on white where it is transparent."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image, np.float32))).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    transparent = image.convert("RGBA")
    white = Image.new("RGBA", transparent.size, "white")
    return Image.alpha_composite(white, transparent).convert("RGB")


def _to_8_bit(grey: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Pixels:
    """Map gray levels of 16 bits or more onto 8; `convert` would saturate all above 255."""
    full = 65535.0 if grey.max(initial=0) > 255 else 255.0
    return np.asarray(np.clip(grey * (255 / full), 0, 255), np.uint8)


def _examine(path: Path) -> tuple[str, str]:
    """Return (sha256, reason not to use the file or "")."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return "", f"larger than {MAX_FILE_BYTES // 2**20} MiB"
        content = path.read_bytes()
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"
    try:
        decode(content)
    except PictureError as error:
        return "", str(error)
    return hashlib.sha256(content).hexdigest(), ""


def read_dataset(folder: Path, progress: Progress = lambda names: names) -> Dataset:
    """List the usable pictures of `folder`, which has one folder per class of `LABELS`.

    That of masks worn wrongly may be missing. `progress` wraps the iteration over file names. A
    content that occurs twice in one class is used once; one that occurs in two classes is used in
    neither, since nobody can say which is right.
    Raises ConfigError when a class folder is missing or has no usable picture.
    """
    files: list[tuple[int, Path]] = []
    classes = [name for name in LABELS if name in NEEDED or (folder / name).is_dir()]
    for name in classes:
        label, class_folder = LABELS.index(name), folder / name
        if not class_folder.is_dir():
            raise ConfigError(
                f"{class_folder}: no such folder; a data set has one folder per class: "
                + ", ".join(NEEDED)
            )
        files += [(label, path) for path in sorted(class_folder.rglob("*")) if path.is_file()]
    names = [path.relative_to(folder).as_posix() for _, path in files]
    found: dict[str, list[Picture]] = defaultdict(list)
    skipped: list[Skipped] = []
    with ThreadPoolExecutor() as pool:
        examined = pool.map(_examine, [path for _, path in files])
        for name, (label, _), (sha256, reason) in zip(
            progress(names), files, examined, strict=True
        ):
            if reason:
                skipped.append(Skipped(name, reason))
            else:
                found[sha256].append(Picture(name, label, sha256))
    pictures: list[Picture] = []
    for first, *others in found.values():
        if any(other.label != first.label for other in others):
            skipped += [
                Skipped(p.path, "the same picture is in both classes") for p in (first, *others)
            ]
            continue
        pictures.append(first)
        skipped += [Skipped(other.path, f"same content as {first.path}") for other in others]
    for name in classes:
        if not any(picture.label == LABELS.index(name) for picture in pictures):
            raise ConfigError(
                f"{folder / name}: no usable picture; put pictures of that class there"
            )
    return Dataset(
        folder,
        tuple(sorted(pictures, key=lambda picture: picture.path)),
        tuple(sorted(skipped, key=lambda item: item.path)),
    )


def labels_of(pictures: Sequence[Picture]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([picture.label for picture in pictures], np.int64)
