from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from convert.measure.gallery import CAPTION_PX, COLUMNS, MOST, TILE_PX, write_gallery

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
