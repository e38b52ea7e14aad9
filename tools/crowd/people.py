"""People cut out of boxed pictures, and their visits before a wall."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.data.voc import BoxedPicture, read_boxed
from edge.classify.card import BARE, MASKED
from edge.records import Box, Frame, Pixels
from tests.fakes import START

WIDTH, HEIGHT = 1280, 720
COLUMNS, ROWS = 9, 6
"""The places at which people appear: a face with its margin fits into each."""
SIZES_PX = ((22.0, 32.0), (45.0, 60.0))
"""Of the faces, drawn evenly by their logarithm. They alternate at each place: a face of the same
size at the same place is the same person to the tracker."""
SOURCE_PX = 40
"""Only faces at least as large are cut out: none is enlarged by much."""
MARGIN = 0.6
"""What is cut out around a face on each side, as a share of its box: hair, neck, shoulders."""
FADES = 0.35
"""The share of this margin that fades into the wall."""
BARE_SHARE = 0.3
WIDTHS_A_SECOND = 4.0
"""Of a face, as its person walks by."""
EMPTY_S = 2.0
"""How long a place stays empty between two people: longer than the tracker waits for one."""
NOISE = 3.0
GRAIN_PX = 64
"""The noise is one larger picture, of which each frame shows another part."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """Somebody who may appear."""

    pixels: Pixels
    """The face with its margin."""
    face: Box
    """In it."""
    label: int


@dataclass(slots=True)
class Guest:
    """Somebody's visit, and what became of it."""

    cutout: Cutout
    size_px: float
    place: tuple[float, float]
    """The center around which they sway."""
    phase: float
    from_s: float
    until_s: float
    walks_px_s: float = 0.0
    """To the right; below 0: to the left."""
    found: int = 0
    """In how many frames."""
    reported_s: list[float] = field(default_factory=list)

    def is_here(self, seconds: float) -> bool:
        return self.from_s <= seconds < self.until_s

    def face_at(self, seconds: float) -> Box:
        """Return the face's place in the frame of that time."""
        x = self.place[0] + self.walks_px_s * (seconds - self.from_s)
        x += self.size_px / 2 * math.sin(1.7 * seconds + self.phase)
        y = self.place[1] + self.size_px / 4 * math.sin(1.1 * seconds + 2 * self.phase)
        face = self.cutout.face
        ratio = self.size_px / face.size_px
        wide, high = ratio * face.width / 2, ratio * face.height / 2
        return Box(x - wide, y - high, x + wide, y + high)


def cutouts_of(folders: Sequence[Path], held_out: Path) -> list[Cutout]:
    """Return the masked and bare faces of pictures that training has not seen.

    Only those that have nobody else's face beside them. Raises ConfigError.
    """
    cutouts: list[Cutout] = []
    for boxed in map(read_boxed, folders):
        for part in ("validation", "test"):
            for picture in boxed.of_part(part, held_out):
                cutouts += _cut_out(picture)
    return cutouts


def _cut_out(picture: BoxedPicture) -> Iterator[Cutout]:
    pixels = picture.read()
    height, width = pixels.shape[:2]
    others = (*(each.box for each in picture.faces), *picture.unsure, *picture.nothing)
    for face in picture.faces:
        around = face.box.grown(MARGIN)
        if (
            face.label in (MASKED, BARE)
            and face.box.size_px >= SOURCE_PX
            and min(around.left, around.top) >= 0
            and around.right <= width
            and around.bottom <= height
            and not any(each != face.box and each.iou(around) > 0 for each in others)
        ):
            left, top, right, bottom = map(round, around.sides)
            yield Cutout(pixels[top:bottom, left:right], face.box.moved(-left, -top), face.label)


def guests_of(
    cutouts: Sequence[Cutout],
    number: int,
    visit_s: tuple[float, float],
    seconds: float,
    rng: np.random.Generator,
) -> list[Guest]:
    """Return who comes in that time: about `number` at any moment, for `visit_s` from, to."""
    wide, high = WIDTH / COLUMNS, HEIGHT / ROWS
    mean_s = sum(visit_s) / 2
    places = min(COLUMNS * ROWS, round(number * (mean_s + EMPTY_S) / mean_s))
    guests = []
    for place in rng.permutation(COLUMNS * ROWS)[:places]:
        centre = (wide * (place % COLUMNS + 0.5), high * (place // COLUMNS + 0.5))
        sizes = itertools.cycle(SIZES_PX[:: int(rng.choice((-1, 1)))])
        # They come at different times, or everybody's turn would come at once.
        from_s = -float(rng.uniform(0, visit_s[1]))
        while from_s < seconds:
            cutout, size_px = _drawn(cutouts, next(sizes), rng)
            until_s = from_s + float(rng.uniform(*visit_s))
            phase = float(rng.uniform(0, 2 * math.pi))
            guests.append(Guest(cutout, size_px, centre, phase, from_s, until_s))
            from_s = until_s + EMPTY_S
    return guests


def walkers_of(
    cutouts: Sequence[Cutout], number: int, seconds: float, rng: np.random.Generator
) -> list[Guest]:
    """Return who walks by in that time, one after the other in each of `number` rows."""
    guests = []
    for row in range(number):
        sizes = itertools.cycle(SIZES_PX[:: 1 - 2 * (row % 2)])
        from_s = -float(rng.uniform(0, WIDTH / WIDTHS_A_SECOND / SIZES_PX[-1][-1]))
        while from_s < seconds:
            cutout, size_px = _drawn(cutouts, next(sizes), rng)
            edge = 1.5 * size_px
            speed = WIDTHS_A_SECOND * size_px
            until_s = from_s + (WIDTH - 2 * edge) / speed
            side = int(rng.choice((-1, 1)))
            place = (edge if side > 0 else WIDTH - edge, HEIGHT * (row + 0.5) / number)
            phase = float(rng.uniform(0, 2 * math.pi))
            guests.append(Guest(cutout, size_px, place, phase, from_s, until_s, side * speed))
            from_s = until_s + EMPTY_S
    return guests


def _drawn(
    cutouts: Sequence[Cutout], sizes_px: tuple[float, float], rng: np.random.Generator
) -> tuple[Cutout, float]:
    """Draw somebody, and the size of the face."""
    label = BARE if rng.random() < BARE_SHARE else MASKED
    among = [each for each in cutouts if each.label == label]
    cutout = among[rng.integers(len(among))]
    least, most = map(math.log, sizes_px)
    return cutout, math.exp(rng.uniform(least, most))


def frames_of(
    guests: Sequence[Guest], seconds: float, fps: float, rng: np.random.Generator
) -> Iterator[Frame]:
    """Return each frame with the guests of its time."""
    wall = _wall(rng)
    grain = rng.normal(0, NOISE, (HEIGHT + GRAIN_PX, WIDTH + GRAIN_PX, 3)).astype(np.float32)
    for number in range(round(seconds * fps)):
        now_s = number / fps
        shown = wall.copy()
        for guest in (each for each in guests if each.is_here(now_s)):
            _paste(shown, guest.cutout, guest.face_at(now_s))
        x, y = rng.integers(0, GRAIN_PX, 2)
        shown += grain[y : y + HEIGHT, x : x + WIDTH]
        pixels = np.clip(shown, 0, 255).astype(np.uint8)
        yield Frame(number, pixels, START + timedelta(seconds=now_s), now_s)


def _wall(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a wall with patches of color."""
    patches = rng.uniform(70, 180, (ROWS, COLUMNS, 3)).astype(np.float32)
    return np.asarray(cv2.resize(patches, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def _paste(frame: NDArray[np.float32], cutout: Cutout, face: Box) -> None:
    """Draw somebody whose face is to be at `face`."""
    ratio = face.size_px / cutout.face.size_px
    pixels, scale = cutout.pixels, ratio
    while scale < 0.5:
        # Averaged as it shrinks, as a lens and a sensor do.
        half = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        pixels = np.asarray(half, np.uint8)
        scale *= 2
    left = face.left - ratio * cutout.face.left
    top = face.top - ratio * cutout.face.top
    x, y = max(0, math.floor(left)), max(0, math.floor(top))
    shift = np.array([[scale, 0, left - x], [0, scale, top - y]])
    height, width = pixels.shape[:2]
    size = (
        min(WIDTH - x, math.ceil(left - x + scale * width)),
        min(HEIGHT - y, math.ceil(top - y + scale * height)),
    )
    share = cv2.warpAffine(_fading(height, width), shift, size)[..., None]
    drawn = cv2.warpAffine(pixels, shift, size, borderMode=cv2.BORDER_REPLICATE)
    there = frame[y : y + size[1], x : x + size[0]]
    there += share * (drawn - there)


def _fading(height: int, width: int) -> NDArray[np.float32]:
    """Return how much of a cut-out is seen at each pixel: all of it but for its margin."""
    fade = FADES * MARGIN / (1 + 2 * MARGIN)
    down, across = (
        np.clip(np.minimum(line, 1 - line) / fade, 0, 1)
        for line in ((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width)
    )
    return np.asarray(np.outer(down, across), np.float32)
