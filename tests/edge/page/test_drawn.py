from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.config import DetectorSettings
from edge.errors import ConfigError
from edge.page.drawn import AreaBook, DrawnArea, Origin

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
TOP = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
SLIVER = ((0.0, 0.0), (0.001, 0.0), (0.001, 0.001))


def open_book(folder: Path, **settings: object) -> AreaBook:
    return AreaBook(msgspec.convert(settings, DetectorSettings), folder)


def test_without_a_drawing_the_whole_picture_is_watched(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    assert book.origin is Origin.WHOLE
    assert book.take() is None


def test_what_is_drawn_is_taken_once_and_is_there_after_a_restart(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    book.draw(DrawnArea((LEFT,), (TOP,)))
    area = book.take()
    assert area is not None
    assert area.holds(0.2, 0.8)
    assert not area.holds(0.8, 0.8)
    assert not area.holds(0.2, 0.2)
    assert book.take() is None
    again = open_book(tmp_path)
    assert again.origin is Origin.DRAWN
    assert again.present == DrawnArea((LEFT,), (TOP,))
    assert again.take() is not None


def test_the_area_before_can_be_gone_back_to_and_forth(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    assert not book.can_undo
    with pytest.raises(ConfigError, match="nothing to go back to"):
        book.undo()
    book.draw(DrawnArea((LEFT,)))
    book.draw(DrawnArea((TOP,)))
    book.undo()
    assert book.present == DrawnArea((LEFT,))
    book.undo()
    assert book.present == DrawnArea((TOP,))


@pytest.mark.parametrize(
    "drawn",
    [DrawnArea((SLIVER,)), DrawnArea((), (WHOLE,)), DrawnArea((LEFT,), (WHOLE,))],
)
def test_an_area_in_which_nothing_would_be_watched_is_refused(
    tmp_path: Path, drawn: DrawnArea
) -> None:
    book = open_book(tmp_path)
    with pytest.raises(ConfigError, match="nothing would be watched"):
        book.draw(drawn)
    assert book.origin is Origin.WHOLE
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["region", "regions", "excluded"])
def test_what_the_settings_say_is_changed_there_only(tmp_path: Path, key: str) -> None:
    open_book(tmp_path).draw(DrawnArea((TOP,)))
    value: object = LEFT if key == "region" else (LEFT,)
    book = open_book(tmp_path, **{key: value})
    assert book.origin is Origin.SETTINGS
    assert book.take() is None
    with pytest.raises(ConfigError, match=r"\[detector\] region, regions or excluded"):
        book.draw(DrawnArea((TOP,)))
    with pytest.raises(ConfigError, match=r"\[detector\] region, regions or excluded"):
        book.undo()


@pytest.mark.parametrize("content", [b"", b"{", b'{"regions": [[[0, 0], [1, 1]]]}', b'{"x": 1}'])
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "area.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"area\.json: damaged .*; remove it"):
        open_book(tmp_path)


def test_a_disk_that_takes_nothing_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    book = open_book(tmp_path)
    book._file = tmp_path / "file" / "area.json"
    with pytest.raises(ConfigError, match="nothing is changed"):
        book.draw(DrawnArea((LEFT,)))
    assert book.present == DrawnArea()
