"""The report as HTML and as PDF: whole in itself, readable by everybody, and safe."""

from __future__ import annotations

import re
import zlib
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser

from edge.config import Hours
from edge.history.records import Place, WatchState
from edge.records import Verdict
from edge.report.calendar import Shift
from edge.report.html import as_html
from edge.report.letters import width_of, wrapped, writable
from edge.report.period import day_period, month_period
from edge.report.records import JournalLine, Report
from edge.report.sections import tables
from tests.edge.report.scene import BERLIN, Scene
from tests.screenshots import assert_good_for_everybody, shoot

EVIL = '<script>alert(1)</script>&"'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    scene = Scene(tmp_path_factory.mktemp("report"))
    scene.watch("2026-11-01 00:00", "2026-11-03 09:00")
    scene.watch("2026-11-03 09:00", "2026-11-03 15:00", WatchState.COVERED)
    scene.watch("2026-11-03 15:00", "2026-11-05 00:00")
    for day in range(1, 5):
        for hour in range(7, 19):
            at = f"2026-11-{day:02d} {hour:02d}:10"
            scene.people(at, 5 + hour % 4, place=Place("", "desk"))
            scene.people(at, 1, Verdict.BARE)
            scene.people(at, 1, Verdict.WORN_WRONGLY)
            scene.people(at, 2, Verdict.UNKNOWN)
            event = scene.alert(at)
            if hour % 2:
                scene.acknowledge(event, f"2026-11-{day:02d} {hour:02d}:40")
    said = scene.said[0]
    scene.said[0] = type(said)(
        said.event_id, said.at, EVIL, said.reason, said.remedy, "Łódź, 東京 and Δ " + "x" * 150
    )
    scene.condition("view-covered", "2026-11-03 09:00", "2026-11-03 15:00")
    scene.proof("2026-11-02 12:00")
    return scene.report(month_period(BERLIN, date(2026, 11, 1)))


class Reader(HTMLParser):
    """Notes tags that are not closed, and what refers to elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "rect", "line", "circle"):
            self.open.append(tag)
        self.elsewhere += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(report: Report) -> None:
    text = as_html(report)
    reader = Reader()
    reader.feed(text)
    assert reader.elsewhere == []
    assert reader.open == []
    assert "<script" not in text
    assert "url(http" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_verdict_stands_before_all_figures_and_the_chart_is_said_in_words(
    report: Report,
) -> None:
    text = as_html(report)
    assert text.index(report.verdict) < text.index("<dl>") < text.index("<svg viewBox")
    (said,) = re.findall(r'<desc id="chart">(.*?)</desc>', text)
    assert "Most people: " in said
    assert "Not watched all of the time: 27 of 30." in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_the_page_fits_and_axe_finds_nothing(
    report: Report, browser: Browser, tmp_path: Path, scheme: str, width: int
) -> None:
    file = tmp_path / "report.html"
    # axe is a script: its policy is for the browsers of others.
    file.write_text(re.sub(r"<meta http-equiv.*?>", "", as_html(report)))
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page.goto(file.as_uri())
    assert_good_for_everybody(page, width)
    shoot(page, f"report-{scheme}-{width}")
    page.close()


def test_each_table_has_a_cell_for_each_column(report: Report) -> None:
    found = tables(report)
    assert {each.title for each in found} >= {
        "By day",
        "By hour of the day, all days together",
        "By zone",
        "Not watched, by reason",
        "Hours not in the rate",
        "Alerts",
        "What was wrong with the box",
        "Proof of sight",
    }
    for table in found:
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.title


def text_of(document: bytes) -> str:
    """Return all that a PDF writes, one line after the other."""
    found = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue
        found += re.findall(rb"<([0-9a-f]+)> Tj", content)
    return "\n".join(bytes.fromhex(each.decode()).decode("cp1252") for each in found)


def test_the_pdf_says_the_same_and_cuts_nothing_off(report: Report) -> None:
    pytest.importorskip("pydyf")
    from edge.report.pdf import as_pdf

    document = as_pdf(report)
    assert document.startswith(b"%PDF-1.7")
    text = text_of(document)
    flat = "".join(text.split())
    assert "".join(report.verdict.split()) in flat
    for table in tables(report):
        assert "".join(table.title.split()) in flat
        for row in table.rows:
            for cell in row:
                assert all(word in flat for word in writable(cell).split() if len(word) < 12)
    assert re.search(r"^page 1 of \d+$", text, re.MULTILINE)


def test_the_lines_for_a_signature_are_never_alone_on_a_page(tmp_path: Path) -> None:
    pytest.importorskip("pydyf")
    from edge.report.pdf import as_pdf

    scene = Scene(tmp_path)
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    whole = scene.report(day_period(BERLIN, date(2026, 11, 29)))
    for rows in range(20, 60):  # the signature begins at each height of a page
        made_with = tuple(
            JournalLine(at=f"2026-11-29T08:{number:02d}:00+01:00", by="", text=f"settings {number}")
            for number in range(rows)
        )
        pages = re.split(r"page \d+ of \d+", text_of(as_pdf(replace(whole, made_with=made_with))))
        (signed,) = (each for each in pages if "\nSigned\n" in each)
        shown = [number for number in range(rows) if f"\nsettings {number}\n" in signed]
        assert shown[-3:] == list(range(rows))[-3:]


def test_a_pdf_of_an_empty_history_has_a_page(tmp_path: Path) -> None:
    pytest.importorskip("pydyf")
    from edge.report.pdf import as_pdf

    empty = Scene(tmp_path).report(day_period(BERLIN, date(2026, 11, 29)))
    assert "Nothing is known of this day" in text_of(as_pdf(empty)).replace("\n", " ")


def test_letters_that_the_font_lacks_come_close_or_are_a_question_mark() -> None:
    assert writable("Żurich, Łódź 東") == "Zurich, ?ódz ?"
    assert width_of("Ä", 10) == width_of("A", 10)


def test_lines_are_no_wider_than_they_may_be() -> None:
    lines = list(wrapped("a word and " + "W" * 100, 60, 10))
    assert max(width_of(line, 10) for line in lines) <= 60
    assert "".join(lines).replace(" ", "") == "aword" + "and" + "W" * 100


def test_a_day_shows_its_shifts(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    shift = Shift("Früh <b>", Hours.parsed(["06:00-14:00"], "hours"))
    calendar = type(BERLIN)(BERLIN.zone, BERLIN.zone_name, shifts=(shift,))
    scene.watch("2026-11-29 00:00", "2026-11-30 00:00")
    text = as_html(scene.report(day_period(calendar, date(2026, 11, 29)), calendar))
    assert "Früh &lt;b&gt;" in text
