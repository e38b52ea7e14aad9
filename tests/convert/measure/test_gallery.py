from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from convert.measure.gallery import (
    CAPTION_PX,
    COLUMNS,
    MOST,
    TILE_PX,
    Mistake,
    read_mistakes,
    read_tiles,
    write_gallery,
    write_mistakes,
)

TILE = (np.full((50, 50, 3), 200, np.uint8), "bare 0.02")


def test_mistakes_lie_in_rows(tmp_path: Path) -> None:
    write_gallery([TILE] * (COLUMNS + 1), tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (2 * (TILE_PX + CAPTION_PX), COLUMNS * TILE_PX, 3)
    assert sheet[TILE_PX + CAPTION_PX, TILE_PX - 1].tolist() == [200, 200, 200]
    assert not sheet[-1, -1].any()


def test_a_sheet_has_an_end(tmp_path: Path) -> None:
    write_gallery([TILE] * (3 * MOST), tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert len(sheet) == MOST // COLUMNS * (TILE_PX + CAPTION_PX)


def test_no_mistake_leaves_no_sheet_behind(tmp_path: Path) -> None:
    write_gallery([TILE], tmp_path / "sheet.png")
    write_gallery([], tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


def test_the_worst_mistakes_are_read_back_with_their_crops(tmp_path: Path) -> None:
    path = tmp_path / "mistakes.json"
    crops = [np.full((TILE_PX, TILE_PX, 3), 2 * n, np.uint8) for n in range(MOST + 5)]
    mistakes = [
        (Mistake(f"{n}.png", "with_mask", "without_mask", n / 200, 20.0), crop)
        for n, crop in enumerate(crops)
    ]
    write_mistakes(mistakes, path)
    found = read_mistakes(path)
    assert found.count == MOST + 5
    assert found.worst == [mistake for mistake, _ in mistakes[:MOST]]
    tiles = list(read_tiles(path.with_suffix(".png")))
    assert [int(tile.mean()) for tile in tiles] == [2 * n for n in range(MOST)]


def test_no_gallery_has_no_tiles(tmp_path: Path) -> None:
    assert list(read_tiles(tmp_path / "absent.png")) == []
