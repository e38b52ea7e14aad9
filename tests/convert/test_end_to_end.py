"""The whole conversion on drawn pictures: small, but every step is the real one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from convert.__main__ import main
from convert.data.split import SplitPart, read_split
from convert.measure.figures import (
    Epoch,
    Evaluation,
    ViewKind,
    read_boxed_evaluation,
    read_evaluation,
)
from convert.measure.gallery import read_mistakes
from convert.train.fit import Trainer
from convert.train.train import read_history
from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.classify.runtime import Int8Network
from edge.config import ClassifierSettings
from tests.convert.pictures import write_boxed, write_dataset
from tests.convert.report.reading import Page
from tests.screenshots import assert_good_for_everybody, shoot

# What all of these tests begin with takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

EACH = 24
PARTS = ("validation", "test")
SECTIONS = [
    "Training",
    "Confusion matrices",
    "Size of the face",
    "Precision and recall",
    "Calibration",
    "By source",
    "By what a face shows",
    "Keras and int8",
    "End to end",
    "Worst mistakes",
    "Face detector",
    "Bundle",
]
BAR_WITHOUT_TIME_LEFT = "it ["
"""What tqdm writes where it does not know how much there is: `7it [00:01, …]`."""
BOXED_ENDINGS = (".json", ".txt", "-curves.png", "-reliability.png")


def convert(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the data set in `set` and all that the steps wrote in `model`."""
    folder = tmp_path_factory.mktemp("conversion")
    dataset = write_dataset(folder / "set", EACH)
    (dataset / "with_mask" / "broken.jpg").write_bytes(b"\xff\xd8\xff and then nothing")
    model = folder / "model"
    here = ("--dataset", dataset, "--output", model)
    small = ("--weights", "none", "--width", "0.35", "--input-side", "32", "--batch", "16")
    short = ("--frozen-epochs", "0", "--epochs", "2")
    street = ("--boxed", write_boxed(folder / "street", 16))
    assert convert("train", *here, *street, "--detector", "none", *small, *short) == 0
    assert convert("quantize", *here, "--pictures", "20") == 0
    models = ("--keras", model / "model.keras", "--tflite", model / "model.tflite")
    parts = ("--split", model / "split.json", "--detector", "none", "--part")
    boxed = ("--boxed", folder / "street", "--output", model)
    boxed_parts = ("--split", model / "split-boxed.json", "--part")
    for part in PARTS:
        assert convert("evaluate", *here, *models, *parts, part) == 0
        assert convert("evaluate", *boxed, *models, *boxed_parts, part) == 0
    assert convert("bundle", "--output", model, "--data-name", "drawn faces") == 0
    assert convert("report", "--output", model) == 0
    return folder


def test_the_daemon_loads_the_bundle(built: Path) -> None:
    bundle = load_bundle(built / "model" / "bundle")
    MaskClassifier(bundle, ClassifierSettings())
    card = bundle.card
    training = [
        *read_split(built / "model" / "split.json").part(SplitPart.TRAINING),
        *read_split(built / "model" / "split-boxed.json").part(SplitPart.TRAINING),
    ]
    assert card.input_side_px == Int8Network(bundle.model).side_px == 32
    assert card.training_data.name == "drawn faces"
    assert card.training_data.pictures == len(training)
    assert [metric.data for metric in card.metrics] == [
        "set, validation part, whole pictures",
        "set, validation part, whole pictures",
        "set, test part, whole pictures",
        "set, test part, whole pictures",
        "street, validation part, labelled faces of 16 px and more",
        "street, test part, labelled faces of 16 px and more",
    ]
    assert card.threshold_curve[0].recall >= card.threshold_curve[-1].recall
    assert card.thresholds.masked <= 0.5 <= card.thresholds.bare


def test_the_same_files_make_the_same_bundle(built: Path, tmp_path: Path) -> None:
    again = ("--data-name", "drawn faces", "--bundle", tmp_path)
    assert convert("bundle", "--output", built / "model", *again) == 0
    for name in ("model.json", "model.tflite"):
        assert (tmp_path / name).read_bytes() == (built / "model" / "bundle" / name).read_bytes()


def test_every_step_leaves_its_files(built: Path) -> None:
    names = {path.name for path in (built / "model").iterdir()}
    # Where a model makes no mistake, there is nothing to show.
    assert {name for name in names if "mistakes" not in name} == {
        *(f"boxed-{part}{ending}" for part in PARTS for ending in BOXED_ENDINGS),
        "bundle",
        "bundle.zip",
        "confusion-test.png",
        "confusion-validation.png",
        "evaluation-test.json",
        "evaluation-test.txt",
        "evaluation-validation.json",
        "evaluation-validation.txt",
        "faces.json",
        "held-out.json",
        "history.json",
        "history.png",
        "leak.json",
        "model.keras",
        "model.tflite",
        "recipe.json",
        "reliability-test.png",
        "reliability-validation.png",
        "report.html",
        "report.txt",
        "skipped-boxed.txt",
        "skipped.txt",
        "split-boxed.json",
        "split.json",
    }
    skipped = (built / "model" / "skipped.txt").read_text()
    assert skipped.startswith("with_mask/broken.jpg: ")
    report = (built / "model" / "report.txt").read_text()
    assert "precision    recall  f1-score   support" in report


def test_both_models_are_measured_on_both_views(built: Path) -> None:
    evaluation: Evaluation = read_evaluation(built / "model" / "evaluation-test.json")
    assert [(score.model, score.view) for score in evaluation.scores] == [
        ("keras", ViewKind.CAMERA),
        ("keras", ViewKind.WHOLE),
        ("int8", ViewKind.CAMERA),
        ("int8", ViewKind.WHOLE),
    ]
    assert evaluation.agreement_with_keras is not None
    assert evaluation.agreement_with_keras >= 0.8
    assert evaluation.accuracy == evaluation.scores[2].accuracy


def test_a_bundle_is_scored_on_anybodys_pictures(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = write_dataset(tmp_path / "others", 3)
    target = tmp_path / "figures.json"
    command = ("evaluate", "--bundle", built / "model" / "bundle", "--dataset", others)
    where = ("--output", tmp_path / "out", "--json", target, "--detector", "none")
    assert convert(*command, *where) == 0
    assert BAR_WITHOUT_TIME_LEFT not in capsys.readouterr().err
    evaluation = read_evaluation(target)
    assert evaluation.pictures == 6
    assert evaluation.part == "all"
    assert evaluation.agreement_with_keras is None


def test_a_bundle_is_scored_on_boxed_pictures_end_to_end(
    built: Path, tmp_path: Path, yunet_weights: Path
) -> None:
    command = ("evaluate", "--bundle", built / "model" / "bundle", "--boxed", built / "street")
    where = ("--output", tmp_path, "--json", tmp_path / "figures.json")
    both = ("--detector", "yunet", "--detector", "tensormask", "--detector-model", yunet_weights)
    assert convert(*command, *where, *both) == 0
    evaluation = read_boxed_evaluation(tmp_path / "figures.json")
    assert (evaluation.pictures, evaluation.part) == (16, "all")
    found = {score.detector: score.sureties for score in evaluation.end_to_end}
    # The file is YuNet's, whatever else has files of its kind.
    assert found.keys() == {"yunet", "tensormask"}
    assert found["yunet"] != found["tensormask"]
    everyone = next(s for s in evaluation.end_to_end if str(s.band) == ">= 12 px")
    assert (everyone.masked_faces, everyone.bare_faces) == (24, 24)


def test_a_part_of_other_pictures_is_refused(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = write_dataset(tmp_path / "others", 2)
    command = ("evaluate", "--bundle", built / "model" / "bundle", "--dataset", others)
    split = ("--split", built / "model" / "split.json", "--part", "test")
    assert convert(*command, *split, "--output", tmp_path, "--detector", "none") == 78
    assert "give a data set that was split there" in capsys.readouterr().err


def test_what_was_held_out_measures_the_bundle_again(built: Path, tmp_path: Path) -> None:
    model = built / "model"
    command = ("evaluate", "--bundle", model / "bundle", "--boxed", built / "street")
    held_out = ("--split", model / "held-out.json", "--part", "test")
    assert convert(*command, *held_out, "--output", tmp_path, "--detector", "none") == 0
    again, first = (read_boxed_evaluation(f / "boxed-test.json") for f in (tmp_path, model))
    assert again.confusion["int8"] == first.confusion["int8"]


def test_the_report_shows_what_was_measured(built: Path) -> None:
    model = built / "model"
    page = Page.of(model / "report.html")
    assert page.sections == SECTIONS
    assert page.elsewhere == []
    for part in PARTS:
        evaluation = read_evaluation(model / f"evaluation-{part}.json")
        for score in evaluation.scores:
            name = {"keras": "Keras"}.get(score.model, score.model)
            shown = page.tables[f"{name}, set, {part} part, {score.view.value} view"]
            assert [[int(cell.split()[0]) for cell in row] for row in shown.values()] == [
                *score.confusion
            ]
            figures = page.tables[
                "Folders of pictures, by view: the largest located face, or the whole picture"
            ]
            row = figures[f"set, {part} part, {name}, {score.view.value}"]
            assert row[3] == f"{score.accuracy:.4f}"
        boxed = read_boxed_evaluation(model / f"boxed-{part}.json")
        everyone = next(s for s in boxed.true_boxes[::-1] if str(s.band) == ">= 16 px")
        by_size = page.tables[
            f"Labeled faces by source and size, int8 where it was measured, {part} part"
        ]
        assert by_size["street, >= 16 px"][1:3] == [str(everyone.masked), str(everyone.bare)]
        mistakes = read_mistakes(model / f"boxed-{part}-mistakes.json")
        listed = page.tables.get(f"Mistakes, street, {part} part", {})
        assert set(listed) == {each.picture for each in mistakes.worst}
    losses = page.tables["Loss, cross-entropy"]
    epochs = read_history(model / "history.json").epochs
    assert [float(row[1]) for row in losses.values()] == [
        pytest.approx(epoch.validation_loss, rel=1e-3) for epoch in epochs
    ]
    assert page.tables["Model card"]["name and version"] == ["tensormask 1"]


def test_the_report_shows_nobody_where_it_must_not(built: Path, tmp_path: Path) -> None:
    model = built / "model"
    command = ("report", "--figures", model, "--output", tmp_path, "--bundle", model / "bundle")
    assert convert(*command, "--no-pictures") == 0
    with_crops, without = (f / "report.html" for f in (model, tmp_path))
    assert "data:image/jpeg" in with_crops.read_text()
    assert "data:image/jpeg" not in without.read_text()
    assert Page.of(without).tables == Page.of(with_crops).tables


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_the_report_opens_in_a_browser_and_everybody_can_read_it(
    built: Path, browser: Browser, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]
        offline=True,
        bypass_csp=True,  # or the check itself could not be loaded
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text))
    page.goto((built / "model" / "report.html").as_uri())
    assert_good_for_everybody(page, width)
    shoot(page, f"report-{width}-{scheme}")
    assert wrong == []
    context.close()


@pytest.mark.thorough
def test_a_source_is_left_out_to_be_measured_on(
    built: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What it learns is not asked here, and takes half a minute.
    learned = Epoch(0, "fine", 0.1, 1.0, 0.5, 1.0, 0.5)
    monkeypatch.setattr(Trainer, "run", lambda *_: ([learned], 0))
    both = ("--dataset", built / "set", "--boxed", built / "street", "--detector", "none")
    small = ("--weights", "none", "--width", "0.35", "--input-side", "32")
    short = ("--frozen-epochs", "0", "--epochs", "1")
    pictures, streets = (
        len(read_split(built / "model" / name).part(SplitPart.TRAINING))
        for name in ("split.json", "split-boxed.json")
    )
    for left_out, seen in (("street", (pictures, 0)), ("set", (0, 4 * streets))):
        command = ("train", *both, *small, *short, "--output", tmp_path / left_out)
        assert convert(*command, "--leave-out", built / left_out) == 0
        said = re.search(r"training: (\d+) pictures; boxes: (.*)", capsys.readouterr().out)
        assert said is not None
        boxes = sum(int(each.split()[0]) for each in said[2].split(", "))
        assert (int(said[1]), boxes) == seen
    # It is no model to ship.
    for name in ("model.tflite", "evaluation-validation.json", "evaluation-test.json"):
        (tmp_path / "set" / name).write_bytes((built / "model" / name).read_bytes())
    assert convert("bundle", "--output", tmp_path / "set") == 78
    assert "trained without set" in capsys.readouterr().err


def test_a_split_of_several_sets_serves_each(built: Path, tmp_path: Path) -> None:
    whole = read_split(built / "model" / "split-boxed.json")
    few = tmp_path / "few"
    for folder in ("images", "annotations"):
        (few / folder).mkdir(parents=True)
        for path in sorted((built / "street" / folder).iterdir())[:5]:
            (few / folder / path.name).write_bytes(path.read_bytes())
    command = ("evaluate", "--bundle", built / "model" / "bundle", "--boxed", few)
    split = ("--split", built / "model" / "split-boxed.json", "--part", "training")
    assert convert(*command, *split, "--output", tmp_path, "--detector", "none") == 0
    names = {path.name for path in (few / "images").iterdir()}
    shown = [p for p in whole.part(SplitPart.TRAINING) if Path(p.path).name in names]
    assert read_boxed_evaluation(tmp_path / "boxed-training.json").pictures == len(shown)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("train", "--dataset", "absent"), 78, "absent/with_mask: no such folder"),
        (("train", "--dataset", ".", "--weights", "absent.h5"), 78, "absent.h5: no such file"),
        (("train", "--dataset", ".", "--input-side", "7"), 78, "takes 32 to 224 pixels"),
        (("train", "--dataset", ".", "--leave-out", "x"), 78, "neither --dataset nor a --boxed"),
        (("quantize", "--dataset", ".", "--keras", "absent"), 65, "absent: no such file"),
        (("evaluate", "--dataset", "."), 78, "nothing to evaluate"),
        (("evaluate", "--boxed", "."), 78, "nothing to evaluate"),
        (("evaluate", "--dataset", ".", "--tflite", "absent"), 65, "absent: No such file"),
        (("evaluate", "--dataset", ".", "--bundle", "absent"), 65, "absent/model.json"),
        (("bundle", "--tflite", "absent"), 65, "absent: No such file"),
        (("report",), 78, "nothing to report"),
    ],
)
def test_a_mistake_gets_one_line_and_its_status(
    arguments: tuple[str, ...],
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "train" in arguments and "--weights" not in arguments:
        arguments = (*arguments, "--weights", "none", "--width", "0.35")
    assert convert(*arguments) == status
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith(f"convert {arguments[0]}: ")
    assert message in line


def test_a_folder_that_cannot_be_written_gets_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    where = ("--dataset", tmp_path, "--output", tmp_path / "file" / "model")
    assert convert("train", *where, "--weights", "none", "--width", "0.35") == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("convert train: ")
    assert "Not a directory" in line


@pytest.mark.parametrize("step", ["train", "quantize", "evaluate", "bundle", "report"])
def test_help_explains_a_step_without_loading_tensorflow(step: str) -> None:
    program = (
        "import sys\n"
        "from convert.__main__ import main\n"
        "try:\n"
        f"    main(['{step}', '--help'])\n"
        "finally:\n"
        "    assert not {'tensorflow', 'keras', 'cv2', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "Writes" in done.stdout or "Write " in done.stdout
    assert done.stderr == ""
