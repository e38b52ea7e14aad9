"""Drawn rooms, live pictures of them in changing light, and eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.config.seeing import ClassifierSettings
from edge.detect.detectors import open_detector
from edge.records import Face, Frame, Pixels
from edge.sight.proof import LivePair, ProofEyes
from edge.sight.scene import SceneLook
from tests.fakes import START

WIDTH, HEIGHT = 640, 360
Alter = Callable[[Pixels], Pixels]


def room(seed: int) -> Pixels:
    """Return a room with furniture and pictures on its walls: edges of all sizes."""
    chosen = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
    picture[230:] = (90, 105, 120)
    for _ in range(60):
        x, y = (int(each) for each in chosen.uniform((0, 0), (WIDTH, HEIGHT)))
        wide, high = (int(each) for each in chosen.uniform(4, 90, 2))
        color = tuple(int(each) for each in chosen.integers(40, 220, 3))
        cv2.rectangle(picture, (x, y), (x + wide, y + high), color, cv2.FILLED)
        cv2.line(picture, (x, y), (x + 2 * wide, y + high // 2), (60, 60, 60), 1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.7), np.uint8)


def pairs_of(
    scene: Pixels, seed: int, alter: Alter = lambda picture: picture, light: float | None = None
) -> list[LivePair]:
    """Return live pictures: in a light of their own, with somebody who walks by, and with noise."""
    chosen = np.random.default_rng(seed)
    factor = chosen.uniform(0.7, 1.2) if light is None else light
    pairs = []
    for number in range(5):
        lit = np.clip(scene.astype(np.float32) * factor, 0, 255).astype(np.uint8)
        x = int(chosen.uniform(0, WIDTH - 60))
        cv2.rectangle(lit, (x, 120), (x + 40, HEIGHT), (50, 60, 90), cv2.FILLED)
        shown = alter(lit)
        before, now = (
            Frame(2 * number + k, grained(shown, chosen), START, float(3 * number + k))
            for k in range(2)
        )
        pairs.append(LivePair(before, now))
    return pairs


def grained(picture: Pixels, chosen: np.random.Generator) -> Pixels:
    noise = chosen.standard_normal(picture.shape, np.float32) * 2
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def open_eyes() -> ProofEyes:
    judge = MaskClassifier(load_bundle(), ClassifierSettings(threads=1, min_face_px=8))
    return ProofEyes(open_detector(), judge, lambda frame: 1.0, 8)


class Unseeing:
    """A detector that finds nothing, in no time: what the scene itself shows needs none."""

    name = "none"
    sure = 1.0
    input_px: int | None = None

    def find(self, pixels: Pixels) -> tuple[Face, ...]:
        return ()


def closed_eyes() -> ProofEyes:
    return replace(open_eyes(), detector=Unseeing())


def looks_at(pairs: list[LivePair]) -> list[SceneLook]:
    return [SceneLook.of(pair.before.pixels, pair.now.pixels) for pair in pairs]
