"""Read a boxed set: `images/` of streets and crowds, and a Pascal VOC file in `annotations/` each.

The objects' names are the kinds of faces in `LABELS`, or `mask_weared_incorrect` for the last of
them. A set without the second folder has the labels that were added to it (`added.json`).
Whatever cannot be used is skipped and named with its reason.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from convert.data.added import SAME_IOU, Word, added_to, nothing_in
from convert.data.dataset import Picture, Skipped, decode
from convert.data.split import pictures_of
from edge.classify.card import BARE, LABELS, MASKED, NOBODY, WORN_WRONGLY
from edge.errors import ConfigError, PictureError
from edge.records import Box, Pixels

INCORRECT = "mask_weared_incorrect"
KINDS: dict[Word, int] = {"masked": MASKED, "bare": BARE, "worn_wrongly": WORN_WRONGLY}
"""The labels of faces that were added."""
LARGEST_SIDE_PX = 4096
"""Boxed pictures are never shrunk: the size of their faces is what they are there for."""
MAX_ANNOTATION_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A face that a person has boxed."""

    box: Box
    """In pixels of the picture, clipped to it."""
    label: int
    """Index into `edge.classify.card.LABELS`."""


@dataclass(frozen=True, slots=True)
class BoxedPicture:
    picture: Picture
    """Its label is that of `without_mask` where it shows a bare face."""
    faces: tuple[LabelledFace, ...]
    unsure: tuple[Box, ...] = ()
    """Faces of which nobody can say whether they wear a mask."""
    nothing: tuple[Box, ...] = ()
    """What detectors take for a face, and is none."""
    is_of_person: bool = False
    """What comes before `_` in its name is the person, as in all sets without annotations."""
    folder: Path = field(default=Path(), repr=False, compare=False)
    """Where it lies, which is none of its properties."""

    def read(self) -> Pixels:
        return _decode((self.folder / self.picture.path).read_bytes())


@dataclass(frozen=True, slots=True)
class BoxedSet:
    folder: Path
    pictures: tuple[BoxedPicture, ...]
    """Sorted by path; no content occurs twice. A picture may be without a face."""
    skipped: tuple[Skipped, ...]

    def of_part(self, part: str, split: Path | None) -> list[BoxedPicture]:
        """Return the pictures of a part, see `pictures_of`. Raises ConfigError."""
        chosen = set(pictures_of([item.picture for item in self.pictures], part, split))
        return [item for item in self.pictures if item.picture in chosen]


def read_boxed(
    folder: Path, progress: Callable[[Iterable[Path]], Iterable[Path]] = lambda paths: paths
) -> BoxedSet:
    """List the usable pictures of `folder`. Raises ConfigError when there is none."""
    if not (folder / "images").is_dir():
        raise ConfigError(
            f"{folder / 'images'}: no such folder; a boxed set has images/ and annotations/"
        )
    is_annotated = (folder / "annotations").is_dir()
    annotations = {path.stem: path for path in (folder / "annotations").glob("*.xml")}
    found: dict[str, BoxedPicture] = {}
    skipped: list[Skipped] = []
    files = sorted(path for path in (folder / "images").iterdir() if path.is_file())
    for path in progress(files):
        name = path.relative_to(folder).as_posix()
        annotation = annotations.get(path.stem)
        if annotation is None and is_annotated:
            skipped.append(Skipped(name, "no annotation"))
            continue
        faces: tuple[LabelledFace, ...] = ()
        try:
            content = path.read_bytes()
            pixels = _decode(content)
            if annotation is not None:
                faces, odd = parse_annotation(annotation.read_bytes(), *pixels.shape[1::-1])
                of_file = annotation.relative_to(folder).as_posix()
                skipped += [Skipped(of_file, line) for line in odd]
        except (OSError, PictureError) as error:
            skipped.append(Skipped(name, str(error)))
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in found:
            skipped.append(Skipped(name, f"same content as {found[sha256].picture.path}"))
            continue
        added = added_to(sha256)
        if not (is_annotated or added):
            skipped.append(Skipped(name, "no label was added to it"))
            continue
        # By the set's own labels: what is added later must not move pictures to another part.
        label = BARE if any(face.label == BARE for face in faces) else MASKED
        # One of the set's own faces that is there a second time is relabeled.
        faces = tuple(
            face for face in faces if all(a.box.iou(face.box) < SAME_IOU for a in added)
        ) + tuple(LabelledFace(a.box, KINDS[a.word]) for a in added if a.word in KINDS)
        found[sha256] = BoxedPicture(
            Picture(name, label, sha256),
            faces,
            unsure=tuple(a.box for a in added if a.word == "unsure"),
            nothing=nothing_in(sha256),
            is_of_person=not is_annotated,
            folder=folder,
        )
    pictured = {path.stem for path in files}
    skipped += [
        Skipped(path.relative_to(folder).as_posix(), "no picture")
        for stem, path in annotations.items()
        if stem not in pictured
    ]
    if not found:
        raise ConfigError(f"{folder / 'images'}: no usable picture with an annotation")
    return BoxedSet(
        folder, tuple(found.values()), tuple(sorted(skipped, key=lambda item: item.path))
    )


def parse_annotation(
    content: bytes, width: int, height: int
) -> tuple[tuple[LabelledFace, ...], list[str]]:
    """Return the faces of a picture of that size, and a line about each object that is none.

    The sides are taken as they are written, `xmax` half-open. Raises PictureError when the file as
    a whole cannot be used.
    """
    try:
        # As text, the document cannot name an encoding in which the next check would be blind.
        text = content[: MAX_ANNOTATION_BYTES + 1].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PictureError("annotation is not UTF-8") from error
    if len(content) > MAX_ANNOTATION_BYTES or "<!DOCTYPE" in text:
        # A document type may define entities that grow without bound or read other files.
        raise PictureError("annotation is too large or has a document type")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise PictureError(f"annotation is damaged ({error})") from error
    size = (_number(root, "size/width"), _number(root, "size/height"))
    if size not in ((width, height), (0, 0), (None, None)):
        raise PictureError(f"annotated as {size[0]} x {size[1]}, but is {width} x {height}")
    faces: list[LabelledFace] = []
    odd: list[str] = []
    for number, item in enumerate(root.iter("object"), 1):
        name = (item.findtext("name") or "").strip()
        left, top, right, bottom = (
            _number(item, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")
        )
        if name not in (*LABELS[:NOBODY], INCORRECT):
            odd.append(f"object {number}: unknown class {name!r}")
            continue
        if left is None or top is None or right is None or bottom is None:
            odd.append(f"object {number}: a side of the box is missing or not a number")
            continue
        try:
            inside = Box(left, top, right, bottom).clipped(width, height)
        except ValueError:
            inside = None
        if inside is None:
            odd.append(f"object {number}: the box has no area in the picture")
            continue
        label = WORN_WRONGLY if name == INCORRECT else LABELS.index(name)
        faces.append(LabelledFace(inside, label))
    return tuple(faces), odd


def _number(element: ET.Element, path: str) -> float | None:
    try:
        return float(element.findtext(path) or "")
    except ValueError:
        return None


def _decode(content: bytes) -> Pixels:
    pixels = decode(content, 2 * LARGEST_SIDE_PX)
    if max(pixels.shape[:2]) > LARGEST_SIDE_PX:
        raise PictureError(f"longer than {LARGEST_SIDE_PX} px")
    return pixels
