"""Zones that are drawn on the page, and their file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import MOST_ZONES, DetectorSettings, ZonePolicy, ZoneSettings
from edge.errors import ConfigError
from edge.page.drawn import AreaBook, DrawnArea
from edge.page.drawn_zones import FILE, ZoneBook
from edge.page.wire import DrawnZone

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
SMALL = ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2))
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
BOW = ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
GATE = DrawnZone("Gate", LEFT, ZonePolicy.COUNT)


def names(zones: tuple[ZoneSettings, ...] | None) -> list[str]:
    return [each.name for each in zones or ()]


def test_without_a_drawing_there_are_no_zones(tmp_path: Path) -> None:
    book = ZoneBook((), tmp_path)
    assert (book.present, book.take(), book.can_undo, book.damage) == ((), None, False, "")


def test_what_was_drawn_holds_at_once_and_after_a_restart(tmp_path: Path) -> None:
    book = ZoneBook((), tmp_path)
    book.draw(book.of([GATE]))
    assert names(book.take()) == ["Gate"]
    assert book.take() is None
    again = ZoneBook((), tmp_path)
    (zone,) = again.take() or ()
    assert (zone.name, zone.policy, zone.polygon) == ("Gate", "count", LEFT)


def test_undo_goes_back_by_one_and_over_a_restart(tmp_path: Path) -> None:
    book = ZoneBook((), tmp_path)
    book.draw(book.of([GATE]))
    book.draw(book.of([DrawnZone("Hall", WHOLE)]))
    again = ZoneBook((), tmp_path)
    assert again.can_undo
    again.undo()
    assert names(again.present) == ["Gate"]
    again.undo()
    assert names(again.present) == ["Hall"]


def test_where_two_overlap_the_smaller_holds(tmp_path: Path) -> None:
    book = ZoneBook((), tmp_path)
    drawn = [DrawnZone("whole", WHOLE), DrawnZone("small", SMALL), DrawnZone("left", LEFT)]
    assert names(book.of(drawn)) == ["small", "left", "whole"]


def test_keys_that_the_page_does_not_show_stay(tmp_path: Path) -> None:
    kept = {"name": "Gate", "polygon": LEFT, "confirm_s": 4.0, "hours": ["06:00-22:00"]}
    (tmp_path / FILE).write_text(json.dumps({"present": [kept]}))
    book = ZoneBook((), tmp_path)
    (zone,) = book.of([GATE])
    assert (zone.policy, zone.confirm_s, zone.hours) == ("count", 4.0, ("06:00-22:00",))


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ([GATE, DrawnZone("GATE ", SMALL)], "two zones are called GATE: rename one of them"),
        ([DrawnZone("  ", LEFT)], "zone 1 has no name: give it one"),
        ([DrawnZone("Gate", BOW)], "the outline of zone Gate crosses itself: move a corner"),
        ([DrawnZone("Gate", (LEFT[0],) * 3)], "zone Gate: polygon: too small"),
        ([DrawnZone("a\nb", LEFT)], "zone a\nb: "),
        ([DrawnZone(f"z{n}", LEFT) for n in range(MOST_ZONES + 1)], "21 zones are too many: 20"),
    ],
)
def test_what_is_wrong_is_said_by_name(drawn: list[DrawnZone], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        ZoneBook((), tmp_path).of(drawn)
    assert str(error.value).startswith(said)


def test_zones_of_the_settings_are_not_drawn(tmp_path: Path) -> None:
    ZoneBook((), tmp_path).draw(ZoneBook((), tmp_path).of([GATE]))
    there = (msgspec.convert({"name": "Ward", "polygon": LEFT}, ZoneSettings),)
    book = ZoneBook(there, tmp_path)
    assert names(book.take()) == ["Ward"]
    assert not book.can_undo
    with pytest.raises(ConfigError, match=r"the settings name the zones, \[\[zone\]\]"):
        book.of([GATE])
    book.draw(book.of([DrawnZone("Ward", LEFT)]))
    book.undo()
    assert names(book.present) == ["Ward"]
    assert names(ZoneBook((), tmp_path).present) == ["Gate"]


@given(st.binary(max_size=200) | st.just(b'{"present": [{"name": "a"}]}') | st.just(b"[]"))
def test_a_damaged_file_leaves_no_zones_and_says_so(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_bytes(content)
        book = ZoneBook((), Path(folder))
        assert book.present == ()
        assert book.damage.startswith(f"{folder}/{FILE}: damaged") or content.strip()[:1] == b"{"
        book.draw(book.of([GATE]))
        assert names(ZoneBook((), Path(folder)).present) == ["Gate"]


def test_what_a_newer_release_has_written_beyond_is_left_out(tmp_path: Path) -> None:
    kept = {"name": "Gate", "polygon": LEFT, "novel": 1}
    (tmp_path / FILE).write_text(json.dumps({"present": [kept], "novel": {}}))
    book = ZoneBook((), tmp_path)
    assert (names(book.present), book.damage) == (["Gate"], "")


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    book = ZoneBook((), tmp_path / "file")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="the zones are as before"):
        book.draw(book.of([GATE]))
    assert (book.present, book.take()) == ((), None)


def test_an_area_file_of_an_older_release_is_as_it_was(tmp_path: Path) -> None:
    """It refuses a field that it does not know, and must run after a rollback."""
    book, area = ZoneBook((), tmp_path), AreaBook(DetectorSettings(), tmp_path)
    area.draw(DrawnArea((LEFT,)))
    book.draw(book.of([GATE]))
    assert set(json.loads((tmp_path / "area.json").read_text())) == {"regions", "excluded"}
