"""Contact sheets: what a model got wrong, to be looked at. They show people: never publish one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from convert.files import write_atomically
from edge.classify.preprocess import resize_square
from edge.records import Pixels

TILE_PX = 96
CAPTION_PX = 12
COLUMNS = 12
MOST = 96
GALLERY_MARGIN = 2.0
"""Of the crops, in sides of a face: more than the network sees, enough to tell what it was."""


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
