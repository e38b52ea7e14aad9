from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from convert.dataset import Dataset, read_dataset
from convert.prepare import LEAK_FILE, SPLIT_FILE, open_face_detector, split_dataset
from convert.split import LeakError, Part, read_split
from edge.errors import ModelError
from edge.records import Box, Pixels
from tests.convert.pictures import draw_face, encode, face_box, write_dataset

Boxes = dict[str, tuple[Box, ...]]


def prepared(folder: Path) -> tuple[Dataset, list[Pixels], Boxes]:
    dataset = read_dataset(write_dataset(folder / "set", 8))
    pixels = [dataset.read(picture) for picture in dataset.pictures]
    return dataset, pixels, {picture.sha256: (face_box(),) for picture in dataset.pictures}


def test_a_split_is_written_with_its_leak_check_and_kept(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    split = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    assert (tmp_path / LEAK_FILE).exists()
    written = (tmp_path / SPLIT_FILE).read_bytes()
    assert split_dataset(dataset, pixels, boxes, tmp_path, "none", 1) == split
    assert (tmp_path / SPLIT_FILE).read_bytes() == written


def test_another_seed_or_another_picture_makes_a_new_split(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    first = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    assert split_dataset(dataset, pixels, boxes, tmp_path, "none", 2).seed == 2
    fewer = Dataset(dataset.folder, dataset.pictures[1:], ())
    second = split_dataset(fewer, pixels[1:], boxes, tmp_path, "none", 1)
    assert len(second.assignments) == len(first.assignments) - 1


def test_a_split_file_that_leaks_is_refused(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    twin = encode(draw_face(0, 3), ".bmp")  # the same pixels in another file
    (dataset.folder / "with_mask" / "twin.png").write_bytes(twin)
    dataset = read_dataset(dataset.folder)
    pixels = [dataset.read(picture) for picture in dataset.pictures]
    boxes = {picture.sha256: (face_box(),) for picture in dataset.pictures}
    split = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    torn = msgspec.structs.replace(
        split,
        assignments=tuple(
            msgspec.structs.replace(
                item, part=Part.TEST if "twin" in item.picture.path else Part.TRAINING
            )
            for item in split.assignments
        ),
    )
    (tmp_path / SPLIT_FILE).write_bytes(msgspec.json.encode(torn))
    with pytest.raises(LeakError, match=r"with_mask/3\.png and with_mask/twin\.png"):
        split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    assert read_split(tmp_path / SPLIT_FILE) == torn


def test_no_detector_is_a_choice() -> None:
    assert open_face_detector("none", "") is None


def test_weights_of_a_detector_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        open_face_detector("yunet", str(tmp_path / "absent.onnx"))


def test_the_daemons_own_detector_is_opened(yunet_weights: Path) -> None:
    detector = open_face_detector("auto", str(yunet_weights))
    assert detector is not None
    assert detector.name == "yunet"
