"""Drawn people in a drawn hall: the detector finds them, and they are nobody's picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.records import Pixels

WIDTH_PX, HEIGHT_PX = 1280, 720
FLOOR_PX = 530
Colour = tuple[int, int, int]
"""Blue, green, red."""

_WHITE, _BLACK = (245, 245, 245), (10, 10, 10)
_SUB_PX = 4
"""OpenCV draws in sixteenths of a pixel then."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Somebody who stands there. Lengths are pixels."""

    x: float
    """Of the middle of the face."""
    y: float
    head_px: float
    skin: Colour
    hair: Colour
    coat: Colour
    trousers: Colour
    mask: Colour | None = None


PEOPLE = (
    Figure(
        1120, 215, 58, (60, 84, 128), (15, 15, 18), (90, 120, 90), (60, 55, 50), (235, 235, 235)
    ),
    Figure(
        430, 300, 100, (150, 178, 222), (40, 60, 90), (120, 80, 60), (60, 50, 45), (225, 205, 165)
    ),
    Figure(740, 320, 120, (92, 122, 172), (25, 28, 34), (70, 90, 150), (70, 60, 60)),
)
"""Who is far away comes first, so that the near ones stand before them."""


def frames(count: int, fps: float, people: Sequence[Figure] = PEOPLE) -> Iterator[Pixels]:
    """Return pictures in which they sway a little; the last joins on to the first after 4 s."""
    noise = np.random.default_rng(1)
    for number in range(count):
        picture = _hall()
        for place, each in enumerate(people):
            sway = math.sin(2 * math.pi * (number / fps / 4 + place / len(people)))
            draw(picture, each, each.x + 6 * sway, each.y + 2 * sway)
        soft = cv2.GaussianBlur(picture, (0, 0), 1.2).astype(np.float32)
        soft += noise.normal(0, 3, soft.shape)
        yield np.clip(soft, 0, 255).astype(np.uint8)


def _hall() -> Pixels:
    picture = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    picture[:FLOOR_PX] = np.linspace(205, 228, FLOOR_PX)[:, None, None]
    picture[FLOOR_PX:] = np.linspace(120, 165, HEIGHT_PX - FLOOR_PX)[:, None, None]
    cv2.rectangle(picture, (460, 58), (820, FLOOR_PX + 6), (130, 140, 150), cv2.FILLED)
    for left in (480, 646):
        cv2.rectangle(picture, (left, 79), (left + 154, FLOOR_PX), (225, 214, 196), cv2.FILLED)
        cv2.rectangle(picture, (left, 79), (left + 154, 324), (235, 226, 210), cv2.FILLED)
    cv2.rectangle(picture, (76, 115), (256, 331), (180, 190, 200), cv2.FILLED)
    cv2.rectangle(picture, (89, 126), (243, 320), (120, 150, 120), cv2.FILLED)
    return picture


def draw(picture: Pixels, who: Figure, x: float, y: float) -> None:
    """Draw one of them with the middle of the face at (x, y).

    The face is 0.74 heads wide and 1 high.
    """
    unit = who.head_px / 100

    def oval(
        dx: float,
        dy: float,
        half: tuple[float, float],
        colour: Colour,
        arc: tuple[int, int] = (0, 360),
        line: float = 0,
    ) -> None:
        cv2.ellipse(
            picture,
            [round((x + dx * unit) * 2**_SUB_PX), round((y + dy * unit) * 2**_SUB_PX)],
            [round(each * unit * 2**_SUB_PX) for each in half],
            0,
            *arc,
            colour,
            max(1, round(line * unit)) if line else cv2.FILLED,
            cv2.LINE_AA,
            _SUB_PX,
        )

    def shape(points: Sequence[tuple[float, float]], colour: Colour) -> None:
        corners = [(x + dx * unit, y + dy * unit) for dx, dy in points]
        cv2.fillPoly(picture, [np.array(corners, np.int32)], colour, cv2.LINE_AA)

    dark, deep = _shaded(who.skin, 0.8), _shaded(who.skin, 0.55)
    # Legs, coat, neck.
    for side in (-1, 1):
        shape([(0, 250), (side * 66, 250), (side * 58, 520), (side * 12, 520)], who.trousers)
        oval(side * 62, 108, (26, 36), who.coat)
        shape([(side * 40, 100), (side * 88, 104), (side * 98, 290), (side * 72, 290)], who.coat)
    shape([(-72, 270), (-76, 92), (-30, 68), (30, 68), (76, 92), (72, 270)], who.coat)
    shape([(-15, 25), (15, 25), (15, 78), (-15, 78)], dark)
    oval(0, 76, (16, 8), dark)
    # Head.
    oval(0, -12, (44, 52), who.hair)
    for side in (-1, 1):
        oval(side * 38, 2, (7, 12), _shaded(who.skin, 0.9))
    oval(0, 0, (37, 50), who.skin)
    oval(0, 14, (33, 38), _shaded(who.skin, 1.03))
    # Chin, cheeks and nose in light and shade: a flat face is hardly one.
    oval(0, 40, (15, 6), _shaded(who.skin, 0.88))
    oval(0, 38, (12, 5), _shaded(who.skin, 1.06))
    for side, arc in ((-1, (160, 240)), (1, (300, 380))):
        oval(side * 20, 12, (9, 8), _shaded(who.skin, 1.1))
        oval(side * 14, 17, (7, 12), _shaded(who.skin, 0.85), arc, 2)
    oval(0, 2, (3.5, 12), _shaded(who.skin, 1.12))
    oval(0, -34, (38, 22), who.hair, (180, 360))
    for side in (-1, 1):
        oval(side * 16, -8, (9, 5.5), _WHITE)
        oval(side * 16, -8, (4.4, 4.8), (50, 60, 80))
        oval(side * 16, -8, (2.2, 2.4), _BLACK)
        oval(side * 16, -9, (9.5, 6.5), deep, (180, 360), 2)
        oval(side * 16, -19, (12, 5), _shaded(who.hair, 0.9), (200, 340), 3.5)
        oval(side * 4, 13, (2.4, 1.6), deep)
    oval(0, 13, (8, 4), _shaded(who.skin, 0.7), (20, 160), 1.6)
    oval(0, 27, (17, 6), (96, 96, 176))
    oval(0, 26.5, (17, 1.6), (50, 50, 110))
    if who.mask is not None:
        half = [(36, 6), (31, 34), (12, 50)]
        upper = [(-36, 6), (-12, 4), (0, 1), (12, 4)]
        shape([*upper, *half, *((-dx, dy) for dx, dy in reversed(half))], who.mask)
        for dy in (14, 24, 34):
            oval(0, dy - 6, (33, 6), _shaded(who.mask, 0.88), (20, 160), 1.5)


def _shaded(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255, round(part * factor)) for part in colour)
    return blue, green, red
