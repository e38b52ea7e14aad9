"""Reports over HTTP: what may be asked for, and what a sign-off needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from edge.history.records import AlertAcknowledgement
from edge.page.reports import ReportMaker
from tests.edge.page.program import Program
from tests.edge.page.test_listener import window_of

SAYS_WHAT_IT_WAS_ASKED = """
import sys
words = sys.argv[1:]
(output,) = (each[9:] for each in words if each.startswith("--output="))
open(output, "w").write("|".join(words))
"""
DIGEST = "0" * 64


@pytest.fixture
def program(page: Program, tmp_path: Path) -> Iterator[Program]:
    """Its reports are the words that they are made with."""
    window = window_of(page.listener)
    command = (sys.executable, "-c", SAYS_WHAT_IT_WAS_ASKED)
    window.reports = ReportMaker(tmp_path / "t.toml", tmp_path, command=command)
    yield page
    window.reports.close()
    window.reports = None


def test_a_shift_and_a_place_are_asked_for_and_the_file_is_called_so(program: Program) -> None:
    zone = 'Süd / "1"'
    place = f"zone={quote(zone)}&camera=hall"
    asked = f"/document?kind=shift&shift=early&day=2026-11-29&form=csv&{place}"
    status, headers, content = program.ask("GET", asked)
    assert status == 200, content
    words = content.decode().split("|")
    assert words[:4] == ["--shift", "early", "2026-11-29", "--format=csv"]
    assert words[4:6] == [f"--zone={zone}", "--camera=hall"]
    name = "tensormask-shift-early-2026-11-29-hall-S_d-1.csv"
    assert headers["content-disposition"].startswith(f'attachment; filename="{name}"; ')
    assert headers["content-disposition"].endswith("-hall-S%C3%BCd-1.csv")


@pytest.mark.parametrize(
    "query",
    [
        "kind=year",
        "kind=shift",
        "kind=shift&shift=-x",
        "kind=day&shift=early",
        "kind=day&day=2026-11-29%0a",
        "kind=day&day=tomorrow",
        "kind=day&zone=a%00b",
        f"kind=day&zone={'x' * 41}",
        "kind=day&form=exe",
    ],
)
def test_what_is_no_report_is_not_asked_for(program: Program, query: str) -> None:
    assert program.ask("GET", f"/document?{query}")[0] == 400


def test_a_sign_off_comes_from_the_page_with_a_name_and_what_was_seen(program: Program) -> None:
    window = window_of(program.listener)
    signed = {"report": {"kind": "day", "day": "2026-11-28"}, "digest": DIGEST, "by": "A. Example"}

    def sign(headers: dict[str, str], **changed: object) -> tuple[int, bytes]:
        body = json.dumps(signed | changed).encode()
        status, _, content = program.ask("POST", "/document/sign", body, **headers)
        return status, content

    ours = {"Origin": program.url}
    assert sign({})[0] == sign({"Origin": "https://evil.example"})[0] == 403
    for wrong in (
        {"by": ""},
        {"by": " "},
        {"by": "x" * 33},
        {"by": "\x1b"},
        {"note": "a\nb"},
        {"digest": "0"},
        {"more": 1},
    ):
        assert sign(ours, **wrong)[0] == 400, wrong
    status, content = sign(ours)
    assert (status, b"[history] enabled is false" in content) == (409, True)
    window.journal = NoJournal()
    try:
        status, content = sign(ours, note="checked")
    finally:
        window.journal = None
    assert status == 200, content
    assert f"--sign-off=page A. Example|--note=checked|--sha256={DIGEST}" in content.decode()


class NoJournal:
    """Is not asked: a sign-off is written by the process that makes the report."""

    def note_now(self, request: object) -> str:
        raise AssertionError

    def said_of(self, events: object) -> dict[str, AlertAcknowledgement]:
        return {}
