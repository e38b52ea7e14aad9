"""Live pictures of a scene that is not damaged: in changing light, with people who walk by."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.records import Frame, Pixels, Verdict
from edge.sight.heads import cutout
from edge.sight.proof import LivePair
from tests.fakes import START
from tools.sight.damage import DAMAGES

PAIRS = 5
MOST_PEOPLE = 3
LOOKS = 30
NOISE = 2.0
"""Of the sensor, in gray levels."""
OF_THE_SENSOR = "low bit rate"
"""This damage comes after the sensor's noise, all others before."""


class Daylight:
    """The light of some minutes: sun and clouds, a lamp somewhere, tint and gamma."""

    def __init__(self, chosen: np.random.Generator) -> None:
        self.chosen = chosen
        self._gamma = chosen.uniform(0.85, 1.18)
        self._brightness = chosen.uniform(0.6, 1.3)
        self._lamp = chosen.uniform(-0.25, 0.35)
        self._lamp_at = chosen.uniform(0, 1, 2)
        self._lamp_reach = chosen.uniform(0.2, 0.5)
        self._slope = chosen.uniform(-0.15, 0.15, 2)
        self._tint = 1 + chosen.uniform(-0.06, 0.06, 3)

    def lit(self, scene: Pixels) -> NDArray[np.float32]:
        height, width = scene.shape[:2]
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        across, down = columns / width, rows / height
        x, y = self._lamp_at
        far = np.hypot(across - x, (down - y) * height / width) / self._lamp_reach
        light = 1 + self._lamp * np.exp(-(far**2))
        light += self._slope[0] * (2 * across - 1) + self._slope[1] * (2 * down - 1)
        shades = (scene / 255) ** self._gamma * (self._brightness * light)[..., None] * self._tint
        return np.asarray((255 * shades).clip(0, 255), np.float32)


def live(
    scene: Pixels, moment: Daylight, kind: str = "", level: float = 0, seed: int = 0
) -> Iterator[LivePair]:
    """Return pairs of pictures some seconds apart, with a damage where one is named."""
    chosen = moment.chosen
    base = moment.lit(scene)
    for number in range(PAIRS):
        picture = base * np.float32(chosen.uniform(0.98, 1.02))
        _walk_by(picture, chosen)
        clean = picture.clip(0, 255).astype(np.uint8)
        frames = []
        for part in range(2):
            shown = clean
            if kind and kind != OF_THE_SENSOR:
                shown = DAMAGES[kind](shown, level, seed)
            shown = np.clip(shown + _noise(shown.shape, chosen), 0, 255).astype(np.uint8)
            if kind == OF_THE_SENSOR:
                shown = DAMAGES[kind](shown, level, seed)
            frames.append(Frame(2 * number + part, shown, START, 10.0 * number + part))
        yield LivePair(frames[0], frames[1])


@lru_cache(maxsize=1)
def _stored_noise() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((2048, 2048, 3), np.float32) * np.float32(NOISE)


def _noise(shape: tuple[int, ...], chosen: np.random.Generator) -> NDArray[np.float32]:
    """Return some of the stored noise: to make it takes as long as all else."""
    stored = _stored_noise()
    top, left = (int(chosen.integers(0, 2048 - side + 1)) for side in shape[:2])
    return stored[top : top + shape[0], left : left + shape[1]]


def _walk_by(picture: NDArray[np.float32], chosen: np.random.Generator) -> None:
    """Draw up to three people, each somewhere, with a coat of some color down to the floor."""
    height, width = picture.shape[:2]
    for _ in range(int(chosen.integers(0, MOST_PEOPLE + 1))):
        size = int(chosen.integers(20, 90))
        who = cutout(int(chosen.integers(0, LOOKS)), Verdict.MASKED, size)
        if who.side >= min(height, width) - 2:
            continue
        x, y = (int(chosen.integers(0, whole - who.side)) for whole in (width, height))
        part = picture[y : y + who.side, x : x + who.side]
        part[:] = part * (1 - who.alpha[..., None]) + who.colors
        coat = slice(x + who.side // 4, x + 3 * who.side // 4)
        picture[y + who.side : y + who.side + 4 * size, coat] = chosen.uniform(20, 200, 3)
