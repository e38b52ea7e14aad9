from __future__ import annotations

from pathlib import Path

import pytest

from convert.data.dataset import Dataset, Picture, read_dataset
from convert.data.faces import locate, locate_all, read_faces
from edge.errors import ConfigError
from edge.records import Box, Face, Pixels
from tests.convert.pictures import write_dataset
from tests.fakes import FixedDetector, blank, face_at


class SecondLook:
    """Finds a face in the middle of pictures of one width only."""

    name = "second"
    sure = 0.5
    input_px: int | None = None

    def __init__(self, width: int) -> None:
        self._width = width

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        height, width = pixels.shape[:2]
        if width != self._width:
            return ()
        return (Face(Box(width / 4, height / 4, width * 3 / 4, height * 3 / 4), 0.9),)


def test_boxes_are_in_pixels_of_the_picture_that_was_given() -> None:
    (box,) = locate(blank(640, 480), SecondLook(320))
    assert (box.left, box.top, box.right, box.bottom) == (160, 120, 480, 360)


def test_a_face_that_fills_the_picture_is_found_with_a_border() -> None:
    # 320 px and a border of 35 % on each side.
    (box,) = locate(blank(320, 320), SecondLook(544))
    assert (box.left, box.right) == (24, 296)


def test_small_bystanders_are_left_out_and_the_largest_comes_first() -> None:
    detector = FixedDetector(
        [face_at(10, 10, 60), face_at(100, 10, 100), face_at(250, 10, 20, confidence=0.95)]
    )
    assert [box.width for box in locate(blank(300, 200), detector)] == [100, 60]


def test_a_large_doubtful_box_does_not_hide_a_sure_face() -> None:
    detector = FixedDetector([face_at(10, 10, 150, 0.62), face_at(200, 50, 60, 0.9)])
    assert [box.width for box in locate(blank(300, 200), detector)] == [60]


def test_without_a_sure_face_all_looks_are_taken_and_the_surest_counts() -> None:
    detector = FixedDetector([face_at(10, 10, 50, 0.7)])
    detector.near = None
    locate(blank(300, 200), detector)
    assert len(detector.shown) == 4


def test_a_picture_without_a_face_has_no_box() -> None:
    assert locate(blank(), FixedDetector([])) == ()


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return read_dataset(write_dataset(tmp_path / "set", 1))


def test_located_faces_are_read_back_and_not_located_again(
    dataset: Dataset, tmp_path: Path
) -> None:
    cache = tmp_path / "faces.json"
    detector = FixedDetector([face_at(10, 10, 50)])
    found = locate_all(dataset, dataset.pictures, detector, "fixed", cache)
    looks = len(detector.shown)
    assert locate_all(dataset, dataset.pictures, detector, "fixed", cache) == found
    assert len(detector.shown) == looks
    assert read_faces(cache) == found
    assert set(found) == {picture.sha256 for picture in dataset.pictures}


def test_another_detector_looks_again(dataset: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "faces.json"
    locate_all(dataset, dataset.pictures, FixedDetector([face_at(10, 10, 50)]), "fixed", cache)
    found = locate_all(dataset, dataset.pictures, None, "none", cache)
    assert set(found.values()) == {()}


def test_a_missing_or_damaged_file_of_faces_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`train` writes it"):
        read_faces(tmp_path / "faces.json")
    (tmp_path / "faces.json").write_text("[")
    with pytest.raises(ConfigError, match="delete it"):
        read_faces(tmp_path / "faces.json")


def test_the_cache_knows_pictures_by_content(dataset: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "faces.json"
    detector = FixedDetector([face_at(10, 10, 50)])
    locate_all(dataset, dataset.pictures, detector, "fixed", cache)
    looks = len(detector.shown)
    renamed = [Picture("elsewhere.png", p.label, p.sha256) for p in dataset.pictures]
    locate_all(dataset, renamed, detector, "fixed", cache)
    assert len(detector.shown) == looks
