"""Who has signed what is found again, and nothing is signed that was not looked at."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.history.records import EntryKind, Place
from edge.report.period import day_period
from edge.report.records import Report
from edge.report.signing import MOST_SIGN_OFFS, sign_off, sign_off_text
from tests.edge.report.scene import BERLIN, LATER, Scene

SUNDAY = day_period(BERLIN, date(2026, 11, 29))
AT = LATER - timedelta(days=1)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    for zone in ("north entrance", "hall"):
        scene.people("2026-11-29 08:00", 3, place=Place(zone=zone))
    return scene


def signed(report: Report) -> list[tuple[str, str, bool | None]]:
    return [(each.by, each.note, each.is_same) for each in report.signed_off]


def test_a_zone_is_signed_by_its_name_with_a_note_and_no_other_report_is(scene: Scene) -> None:
    report = scene.report(SUNDAY, zone="north entrance")
    sign_off(scene.path, report, "A. Example", "checked twice", AT)
    again = scene.report(SUNDAY, zone="north entrance")
    assert signed(again) == [("A. Example", "checked twice", True)]
    assert again.digest == report.digest
    assert signed(scene.report(SUNDAY)) == signed(scene.report(SUNDAY, zone="hall")) == []


def test_an_entry_of_an_earlier_release_is_found_again(scene: Scene) -> None:
    report = scene.report(SUNDAY)
    text = f"day 2026-11-29 {report.digest}"
    assert sign_off_text(report, "/2 of it") == f"{text}/1 /2 of it"
    for each in (text, f"{text} /2 of it", "no such thing", "day 2026-11-29 abc", f"{text}x"):
        scene.entry("2026-12-02 09:00", EntryKind.SIGNED_OFF, each, "A. Example")
    assert signed(scene.report(SUNDAY)) == [
        ("A. Example", "", True),
        ("A. Example", "/2 of it", True),
    ]


def test_what_a_newer_release_has_signed_is_not_said_to_have_changed(scene: Scene) -> None:
    text = f"day 2026-11-29 {'0' * 64}"
    for number, each in enumerate((f"{text}/9999 a note", f"{text}/1")):
        scene.entry(f"2026-12-02 09:0{number}", EntryKind.SIGNED_OFF, each, "A. Example")
        report = scene.report(SUNDAY)
        is_changed = "What was signed off is not what this report says now." in report.notes
        assert is_changed is (number == 1)
    assert [(each.is_same, each.version) for each in report.signed_off] == [
        (None, 9999),
        (False, 1),
    ]


def test_the_same_once_more_is_no_entry_and_a_correction_is_one(scene: Scene) -> None:
    for note in ("", "", "one hour was dark", "one hour was dark"):
        sign_off(scene.path, scene.report(SUNDAY), "A. Example", note, AT)
    assert [each[1] for each in signed(scene.report(SUNDAY))] == ["", "one hour was dark"]


def test_a_report_is_not_signed_without_end(scene: Scene) -> None:
    for number in range(MOST_SIGN_OFFS):
        sign_off(scene.path, scene.report(SUNDAY), f"person {number}", "", AT)
    with pytest.raises(ConfigError, match="signed off 20 times"):
        sign_off(scene.path, scene.report(SUNDAY), "one more", "", AT)


def test_who_signs_on_the_page_does_not_take_the_turn_of_others_nor_of_other_figures(
    scene: Scene,
) -> None:
    event = scene.alert("2026-11-29 08:10")
    for number in range(MOST_SIGN_OFFS):
        sign_off(scene.path, scene.report(SUNDAY), f"page person {number}", "", AT)
    with pytest.raises(ConfigError, match="these figures were signed off 20 times"):
        sign_off(scene.path, scene.report(SUNDAY), "page one more", "", AT)
    sign_off(scene.path, scene.report(SUNDAY), "A. Manager", "", AT)
    scene.acknowledge(event, "2026-12-03 09:00")
    sign_off(scene.path, scene.report(SUNDAY), "page of the new figures", "", AT)
    assert [each[0] for each in signed(scene.report(SUNDAY))[-2:]] == [
        "A. Manager",
        "page of the new figures",
    ]
