"""The report as a table, and as CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from edge.history.records import Place
from edge.publish.schemas import as_text as as_text_of_schema
from edge.rates import Counted, Eyes
from edge.records import Verdict
from edge.report.period import day_period, week_period
from edge.report.records import Report
from edge.report.schemas import FILE, full_report_schema
from edge.report.text import ROWS, as_csv, as_text
from tests.edge.report.scene import BERLIN, Scene


def day_of(tmp_path: Path) -> Report:
    scene = Scene(tmp_path)
    scene.watch("2026-10-25 00:00", "2026-10-26 00:00")
    scene.people("2026-10-25 08:10", 9)
    scene.people("2026-10-25 08:20", 1, Verdict.BARE)
    event = scene.alert("2026-10-25 08:21")
    scene.acknowledge(event, "2026-10-25 09:21")
    said = scene.said[0]
    scene.said[0] = type(said)(
        said.event_id, said.at, said.by, said.reason, said.remedy, "=HYPERLINK(1)"
    )
    return scene.report(day_period(BERLIN, date(2026, 10, 25)))


def test_the_verdict_comes_first_and_the_hour_that_comes_twice_has_its_offset(
    tmp_path: Path,
) -> None:
    lines = as_text(day_of(tmp_path)).splitlines()
    assert lines[0] == "Masks worn: day 2026-10-25, door-1 (clinic)"
    assert lines[3].startswith("90 % wore a mask (95 % certain: 60 to 98 %), of 10 people; 1 alert")
    hours = [line.split("  ")[0] for line in lines if line[2:5] == ":00"]
    assert hours[:4] == ["00:00 to 02:00", "02:00+02:00", "02:00+01:00", "03:00 to 08:00"]


def test_csv_has_a_row_for_each_hour_and_its_sums_are_those_of_the_report(tmp_path: Path) -> None:
    report = day_of(tmp_path)
    rows = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert len(rows) == 25
    assert sum(int(row["counts.people"]) for row in rows) == report.counts.people
    assert {row["marks"] for row in rows} == {"", "summer-time"}
    assert rows[9]["rate.naive"] == "0.9"
    assert rows[7]["rate.naive"] == ""
    assert not any("{" in cell or "(" in cell for row in rows for cell in row.values())


def test_a_note_that_would_be_a_formula_is_text_in_csv(tmp_path: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv(day_of(tmp_path), "alerts")))
    assert row["note"] == "'=HYPERLINK(1)"
    assert row["remedy_s"] == "60.0"


def test_a_size_without_a_measurement_names_the_one_that_it_is_taken_as(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    for size_px in (16, 32, 64):
        scene.people("2026-11-29 08:00", 5, size_px=size_px)
    eyes = Eyes({24: Counted(30, 30), 48: Counted(40, 40)}, {24: Counted(29, 30)}, "a street")
    text = as_text(scene.report(day_period(BERLIN, date(2026, 11, 29)), eyes=eyes))
    rows = [re.split("  +", line.strip()) for line in text.splitlines() if " px  " in line]
    assert [row[2:] for row in rows] == [
        ["as from 24 px", "as from 24 px"],
        ["30 of 30 (100 %)", "29 of 30 (97 %)"],
        ["as from 24 px", "as from 24 px"],
        ["40 of 40 (100 %)", "as from 24 px"],
        ["as from 48 px", "as from 24 px"],
    ]
    assert "not measured" not in text


def test_what_was_wrong_is_said_in_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    scene.condition("broker-away", "2026-11-29 08:00", "2026-11-29 09:00")
    scene.condition("of-a-newer-release", "2026-11-29 08:00", "2026-11-29 09:00")
    report = scene.report(day_period(BERLIN, date(2026, 11, 29)))
    assert [each.text for each in report.conditions] == [
        "the broker could not be reached",
        "of-a-newer-release",
    ]


def test_a_camera_and_a_zone_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.watch("2026-11-29 00:00", "2026-11-29 12:00", camera="hall")
    scene.watch("2026-11-29 12:00", "2026-11-30 00:00")  # one camera again, without a name
    for place in (Place("hall", ""), Place("hall", "hall"), Place("", "hall"), Place()):
        scene.people("2026-11-29 08:00", 1, place=place)
        scene.alert("2026-11-29 08:00", place=place)
    lines = as_text(scene.report(day_period(BERLIN, date(2026, 11, 29)))).splitlines()
    table = lines[lines.index("BY ZONE") + 2 :][:4]
    names = ["no zone", "zone hall", "camera hall, no zone", "camera hall, zone hall"]
    assert [each.split("  ")[0] for each in table] == names
    alerts = lines[lines.index("ALERTS") + 2 :][:4]
    assert {re.split("  +", each)[1] for each in alerts} == {"no mask", *names[1:]}


@pytest.mark.parametrize("rows", ROWS)
def test_an_empty_report_has_a_table_and_csv_all_the_same(tmp_path: Path, rows: str) -> None:
    report = Scene(tmp_path).report(week_period(BERLIN, date(2026, 10, 25)))
    text = as_text(report)
    assert "Nothing is known of this week: it was before the first minute" in text
    assert "BY DAY" not in text
    head, *_ = as_csv(report, rows).splitlines()
    of_full = as_csv(day_of(tmp_path), rows).splitlines()
    assert head == of_full[0]
    assert head.count(",") > 3


def test_json_is_what_the_published_schema_says(tmp_path: Path) -> None:
    document = msgspec.json.decode(msgspec.json.encode(day_of(tmp_path)))
    schema = json.loads(FILE.read_text())
    Draft202012Validator(schema).validate(document)
    assert as_text_of_schema(full_report_schema()) == FILE.read_text(), (
        "run: python -m edge.report.schemas"
    )
