import logging
from pathlib import Path

import cv2
import pytest

from edge.capture.folder import Folder
from edge.config import CameraSettings
from edge.errors import PictureError
from tests.edge.capture.fakes import number_shown, numbered

SETTINGS = CameraSettings(source="folder", fps=4)


def fill(folder: Path, *names: str) -> Path:
    """Write a picture for each name, numbered in the order given."""
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), numbered(number))
    return folder


def shown(folder: Folder) -> list[tuple[float, int | None]]:
    pictures: list[tuple[float, int | None]] = []
    while (media_s := folder.advance()) is not None:
        pixels = folder.pixels()
        pictures.append((media_s, None if pixels is None else number_shown(pixels)))
    return pictures


def test_names_are_in_natural_order_at_the_rate_they_stand_for(tmp_path: Path) -> None:
    fill(tmp_path, "a9.png", "a10.jpg", "B2.PNG", "b11x1.bmp", "b11x02.webp")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "deeper.png").mkdir()
    (tmp_path / "deeper.png").rmdir()
    assert shown(Folder(tmp_path, SETTINGS)) == [(0, 0), (0.25, 1), (0.5, 2), (0.75, 3), (1, 4)]


def test_an_unreadable_picture_is_named_once_and_its_place_stays_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    folder = Folder(tmp_path, SETTINGS)
    with caplog.at_level(logging.WARNING):
        assert shown(folder) == [(0, 0), (0.25, None), (0.5, 2)]
        folder.rewind()
        assert shown(folder) == [(0, 0), (0.5, 2)]
    assert caplog.messages == ["skipped: 2.png: not a JPEG, PNG, WebP or BMP picture"]


def test_a_folder_of_unreadable_pictures_ends_instead_of_turning_for_ever(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"broken")
    folder = Folder(tmp_path, SETTINGS)
    assert shown(folder) == [(0, None)]
    folder.rewind()
    assert folder.advance() is None


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(PictureError, match=f"{tmp_path.name}: no pictures in this folder"):
        Folder(tmp_path, SETTINGS)
