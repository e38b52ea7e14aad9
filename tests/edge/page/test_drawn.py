from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from edge.config import DetectorSettings
from edge.errors import ConfigError
from edge.outline import crosses_itself
from edge.page.drawn import AreaBook, AreaOrigin, DrawnArea

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
TOP = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
SLIVER = ((0.0, 0.0), (0.001, 0.0), (0.001, 0.001))


def open_book(folder: Path, **settings: object) -> AreaBook:
    return AreaBook(msgspec.convert(settings, DetectorSettings), folder)


def test_without_a_drawing_the_whole_picture_is_watched(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    assert book.origin is AreaOrigin.WHOLE
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
    assert again.origin is AreaOrigin.DRAWN
    assert again.present == DrawnArea((LEFT,), (TOP,))
    assert again.take() is not None


def test_the_area_before_can_be_gone_back_to_and_forth(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    assert not book.can_undo
    with pytest.raises(ConfigError, match="nothing to undo"):
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
    assert book.origin is AreaOrigin.WHOLE
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["region", "regions", "excluded"])
def test_what_the_settings_say_is_changed_there_only(tmp_path: Path, key: str) -> None:
    open_book(tmp_path).draw(DrawnArea((TOP,)))
    value: object = LEFT if key == "region" else (LEFT,)
    book = open_book(tmp_path, **{key: value})
    assert book.origin is AreaOrigin.SETTINGS
    assert book.take() is None
    with pytest.raises(ConfigError, match=r"\[detector\] region, regions or excluded"):
        book.draw(DrawnArea((TOP,)))
    with pytest.raises(ConfigError, match=r"\[detector\] region, regions or excluded"):
        book.undo()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"regions": [[[0, 0], [1, 1]]]}',
        b'{"x": 1}',
        b'{"regi\xffons": []}',
        b"[" * 9999,
    ],
)
def test_a_damaged_file_stops_nothing_and_is_named_with_its_remedy(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "area.json").write_bytes(content)
    book = open_book(tmp_path)
    assert (book.origin, book.take()) == (AreaOrigin.WHOLE, None)
    assert re.search(r"area\.json: damaged .*; remove it, and draw the area again", book.damage)
    assert "until then the whole picture is watched" in caplog.text
    book.draw(DrawnArea((LEFT,)))
    assert book.damage == ""
    assert open_book(tmp_path).present == DrawnArea((LEFT,))


def test_a_damaged_area_before_cannot_be_gone_back_to_and_changes_nothing(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    book.draw(DrawnArea((LEFT,)))
    (tmp_path / "area.before.json").write_bytes(b'{"regi\xffons": []}')
    with pytest.raises(ConfigError, match=r"area\.before\.json: damaged"):
        book.undo()
    assert book.present == DrawnArea((LEFT,))


BOW = ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))


@pytest.mark.parametrize(
    ("polygon", "crosses"),
    [
        (LEFT, False),
        (BOW, True),
        # Hollow, but not crossing.
        (((0, 0), (1, 0), (1, 1), (0.5, 0.2), (0, 1)), False),
        # A corner on another side.
        (((0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)), True),
        # Twice through the same corner.
        (((0.5, 0.5), (1, 0), (1, 1), (0.5, 0.5), (0, 1), (0, 0)), True),
        # A corner that was set twice.
        ((LEFT[0], *LEFT), False),
        (((0, 0), (1, 0), (0, 1)), False),
    ],
)
def test_an_outline_that_crosses_itself_is_known(
    polygon: tuple[tuple[float, float], ...], crosses: bool
) -> None:
    assert crosses_itself(polygon) is crosses


def test_an_outline_that_crosses_itself_is_refused_by_its_name(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    with pytest.raises(ConfigError, match="the outline of region 2 crosses itself"):
        book.draw(DrawnArea((LEFT, BOW)))
    with pytest.raises(ConfigError, match="the outline of excluded area Poster crosses itself"):
        book.draw(DrawnArea((), (BOW,)), {BOW: "Poster"})
    assert not list(tmp_path.iterdir())


def test_names_are_kept_over_restarts_and_go_back_with_their_areas(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    book.draw(DrawnArea((LEFT,)), {LEFT: "Door"})
    book.draw(DrawnArea((LEFT,), (TOP,)), {LEFT: "Main door", TOP: "Poster"})
    again = open_book(tmp_path)
    assert (again.names((LEFT,)), again.names((TOP,))) == (("Main door",), ("Poster",))
    again.undo()
    assert again.names((LEFT, TOP)) == ("Door", "")
    again.undo()
    assert open_book(tmp_path).names((LEFT, TOP)) == ("Main door", "Poster")


def test_an_older_release_reads_an_area_with_names_and_what_it_draws_has_none(
    tmp_path: Path,
) -> None:
    open_book(tmp_path).draw(DrawnArea((LEFT,)), {LEFT: "Door"})
    # All that a release without names knew, and it refused everything else.
    assert json.loads((tmp_path / "area.json").read_text()).keys() == {"regions", "excluded"}
    (tmp_path / "area.json").write_bytes(msgspec.json.encode(DrawnArea((TOP,))))
    book = open_book(tmp_path)
    assert (book.present, book.names((TOP,))) == (DrawnArea((TOP,)), ("",))


@pytest.mark.parametrize("content", [b"{", b'{"present": "\xff"}'])
def test_damaged_names_are_no_names(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    open_book(tmp_path).draw(DrawnArea((LEFT,)), {LEFT: "Door"})
    (tmp_path / "area.names.json").write_bytes(content)
    book = open_book(tmp_path)
    assert (book.present, book.names((LEFT,))) == (DrawnArea((LEFT,)), ("",))
    assert "the regions have no names" in caplog.text


def test_a_disk_that_takes_nothing_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    book = open_book(tmp_path)
    book._file = tmp_path / "file" / "area.json"
    with pytest.raises(ConfigError, match="nothing was changed"):
        book.draw(DrawnArea((LEFT,)))
    assert book.present == DrawnArea()
