from __future__ import annotations

from pathlib import Path

import numpy as np

from convert.detector.finds import find, find_all
from edge.records import Box, Face, Pixels

PICTURE = np.zeros((100, 200, 3), np.uint8)


class Bright:
    """Takes for a face what is where a face would be in the picture as it is, at any size."""

    name = "bright"
    sure = 0.5
    input_px: int | None = None

    def __init__(self) -> None:
        self.looks: list[tuple[int, ...]] = []

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        height, width = pixels.shape[:2]
        self.looks.append((width, height))
        ratio = width / 200
        faces = [Face(Box(20, 30, 40, 50).scaled(ratio, ratio), 0.5 + ratio / 10)]
        if ratio > 1:  # only seen enlarged
            faces.append(Face(Box(100, 30, 110, 40).scaled(ratio, ratio), 0.4))
            faces.append(Face(Box(150, 30, 160, 40).scaled(ratio, ratio), 0.2))
        return tuple(faces)


def test_a_face_is_found_once_in_pixels_of_the_picture_as_it_is() -> None:
    detector = Bright()
    assert find(PICTURE, detector) == [
        ((20, 30, 40, 50), 0.625),
        ((100, 30, 110, 40), 0.4),
    ]
    assert detector.looks == [(100, 50), (250, 125)]


def test_a_large_picture_is_looked_at_in_no_size_twice() -> None:
    detector = Bright()
    assert find(np.zeros((1000, 2048, 3), np.uint8), detector, (1.0, 1.25)) != []
    assert detector.looks == [(1024, 500)]


def test_a_picture_is_looked_at_once_until_another_detector_looks(tmp_path: Path) -> None:
    detector, cache = Bright(), tmp_path / "finds.json"
    pictures = [("a", PICTURE), ("b", PICTURE)]
    first = find_all(pictures, detector, "1", cache, lambda items: items)
    looks = len(detector.looks)
    assert find_all(pictures, detector, "1", cache, lambda items: items) == first
    assert len(detector.looks) == looks
    find_all(pictures, detector, "2", cache, lambda items: items)
    assert len(detector.looks) == 2 * looks
