from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from convert.data.dataset import Dataset, read_dataset
from convert.data.prepare import (
    LEAK_FILE,
    band_of,
    open_face_detector,
    read_street,
    split_dataset,
)
from convert.data.split import LeakError, SplitPart, read_split
from convert.data.voc import read_boxed
from convert.files import BOXED_SPLIT_FILE, SPLIT_FILE
from edge.errors import ModelError
from edge.records import Box, Pixels
from tests.convert.pictures import (
    annotate,
    draw_face,
    encode,
    face_box,
    write_boxed,
    write_dataset,
)

Boxes = dict[str, tuple[Box, ...]]


def all_of(items: Iterable[Any], name: str) -> Iterable[Any]:
    return items


def prepared(folder: Path) -> tuple[Dataset, list[Pixels], Boxes]:
    dataset = read_dataset(write_dataset(folder / "set", 8))
    pixels = [dataset.read(picture) for picture in dataset.pictures]
    return dataset, pixels, {picture.sha256: (face_box(),) for picture in dataset.pictures}


def test_a_split_is_written_with_its_leak_check_and_kept(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    splits = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    assert (tmp_path / LEAK_FILE).exists()
    written = (tmp_path / SPLIT_FILE).read_bytes()
    assert split_dataset(dataset, pixels, boxes, tmp_path, "none", 1) == splits
    assert (tmp_path / SPLIT_FILE).read_bytes() == written


def test_another_seed_or_another_picture_makes_a_new_split(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    first, _ = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    assert split_dataset(dataset, pixels, boxes, tmp_path, "none", 2)[0].seed == 2
    fewer = Dataset(dataset.folder, dataset.pictures[1:], ())
    second, _ = split_dataset(fewer, pixels[1:], boxes, tmp_path, "none", 1)
    assert len(second.assignments) == len(first.assignments) - 1


def test_a_split_file_that_leaks_is_refused(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    twin = encode(draw_face(0, 3), ".bmp")  # the same pixels in another file
    (dataset.folder / "with_mask" / "twin.png").write_bytes(twin)
    dataset = read_dataset(dataset.folder)
    pixels = [dataset.read(picture) for picture in dataset.pictures]
    boxes = {picture.sha256: (face_box(),) for picture in dataset.pictures}
    split, _ = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    torn = msgspec.structs.replace(
        split,
        assignments=tuple(
            msgspec.structs.replace(
                item, part=SplitPart.TEST if "twin" in item.picture.path else SplitPart.TRAINING
            )
            for item in split.assignments
        ),
    )
    (tmp_path / SPLIT_FILE).write_bytes(msgspec.json.encode(torn))
    with pytest.raises(LeakError, match=r"with_mask/3\.png and with_mask/twin\.png"):
        split_dataset(dataset, pixels, boxes, tmp_path, "none", 1)
    assert read_split(tmp_path / SPLIT_FILE) == torn


def test_streets_are_split_beside_the_pictures_and_kept(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    street = read_street(read_boxed(write_boxed(tmp_path / "street", 8)), all_of)
    splits = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1, street)
    assert read_split(tmp_path / BOXED_SPLIT_FILE) == splits[1]
    assert len(splits[1].assignments) == 8
    assert split_dataset(dataset, pixels, boxes, tmp_path, "none", 1, street) == splits


def test_a_picture_of_both_sets_lies_in_one_part(tmp_path: Path) -> None:
    dataset, pixels, boxes = prepared(tmp_path)
    folder = write_boxed(tmp_path / "street", 0)
    for number, picture in enumerate(pixels):
        (folder / "images" / f"{number}.bmp").write_bytes(encode(picture, ".bmp"))
        (folder / "annotations" / f"{number}.xml").write_text(annotate([], (96, 96)))
    street = read_street(read_boxed(folder), all_of)
    split, street_split = split_dataset(dataset, pixels, boxes, tmp_path, "none", 1, street)
    parts = {item.group: item.part for item in split.assignments}
    assert all(item.part is parts[item.group] for item in street_split.assignments)


def test_a_face_counts_from_twelve_pixels(tmp_path: Path) -> None:
    (item,) = read_street(read_boxed(write_boxed(tmp_path, 1)), all_of)
    assert [label for _, label in item.faces] == [0, 1, 2, 0]
    assert [band_of(view.box.size_px) for view, _ in item.faces] == [0, 0, 3, 4]
    assert item.head is not None


def test_no_detector_is_a_choice() -> None:
    assert open_face_detector("none", "") is None


def test_weights_of_a_detector_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        open_face_detector("yunet", str(tmp_path / "absent.onnx"))


def test_the_daemons_own_detector_is_opened(yunet_weights: Path) -> None:
    detector = open_face_detector("auto", str(yunet_weights))
    assert detector is not None
    assert detector.name == "yunet"
