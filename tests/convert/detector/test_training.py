"""The detector's steps on drawn pictures, from the network that comes with the program."""

from __future__ import annotations

import hashlib
import shutil
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from convert.__main__ import main
from convert.detector.graph import TrainableDetector, read_graph, write_graph
from convert.detector.scenes import FaceKind
from convert.detector.train import _scene, read_history
from edge.detect.card import FOLDER, NETWORK_FILE, answers_to, read_card, self_test
from edge.detect.yunet import YuNet
from edge.errors import ModelError
from edge.records import Box
from tests.convert.pictures import draw_street, write_boxed, write_dataset

NETWORK = FOLDER / NETWORK_FILE
STEPS = "4"


def convert(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    write_dataset(folder / "set", 8)
    write_boxed(folder / "street", 12)
    return folder


def train(sets: Path, output: Path, *more: str) -> int:
    pictures = ("--dataset", sets / "set", "--boxed", sets / "street", "--output", output)
    short = ("--weights", "none", "--steps", STEPS, "--batch", "2")
    return convert("detector", "train", *pictures, "--start", NETWORK, *short, *more)


@pytest.fixture(scope="module")
def trained(sets: Path) -> Path:
    output = sets / "model"
    assert train(sets, output) == 0
    boxed = ("--boxed", sets / "street", "--output", output)
    for part in ("validation", "test"):
        assert convert("detector", "evaluate", *boxed, "--part", part) == 0
    scores = ("--confidence", "0.5", "--sure", "0.7")
    assert convert("detector", "bundle", "--output", output, *scores) == 0
    return output


def test_the_network_is_another_one_that_opencv_reads(trained: Path) -> None:
    content = (trained / "detector.onnx").read_bytes()
    assert content != NETWORK.read_bytes()
    assert len(content) == len(NETWORK.read_bytes())
    YuNet("tensormask", content, 0.5, 0.7).find(draw_street([], 1))
    history = read_history(trained / "detector-history.json")
    assert [each.step for each in history.losses] == [int(STEPS)]
    assert not (trained / "detector-checkpoint.msgpack").exists()


def test_the_folder_describes_it(trained: Path) -> None:
    card = read_card(trained / "detector")
    network = (trained / "detector" / NETWORK_FILE).read_bytes()
    assert card.parameters == 53_104
    assert (card.confidence, card.sure) == (0.5, 0.7)
    assert {row.kind for row in card.found} <= {"masked", "bare", "worn_wrongly"}
    self_test(network, card.golden)
    # Colors in another order: the first layer's kernels, turned round.
    graph = read_graph(trained / "detector.onnx")
    swapped = {
        name: array[:, ::-1] if array.shape[1:] == (3, 3, 3) else array
        for name, array in graph.arrays.items()
    }
    with pytest.raises(ModelError, match="fails its self-test"):
        self_test(write_graph(graph, swapped), card.golden)


def test_the_network_in_tensorflow_answers_as_the_file_does_in_opencv() -> None:
    from edge.patterns import draw

    network = TrainableDetector(read_graph(NETWORK))
    mine = network(draw(5, 160)[np.newaxis].astype(np.float32))["bbox"].numpy()[0]
    cells = np.cumsum([0, 20 * 20, 10 * 10, 5 * 5])
    means = [mine[a:b].mean(0) for a, b in pairwise(cells)]
    theirs = answers_to(NETWORK.read_bytes(), (5,))[0]
    assert np.concatenate(means) == pytest.approx(theirs, abs=1e-3)


class KilledError(Exception):
    """What ends a run in its midst."""


@pytest.fixture(scope="module")
def killed(sets: Path) -> Path:
    """What a run leaves that is killed midway, after a checkpoint."""
    from convert.detector import fit

    def dies(losses: fit.Losses) -> str:
        raise KilledError

    output = sets / "killed"
    with pytest.MonkeyPatch.context() as midway:
        midway.setattr(fit, "SAVED_EVERY", 2)
        midway.setattr(fit, "_line", dies)
        with pytest.raises(KilledError):
            train(sets, output)
    assert (output / "detector-checkpoint.msgpack").exists()
    return output


@pytest.mark.thorough
def test_another_recipe_does_not_go_on_with_the_checkpoint(
    sets: Path, killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(sets, killed, "--rate", "0.5") == 78
    assert "of a run with other pictures or options" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_run_that_is_killed_goes_on_as_if_nothing_had_happened(
    sets: Path, trained: Path, killed: Path, tmp_path: Path
) -> None:
    output = shutil.copytree(killed, tmp_path / "model")
    assert train(sets, output) == 0
    resumed, whole = (read_graph(each / "detector.onnx").arrays for each in (output, trained))
    for name, array in whole.items():
        assert resumed[name] == pytest.approx(array, abs=1e-6), name


@pytest.mark.thorough
def test_a_training_goes_on_from_a_former_one(sets: Path, trained: Path, tmp_path: Path) -> None:
    former = trained / "detector.onnx"
    assert train(sets, tmp_path, "--former", str(former)) == 0
    recipe = read_history(tmp_path / "detector-history.json").recipe
    assert recipe.former == hashlib.sha256(former.read_bytes()).hexdigest()
    assert recipe.start == hashlib.sha256(NETWORK.read_bytes()).hexdigest()
    first, second, begun = (
        np.concatenate([array.ravel() for array in read_graph(path).arrays.values()])
        for path in (former, tmp_path / "detector.onnx", NETWORK)
    )
    assert 0 < np.abs(second - first).sum() < np.abs(second - begun).sum()
    assert (tmp_path / "finds-former.json").exists(), "it has looked which faces are hard"


def test_a_face_is_hard_that_the_training_before_was_not_sure_of() -> None:
    """Unless it is so small that it is hard whatever it shows."""
    pixels = np.zeros((100, 200, 3), np.uint8)
    boxes = [Box(10, 10, 40, 40), Box(60, 10, 90, 40), Box(110, 10, 120, 20)]
    former = [(boxes[0].sides, 0.9), (boxes[1].sides, 0.7)]
    scene = _scene(pixels, boxes, [FaceKind.BARE] * 3, [], 0, (), former)
    assert scene.is_hard is not None
    assert scene.is_hard.tolist() == [False, True, False]
    assert _scene(pixels, boxes, [FaceKind.BARE] * 3, [], 0).is_hard is None


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "no output cls_8"), (b"\xff" * 99, "no ONNX file")]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "other.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        read_graph(file)


def test_the_bundle_is_the_same_twice(trained: Path) -> None:
    first = (trained / "detector" / "detector.json").read_bytes()
    scores = ("--confidence", "0.5", "--sure", "0.7")
    assert convert("detector", "bundle", "--output", trained, *scores) == 0
    assert (trained / "detector" / "detector.json").read_bytes() == first
    assert msgspec.json.decode(first)["schema"] == 1
