from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect import weights
from edge.detect.card import (
    CARD_FILE,
    FOLDER,
    NETWORK_FILE,
    FoundFaces,
    found_shares,
    read_card,
)
from edge.detect.detectors import (
    DETECTORS,
    NAMES,
    OWN,
    RES10,
    YUNET,
    here,
    identify,
    open_detector,
)
from edge.detect.yunet import YuNet
from edge.errors import ConfigError, ModelError
from edge.records import Box, ModelId, Pixels
from tests.fakes import blank


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("TENSORMASK_MODELS", str(folder))
    return folder


@pytest.fixture
def own_res10(tmp_path: Path) -> Path:
    """The weights of res10 in a folder of one's own, under a name of one's own."""
    paths = weights.locate(RES10.weights)
    assert paths is not None
    description, network = paths
    shutil.copy(description, tmp_path)
    return Path(shutil.copy(network, tmp_path / "own.caffemodel"))


def test_auto_is_the_one_that_comes_with_the_program(models: Path, yunet_weights: Path) -> None:
    assert open_detector().name == "tensormask"
    assert here() == [OWN, RES10]
    (models / yunet_weights.name).symlink_to(yunet_weights)
    assert open_detector().name == "tensormask"
    assert open_detector("yunet").name == "yunet"
    assert open_detector("res10").name == "res10"
    assert here() == [OWN, YUNET, RES10]


def test_its_files_are_those_that_the_table_names() -> None:
    card = read_card()
    assert weights.read(OWN.weights) == ((FOLDER / NETWORK_FILE).read_bytes(),)
    assert (card.version, card.sha256) == (OWN.version, OWN.weights.files[0].sha256)
    assert identify() == ModelId("tensormask", card.version, card.sha256)
    assert (card.confidence, card.sure) == (OWN.confidence, OWN.sure)


def test_what_it_finds_is_told_over_all_sizes_from_16_px_on() -> None:
    def counted(kind: str, size_px: str, faces: int, found: int) -> FoundFaces:
        return FoundFaces(data="", kind=kind, size_px=size_px, faces=faces, found=found)  # type: ignore[arg-type]

    counts = [
        counted("masked", "12-16", 50, 0),
        counted("masked", "16-24", 50, 0),  # a part of the next one
        counted("masked", "16-32", 10, 7),
        counted("masked", ">= 32", 30, 29),
        counted("worn_wrongly", ">= 32", 5, 1),
    ]
    card = msgspec.structs.replace(read_card(), found=counts)
    assert found_shares(card) == {"masked": 36 / 40}
    ours = found_shares(read_card())
    assert all(0.9 < ours[kind] < 1 for kind in ("masked", "bare"))


def test_an_opencv_that_runs_it_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    card = read_card()
    moved = tuple(tuple(mean + 0.2 for mean in row) for row in card.golden.answers)
    golden = msgspec.structs.replace(card.golden, answers=moved)
    monkeypatch.setattr(
        "edge.detect.card.read_card", lambda: msgspec.structs.replace(card, golden=golden)
    )
    with pytest.raises(ModelError, match="the detector fails its self-test"):
        open_detector("tensormask")


@pytest.mark.parametrize("content", ["", "{}", '{"schema": 2}'])
def test_a_damaged_description_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / CARD_FILE).write_text(content)
    with pytest.raises(ModelError, match=r"detector\.json: .*; install the program again"):
        read_card(tmp_path)


@pytest.mark.parametrize("name", ["yunet2", "", "YUNET", "none"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"unknown detector; known are auto, tensormask, yunet, res10"
    ):
        open_detector(name)


def test_the_kind_of_one_s_own_weights_decides_what_auto_is(
    models: Path, own_res10: Path, yunet_weights: Path
) -> None:
    (models / yunet_weights.name).symlink_to(yunet_weights)
    assert open_detector("auto", str(own_res10)).name == "res10"
    assert open_detector("auto", str(yunet_weights)).name == "yunet"


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_a_kind_that_the_detector_does_not_read_are_refused(name: str) -> None:
    kind = {"res10": ".onnx", "auto": ".tflite"}.get(name, ".caffemodel")
    with pytest.raises(ModelError, match=rf"own{kind}: \[detector\] model .* of {name} is a file"):
        open_detector(name, f"/somewhere/own{kind}")


@pytest.mark.parametrize("name", DETECTORS)
def test_weights_that_are_missing_or_no_network_are_named(tmp_path: Path, name: str) -> None:
    kind = DETECTORS[name].weights.kind
    with pytest.raises(ModelError, match=r"No such file or directory; \[detector\] model"):
        open_detector(name, str(tmp_path / f"absent{kind}"))
    broken = tmp_path / f"broken{kind}"
    broken.write_bytes(b"no network at all" * 100)
    (tmp_path / "deploy.prototxt.txt").write_text("no description")
    with pytest.raises(ModelError, match=rf"broken{kind}: .*cannot read these weights of {name}"):
        open_detector(name, str(broken))


@pytest.mark.parametrize(("confidence", "sure"), [(0.6, None), (None, 0.3), (0.8, 0.7)])
def test_sure_finds_that_are_not_looked_at_are_refused(
    confidence: float | None, sure: float | None
) -> None:
    with pytest.raises(ConfigError, match=r"sure_confidence of res10 is .*, below its confidence"):
        open_detector("res10", "", confidence, sure)


def test_a_detector_is_sure_from_its_own_score_on_unless_another_is_given() -> None:
    assert open_detector("res10").sure == RES10.sure
    assert open_detector("res10", "", 0.5, 0.9).sure == 0.9


def spoiled(network: bytes) -> bytes:
    """Return it with an input that no node makes: of OpenCV's reader that is the end."""
    before, after = b"\n\x03290", b"\n\x0329\x9e"
    assert before in network
    return network.replace(before, after)


@pytest.mark.parametrize("name", ["auto", "tensormask", "yunet"])
def test_a_file_that_opencv_does_not_survive_is_a_model_that_is_damaged(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(spoiled((FOLDER / "detector.onnx").read_bytes()))
    with pytest.raises(ModelError, match=r"own\.onnx: it brings down the process .*SIGSEGV"):
        open_detector(name, str(path))


def test_weights_of_ones_own_are_used_once_another_process_has_tried_them(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    network = (FOLDER / "detector.onnx").read_bytes()
    # Behind the last field of the graph, a text that nobody reads: another file, the same network.
    path.write_bytes(network + bytes([0x32, 3]) + b"own")
    assert open_detector("tensormask", str(path)).name == "tensormask"


def test_faces_at_infinity_are_none(tmp_path: Path) -> None:
    class Infinite:
        def detect(self, pixels: Pixels) -> tuple[int, NDArray[np.float32]]:
            rows = np.full((5, 15), 0.9, np.float32)
            rows[:, :4] = (10, 20, 40, 50)
            rows[0, 0], rows[1, 2], rows[2, 0], rows[3, 2] = -np.inf, np.nan, -1e30, 1e-30
            return 1, rows

    detector = open_detector("tensormask")
    assert isinstance(detector, YuNet)
    detector._detectors = {(320, 240): Infinite()}  # type: ignore[dict-item]
    faces = detector.find(blank(320, 240))
    assert [face.box for face in faces] == [Box(10, 20, 50, 70)]
