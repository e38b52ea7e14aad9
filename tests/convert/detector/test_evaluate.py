from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.data.voc import read_boxed
from convert.detector.evaluate import Looked, look, point_at
from convert.detector.scenes import FaceKind
from edge.records import Box, Face, Pixels
from tests.convert.pictures import write_boxed


class Everywhere:
    """Detects what the test gave it, in each picture."""

    name = "everywhere"
    sure = 0.5
    input_px: int | None = None

    def __init__(self, *faces: Face) -> None:
        self.faces = faces

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        return self.faces


def test_finds_are_matched_with_labels_and_the_rest_is_counted(tmp_path: Path) -> None:
    boxed = read_boxed(write_boxed(tmp_path, 4))
    picture = boxed.pictures[0]
    nowhere = Face(Box(0, 200, 16, 216), 0.9)
    tiny = Face(Box(0, 230, 6, 236), 0.9)
    faces = [Face(face.box, 0.8) for face in picture.faces]
    found = look([picture], Everywhere(*faces, nowhere, tiny))
    assert found.score.tolist() == pytest.approx([0.8] * len(picture.faces))
    assert found.iou.tolist() == pytest.approx([1] * len(picture.faces))
    assert found.other == [(0.9, 0, (0, 200, 16, 216))], "the tiny one is nothing to the program"
    assert found.kind.tolist() == [face.label for face in picture.faces]


def test_detectors_are_compared_where_they_find_equally_much_besides() -> None:
    sizes = np.array([20.0, 20.0, 40.0, 40.0])
    kinds = np.array([FaceKind.MASKED, FaceKind.BARE, FaceKind.MASKED, FaceKind.MASKED])
    scores = np.array([0.3, 0.9, 0.7, 0.0])
    other = [(score, 0, (0.0, 0.0, 1.0, 1.0)) for score in (0.8, 0.5, 0.2)]
    found = Looked(sizes, kinds, scores, scores, other)
    point = point_at(found, 100, 2)
    assert 0.2 < point.score < 0.201
    assert point.unlabelled_in_100 == 2
    by_row = {(str(row.band), row.kind): (row.found, row.faces) for row in point.found}
    assert by_row["16-24 px", "masked"] == (1, 1)
    assert by_row[">= 32 px", "masked"] == (1, 2)
    assert by_row["16-32 px", "bare"] == (1, 1)
    strict = point_at(found, 100, 1)
    assert 0.5 < strict.score < 0.501
    assert sum(row.found for row in strict.found if str(row.band) in ("16-32 px", ">= 32 px")) == 2
    assert point_at(found, 100, 50).score == pytest.approx(0.05)
