# ruff: noqa: T201 - a command line module
"""Which heads the page leaves uncovered: `make heads BOXED=folder`.

Pictures of boxed sets as cameras that are being aimed show them: turned, tilted, dark, out of
focus. Each goes through what the page does with a frame; a face counts as uncovered where the
center of its true box is not pixelated in the picture that is shown. Each picture stands alone:
without tracks, without what an earlier one showed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.data.split import SplitPart
from convert.data.voc import BoxedPicture, read_boxed
from edge.config import DetectorSettings
from edge.daemon.viewer import PICTURES
from edge.detect.detector import FaceDetector
from edge.pixels import resize, scaled_size
from edge.privacy.heads import FaceSearch, FindFaces, Held, open_covering
from edge.privacy.picture import MARGIN, Photographer
from edge.records import Box, Frame, Pixels
from tests.fakes import START

COUNTED_PX = 16
"""Smaller faces, as shown, are not counted: nobody is recognized by them."""
LIGHT, NOISE = 1 / 6, 3.0
"""Of a dark picture: its gray levels are multiplied by this; the sensor's noise, in gray levels."""
BLUR_PX = 2.0
"""Of a picture out of focus: standard deviation, in pixels of the picture that is shown."""
FPS = 4
"""Of the page."""
ROLL_FRAMES = 9
"""In which a camera that is being turned goes from upright to upside down."""
TIMED = 25
"""Frames whose cost is measured."""

POSITIONS: dict[str, float] = {
    "upright": 0,
    "tilted 20": 20,
    "tilted -20": -20,
    "tilted 40": 40,
    "tilted -40": -40,
    "on its side": 90,
    "on the other side": 270,
    "upside down": 180,
    "upside down, tilted 40": 220,
    "on its side, tilted -40": 50,
}
"""Of the people in the picture, in degrees, counterclockwise."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture as the camera shows it."""

    pixels: Pixels
    faces: tuple[NDArray[np.float64], ...]
    """The corners of each, shape (4, 2), whose center is in the picture."""


@dataclass(slots=True)
class Count:
    faces: int = 0
    uncovered: int = 0
    half: int = 0
    """Of which less than half is covered."""
    needless: list[float] = field(default_factory=list)
    """Of each picture, the share that is pixelated and belongs to no head."""


def placed(pixels: Pixels, faces: Sequence[Box], degrees: float) -> Placed:
    """Turn what is in a picture; tilted, its corners are cut off and gaps filled from the edge."""
    height, width = pixels.shape[:2]
    quarters, rest = divmod(round(degrees), 90)
    if rest > 45:
        quarters, rest = quarters + 1, rest - 90
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rest, 1)
    tilted = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    shown = np.ascontiguousarray(np.rot90(tilted, quarters))
    corners = []
    for box in faces:
        x0, y0, x1, y1 = box.sides
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ turn[:, :2].T + turn[:, 2]
        for size in (width, height, width, height)[: quarters % 4]:
            points = np.stack([points[:, 1], size - points[:, 0]], axis=1)
        x, y = points.mean(axis=0)
        if 0 <= x < shown.shape[1] and 0 <= y < shown.shape[0]:
            corners.append(points)
    return Placed(np.asarray(shown, np.uint8), tuple(corners))


def dark(pixels: Pixels, noise: np.random.Generator) -> Pixels:
    noisy = LIGHT * pixels + noise.normal(0, NOISE, pixels.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def blurred(pixels: Pixels, noise: np.random.Generator) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), BLUR_PX), np.uint8)


CONDITIONS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "": lambda pixels, noise: pixels,
    "dark": dark,
    "blurred": blurred,
}


@lru_cache
def grained(width: int, height: int) -> Pixels:
    """Return a picture in which no pixel is like its neighbors."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def measure(find: FindFaces, scene: Placed, frame: Frame, count: Count) -> None:
    """Cover the frame as the page does, and count."""
    boxes = find(frame)
    before = grained(frame.width, frame.height)
    blank = replace(frame, pixels=before)
    after = Photographer(PICTURES, lambda _: boxes).covered(blank)
    # A cell may have a pixel's value in one channel, hardly in all three.
    covered = (before != after).any(axis=2)
    heads = np.zeros(covered.shape, np.uint8)
    for corners in scene.faces:
        center = corners.mean(axis=0)
        grown = center + (1 + 2 * MARGIN) * (corners - center)
        cv2.fillPoly(heads, [np.round(grown).astype(np.int32)], (1,))
        if np.sqrt(cv2.contourArea(corners.astype(np.float32))) < COUNTED_PX:
            continue
        face = np.zeros(covered.shape, np.uint8)
        cv2.fillPoly(face, [np.round(corners).astype(np.int32)], (1,))
        share = float(covered[face == 1].mean())
        count.faces += 1
        x, y = center.astype(int)
        count.uncovered += not covered[y, x]
        count.half += share < 0.5
    count.needless.append(float((covered & (heads == 0)).mean()))


def pictures(folder: Path, split: Path | None, most: int) -> list[BoxedPicture]:
    boxed = read_boxed(folder)
    if split is None:
        chosen = list(boxed.pictures)
    else:
        parts = (SplitPart.VALIDATION, SplitPart.TEST)
        chosen = [each for part in parts for each in boxed.of_part(part, split)]
    random.Random(0).shuffle(chosen)
    return chosen[:most] if most else chosen


def shown(picture: BoxedPicture) -> tuple[Pixels, list[Box]]:
    """Return a picture no larger than the page shows it, and its faces."""
    pixels = picture.read()
    ratio = min(1.0, PICTURES.longest_side_px / max(pixels.shape[:2]))
    boxes = [*(face.box for face in picture.faces), *picture.unsure]
    return (
        resize(pixels, scaled_size(pixels, ratio)),
        [box.scaled(ratio, ratio) for box in boxes],
    )


def cost(detector: FaceDetector, frames: Sequence[Frame]) -> float:
    """Return how many detections take as long as one search of the page, on the same scenes."""
    search = Held(FaceSearch(detector, quarters=False))
    looks, searches = [], []
    for frame in frames:
        started = time.process_time()
        detector.find(frame.pixels)
        between = time.process_time()
        search(frame)
        looks.append(between - started)
        searches.append(time.process_time() - between)
    # The first lay out the networks.
    return sum(searches[2:]) / sum(looks[2:])


def print_costs(detector: FaceDetector, chosen: Sequence[BoxedPicture]) -> None:
    moving = [
        Frame(number, resize(each.read(), (640, 480)), START, number / FPS)
        for number, each in enumerate(chosen[:TIMED])
    ]
    still = [Frame(number, moving[0].pixels, START, number / FPS) for number in range(TIMED)]
    print(f"640 x 480, {FPS} frames a second, one thread; times one look at the upright scene:")
    for name, frames in (("all changes", moving), ("nothing changes", still)):
        print(f"{name:34} {cost(detector, frames):6.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxed", type=Path, action="append", required=True, metavar="FOLDER")
    parser.add_argument("--yunet", default="", help="weights of YuNet, instead of our detector")
    parser.add_argument("--split", type=Path, help="only pictures that training has not seen")
    parser.add_argument("--most", type=int, default=0, help="pictures of each set; 0: all")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    chosen = [
        each for folder in options.boxed for each in pictures(folder, options.split, options.most)
    ]
    name = "yunet" if options.yunet else "tensormask"
    detector = open_covering(DetectorSettings(name, options.yunet))
    print_costs(detector, chosen)
    print(f"{len(chosen)} pictures, {name}; faces from {COUNTED_PX} px as shown")
    print(f"{'':34} {'faces':>6} {'uncovered':>10} {'':>7} {'half':>5} {'needless':>9}")
    for condition, alter in CONDITIONS.items():
        for position, degrees in POSITIONS.items():
            count = Count()
            noise = np.random.default_rng(0)
            for each in chosen:
                scene = placed(*shown(each), degrees)
                frame = Frame(0, alter(scene.pixels, noise), START, 0.0)
                # A search of its own: nothing is known from the picture before.
                measure(FaceSearch(detector, quarters=False), scene, frame, count)
            print(line(f"{position} {condition}", count), flush=True)
    for name, holds in (("rolling over, nothing held", False), ("rolling over", True)):
        count = Count()
        for each in chosen:
            search: FindFaces = FaceSearch(detector, quarters=False)
            search = Held(search) if holds else search
            for number, degrees in enumerate(np.linspace(0, 180, ROLL_FRAMES)):
                scene = placed(*shown(each), degrees)
                measure(search, scene, Frame(number, scene.pixels, START, number / FPS), count)
        print(line(name, count), flush=True)


def line(name: str, count: Count) -> str:
    return (
        f"{name:34} {count.faces:6} {count.uncovered:10} "
        f"{count.uncovered / max(1, count.faces):7.2%} {count.half:5} "
        f"{statistics.mean(count.needless):9.1%}"
    )


if __name__ == "__main__":
    main()
