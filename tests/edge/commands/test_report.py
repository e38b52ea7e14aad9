"""`tensormask report`: its periods, its formats, and what it says where it cannot."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from edge.cli import main
from edge.history.records import EntryKind, Place
from edge.history.store import create
from tests.edge.report.scene import Scene

CONFIG = """
[mqtt]
host = "localhost"
[device]
id = "door-1"
[outbox]
path = "{folder}/outbox.sqlite"
[calendar]
time_zone = "Europe/Berlin"
shifts = [{{ name = "early", hours = ["06:00-14:00"] }}]
"""


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    (tmp_path / "t.toml").write_text(CONFIG.format(folder=tmp_path))
    (tmp_path / "t.toml").chmod(0o600)
    scene = Scene(tmp_path)
    scene.watch("2026-10-25 00:00", "2026-10-26 00:00")
    scene.people("2026-10-25 08:10", 4)
    scene.people("2026-10-25 08:10", 5, place=Place("", "Gate"))
    return scene


def said(
    scene: Scene, capsys: pytest.CaptureFixture[str], *words: str, status: int = 0
) -> tuple[str, str]:
    assert main(["report", "--config", str(scene.path.with_name("t.toml")), *words]) == status
    return tuple(capsys.readouterr())  # type: ignore[return-value]


def test_each_period_is_reported(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.write()
    for words, name in (
        (("--day", "2026-10-25"), "day 2026-10-25"),
        (("--week", "2026-W43"), "week 2026-W43"),
        (("--month", "2026-10"), "month 2026-10"),
        (("--shift", "early", "2026-10-25"), "shift 2026-10-25 early"),
    ):
        assert f"Masks worn: {name}, door-1" in said(scene, capsys, *words)[0]


def test_json_has_what_the_schema_names(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.write()
    out, _ = said(scene, capsys, "--day", "2026-10-25", "--format", "json")
    report = json.loads(out)
    assert report["schema"] == "tensormask/full-report/1"
    assert report["counts"]["people"] == 9
    alike = json.loads(said(scene, capsys, "--day", "2026-10-25", "--json")[0])
    assert alike["digest"] == report["digest"]


def test_a_file_is_written_whole(
    scene: Scene, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scene.write()
    file = tmp_path / "day.csv"
    out, error = said(
        scene, capsys, "--day", "2026-10-25", "--format", "csv", "--output", str(file)
    )
    assert out == ""
    assert f"{file}: " in error
    assert len(file.read_text().splitlines()) == 26


def test_the_ending_is_the_format_and_a_kept_report_is_not_overwritten_nor_signed(
    scene: Scene, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scene.write()
    kept = tmp_path / "day.HTM"
    words = ("--day", "2026-10-25", "--output", str(kept))
    said(scene, capsys, *words)
    page = kept.read_bytes()
    assert page.startswith(b"<!doctype html>")
    _, error = said(scene, capsys, *words, "--sign-off", "A. Example", status=78)
    assert f"--output: {kept} is there already; remove it, or give another name" in error
    assert kept.read_bytes() == page
    assert "A. Example" not in said(scene, capsys, "--day", "2026-10-25")[0]


def test_a_sign_off_is_in_the_next_report_and_a_period_that_goes_on_is_refused(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.write()
    out, _ = said(scene, capsys, "--day", "2026-10-25", "--sign-off", "A. Example")
    assert out.startswith("signed off by A. Example: day 2026-10-25, sha256 ")
    assert "A. Example  this report" in said(scene, capsys, "--day", "2026-10-25")[0]
    _, error = said(scene, capsys, "--sign-off", "A. Example", status=78)
    assert "is not over: sign off what cannot change any more" in error


def test_only_the_figures_that_were_looked_at_are_signed(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.write()
    day = ("--day", "2026-10-25")
    sign = (*day, "--sign-off", "A. Example", "--note", "checked", "--sha256")
    _, error = said(scene, capsys, *sign, "0" * 64, status=78)
    assert "the figures have changed" in error
    digest = json.loads(said(scene, capsys, *day, "--format", "json")[0])["digest"]
    out, _ = said(scene, capsys, *sign, digest)
    assert out.startswith("signed off by A. Example: day 2026-10-25, sha256 ")
    assert re.search("A. Example +this report +checked", out)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--day", "29.11.2026"), "'29.11.2026' is no day; write 2026-11-29"),
        (("--day", "2099-01-01"), "day 2099-01-01 has not begun yet"),
        (("--shift", "late"), "no shift is named late; known are early"),
        (("--shift", "early", "today", "now"), "--shift takes a name and a day"),
        (("--sign-off", "A.\nB."), "--sign-off: a name of 1 to 80 characters, on one line"),
        (("--sign-off", "A.", "--note", "x" * 201), "--note: at most 200 characters"),
        (("--sign-off", "A.", "--sha256", "abc"), "--sha256: 64 hexadecimal digits"),
        (("--note", "checked"), "add --sign-off NAME"),
        (("--day", "2026-10-25", "--zone", "gate"), "no zone is named gate; did you mean Gate?"),
        (("--day", "2026-10-25", "--zone", "Gaet"), "no zone is named Gaet; did you mean Gate?"),
        (("--camera", "hall"), "no camera is named hall; there is no camera with a name"),
        (("--month", "2026-W43"), "'2026-W43' is no month; write 2026-11"),
        (("--json", "--format", "csv"), "--json and --format csv: choose one of them"),
        (("--format", "pdf"), "write it to a file: --output FILE"),
        (("--day", "2026-10-25", "--output", "/nowhere/x.txt"), "No such file or directory"),
        (
            ("--output", "nov.docx"),
            "--output nov.docx: end it with one of .txt, .html, .htm, .pdf, .csv, .json, "
            "or --format",
        ),
        (("--output", "november"), "--output november: end it with one of .txt, "),
        (("--output", "/dev/null", "--format", "csv"), "/dev/null is there already"),
    ],
)
def test_what_cannot_be_is_one_line(
    scene: Scene, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], text: str
) -> None:
    scene.write()
    _, error = said(scene, capsys, *words, status=78)
    assert text in error
    assert error.count("\n") == 1


def test_without_a_history_it_says_who_writes_one(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing was recorded yet" in said(scene, capsys, status=1)[1]


def test_a_damaged_history_is_said(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.path.write_bytes(b"no database" * 500)
    assert "file is not a database" in said(scene, capsys, status=1)[1]


def test_the_entry_is_kept_beside_what_the_service_writes(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    create(scene.path)
    scene.entry("2026-10-25 08:00", EntryKind.STARTED, "1.0")
    scene.write()
    said(scene, capsys, "--day", "2026-10-25", "--sign-off", "A. Example")
    assert "1.0" in said(scene, capsys, "--day", "2026-10-25")[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_who_may_not_read_the_history_is_shown_the_command(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.write()
    config = scene.path.with_name("t.toml")
    config.chmod(0o644)
    scene.path.chmod(0o600)
    for folder in scene.path.parents:
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    os.seteuid(65534)
    try:
        _, error = said(scene, capsys, "--day", "yesterday", status=78)
    finally:
        os.seteuid(0)
    assert "run: sudo tensormask report" in error
