"""The report of the bundle that comes with the program, and what it makes of odd files."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from convert import report
from convert.__main__ import main
from convert.files import write_document
from convert.measure.figures import read_boxed_evaluation
from convert.measure.gallery import Mistake, write_gallery, write_mistakes
from convert.report.charts import ChartPoint, Series, chart, named, shares
from convert.report.html import Html, tag
from convert.report.material import read_material
from convert.train.train import read_history
from edge.classify.card import DEFAULT_BUNDLE
from edge.detect.card import FOLDER as DETECTOR
from edge.errors import ConfigError
from tests.convert.report.reading import Page

FIGURES = Path(report.__file__).with_name("figures")


def test_the_bundle_that_comes_with_the_program_has_its_report(tmp_path: Path) -> None:
    command = ["report", "--output", str(tmp_path), "--figures", str(FIGURES)]
    bundles = ["--bundle", str(DEFAULT_BUNDLE), "--detector-bundle", str(DETECTOR)]
    assert main([*command, *bundles]) == 0
    text = (tmp_path / "report.html").read_text()
    # Mistakes are people, who are not stored here.
    assert [line.partition(":")[0] for line in text.split('class="missing">')[1:]] == ["Mistakes"]
    assert "were held out from the training, by digest" in text
    page = Page.of(tmp_path / "report.html")
    assert page.elsewhere == []
    assert len(page.tables["Loss, cross-entropy"]) == 29
    score = read_boxed_evaluation(FIGURES / "boxed-test.json").end_to_end[0]
    shown = page.tables["Violations from 0.85 on, street, wide, looks, airport, test part"]
    row = shown[f"{score.detector}, {score.band}"]
    assert row[2:4] == [str(score.precision), str(score.recall)]
    main([*command, *bundles])
    assert (tmp_path / "report.html").read_text() == text


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    command = ["report", "--output", str(tmp_path), "--bundle", str(DEFAULT_BUNDLE)]
    assert main(command) == 0
    text = (tmp_path / "report.html").read_text()
    for line in ("training: not here", "Evaluations: not here", "An evaluation of both models"):
        assert line in text
    page = Page.of(tmp_path / "report.html")
    assert page.tables["Agreement, from the bundle's card"]


def test_the_history_of_another_training_is_not_shown(tmp_path: Path) -> None:
    history = read_history(FIGURES / "history.json")
    other = msgspec.structs.replace(history, finished_at="2020-01-01T00:00:00+00:00")
    write_document(tmp_path / "history.json", other)
    material = read_material([tmp_path], DEFAULT_BUNDLE, tmp_path, crops=True)
    assert material.history is None
    without_bundle = read_material([tmp_path], tmp_path / "none", tmp_path, crops=True)
    assert without_bundle.history == other


def test_pictures_that_another_model_was_trained_on_are_reported(tmp_path: Path) -> None:
    held_out = (FIGURES / "held-out.json").read_bytes()
    (tmp_path / "held-out.json").write_bytes(
        held_out.replace(b'"training_digest": "4', b'"training_digest": "5')
    )
    material = read_material([tmp_path], DEFAULT_BUNDLE, tmp_path, crops=True)
    assert material.parts_are_the_bundles is False


def test_a_gallery_that_does_not_go_with_its_list_shows_nobody(tmp_path: Path) -> None:
    crop = np.full((96, 96, 3), 90, np.uint8)
    mistakes = [(Mistake(f"{n}.png", "with_mask", "without_mask", 0.1), crop) for n in range(14)]
    for name in ("boxed-test.json", "boxed-test-mistakes.json"):
        (tmp_path / name).write_bytes((FIGURES / "boxed-test.json").read_bytes())
    write_mistakes(mistakes, tmp_path / "boxed-test-mistakes.json")

    def crops() -> list[bool]:
        material = read_material([tmp_path], tmp_path / "none", tmp_path, crops=True)
        return [crop is not None for _, crop in material.mistakes[0].worst]

    assert crops() == [True] * 14
    write_gallery([(crop, "")], tmp_path / "boxed-test-mistakes.png")
    assert crops() == [False] * 14


def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["report", "--output", str(tmp_path), "--figures", str(FIGURES)]) == 72
    assert capsys.readouterr().err == (
        "convert report: matplotlib.figure is missing: pip install -r requirements-dev.txt\n"
    )


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to report"):
        read_material([tmp_path], tmp_path / "none", tmp_path, crops=True)


def test_text_is_escaped_and_markup_is_not_escaped_again() -> None:
    nasty = '<script>"&'
    assert tag("p", nasty, [tag("b", nasty)], title=nasty) == Html(
        '<p title="&lt;script&gt;&quot;&amp;">&lt;script&gt;&quot;&amp;'
        "<b>&lt;script&gt;&quot;&amp;</b></p>"
    )


def test_a_name_of_a_picture_is_text_and_nothing_else(tmp_path: Path) -> None:
    crop = np.zeros((96, 96, 3), np.uint8)
    name = "<img src=x onerror=alert(1)>.png"
    write_mistakes(
        [(Mistake(name, "with_mask", "without_mask", 0.1), crop)],
        tmp_path / "boxed-test-mistakes.json",
    )
    (tmp_path / "boxed-test.json").write_bytes((FIGURES / "boxed-test.json").read_bytes())
    assert main(["report", "--output", str(tmp_path)]) == 0
    page = Page.of(tmp_path / "report.html")
    assert page.elsewhere == []
    assert name in page.tables["Mistakes, street, wide, looks, airport, test part"]


def test_a_chart_is_a_picture_with_its_numbers_beside_it() -> None:
    ages = named("age", ["young", "old and very old indeed"])
    faces = [
        Series("masked", [ChartPoint(0, 0.5, 0.25, 0.75)], has_dots=True, has_line=False),
        Series("bare", [ChartPoint(0, 0.125), ChartPoint(1, 1)], has_dots=True),
        Series("none", []),
    ]
    drawn = chart("Right", ages, shares("share", faces), faces, [(0.5, "here")], diagonal=True)
    encoded = drawn.partition("data:image/svg+xml;base64,")[2].partition('"')[0]
    picture = ElementTree.fromstring(base64.b64decode(encoded))
    written = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"age", "young", "old and ver…", "share", "masked", "bare", "none", "here"} <= written
    assert 'alt="Right: masked, bare, none, over age"' in drawn
    for number in ("0.5 (0.250-0.750)", "0.125", "old and very old indeed"):
        assert number in drawn
