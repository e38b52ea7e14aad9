"""Contact sheets: what a model got wrong, to be looked at. They show people: never publish one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np

from convert.files import read_document, write_atomically, write_document
from edge.classify.card import BARE, LABELS
from edge.classify.preprocess import resize_square
from edge.records import Pixels

TILE_PX = 96
CAPTION_PX = 12
COLUMNS = 12
MOST = 96
GALLERY_MARGIN = 2.0
"""Of the crops, in sides of a face: more than the network sees, enough to tell what it was."""


class Mistake(msgspec.Struct, frozen=True):
    """A picture, or a face in it, that is called wrongly."""

    picture: str
    """Its path in the data set."""
    truth: str
    answer: str
    """Both are labels."""
    probability: float
    """Of the truth."""
    face_px: float | None = None

    @property
    def caption(self) -> str:
        size = "" if self.face_px is None else f" {self.face_px:.0f}px"
        return f"{'bare' if self.truth == LABELS[BARE] else 'mask'} {self.probability:.2f}{size}"


class Mistakes(msgspec.Struct, frozen=True):
    """`mistakes-PART.json`: kept apart from the figures, since it names pictures."""

    count: int
    """Of all mistakes."""
    worst: list[Mistake]
    """The first `MOST`, the surest mistakes first: as the tiles of the gallery beside it."""


def write_mistakes(mistakes: Sequence[tuple[Mistake, Pixels]], path: Path) -> None:
    """Write the mistakes, the surest first, as a JSON file and a gallery of that name."""
    worst = [mistake for mistake, _ in mistakes[:MOST]]
    write_document(path, Mistakes(len(mistakes), worst))
    tiles = [(crop, mistake.caption) for mistake, crop in mistakes]
    write_gallery(tiles, path.with_suffix(".png"))


def read_mistakes(path: Path) -> Mistakes:
    """Read what `evaluate` wrote. Raises ConfigError."""
    return read_document(path, Mistakes, "evaluate")


def read_tiles(path: Path) -> Iterator[Pixels]:
    """Yield the crops of a gallery without their captions, and what fills its last row.

    (TILE_PX, TILE_PX, 3) uint8 BGR. None where there is no such file.
    """
    sheet = cv2.imread(str(path)) if path.exists() else None
    if sheet is None:
        return
    for top in range(0, len(sheet), TILE_PX + CAPTION_PX):
        for left in range(0, sheet.shape[1], TILE_PX):
            yield np.asarray(sheet[top : top + TILE_PX, left : left + TILE_PX], np.uint8)


def write_gallery(tiles: Sequence[tuple[Pixels, str]], path: Path) -> None:
    """Write the first `MOST` square crops with their captions as a PNG; none: no file."""
    path.unlink(missing_ok=True)
    if not tiles:
        return
    shown = [_tile(crop, caption) for crop, caption in tiles[:MOST]]
    shown += [np.zeros_like(shown[0])] * (-len(shown) % COLUMNS)
    rows = [np.hstack(shown[at : at + COLUMNS]) for at in range(0, len(shown), COLUMNS)]
    _, content = cv2.imencode(".png", np.vstack(rows))
    write_atomically(path, content.tobytes())


def _tile(crop: Pixels, caption: str) -> Pixels:
    tile = np.zeros((TILE_PX + CAPTION_PX, TILE_PX, 3), np.uint8)
    tile[:TILE_PX] = resize_square(crop, TILE_PX)
    place = (1, TILE_PX + CAPTION_PX - 3)
    cv2.putText(tile, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.33, (255, 255, 255))
    return tile
