"""Drawn stand-ins for photographs: ovals, some with a patch on the lower half, nobody's face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.model import LABELS
from edge.records import Box, Pixels


def draw_face(label: int, seed: int, side_px: int = 96) -> Pixels:
    """Return a drawn head on a blotchy background, another one for each seed."""
    rng = np.random.default_rng((seed, label))
    blotches = rng.integers(0, 255, (5, 5, 3), np.uint8)
    pixels = cv2.resize(blotches, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    x, y = (int(side_px * share) for share in rng.uniform(0.42, 0.58, 2))
    width, height = int(side_px * rng.uniform(0.25, 0.33)), int(side_px * rng.uniform(0.33, 0.42))
    skin = tuple(int(value) for value in rng.integers(90, 220, 3))
    cv2.ellipse(pixels, (x, y), (width, height), 0, 0, 360, skin, -1)
    for eye in (-1, 1):
        cv2.circle(pixels, (x + eye * width // 2, y - height // 3), side_px // 24, (0, 0, 0), -1)
    if LABELS[label] == "with_mask":
        corners = (x - width, y), (x + width, y + height)
        cv2.rectangle(pixels, *corners, (250, 250, 250), -1)
    else:
        cv2.ellipse(
            pixels, (x, y + height // 2), (width // 2, height // 8), 0, 0, 360, (0, 0, 160), -1
        )
    noise = rng.normal(0, 4, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def face_box(side_px: int = 96) -> Box:
    """Return a box about where `draw_face` puts the head."""
    return Box(side_px * 0.2, side_px * 0.15, side_px * 0.8, side_px * 0.85)


def encode(pixels: Pixels, suffix: str = ".png") -> bytes:
    _, content = cv2.imencode(suffix, pixels)
    return content.tobytes()


def write_dataset(folder: Path, each: int) -> Path:
    """Write `each` drawn pictures per class and return the folder."""
    for label, name in enumerate(LABELS):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed in range(each):
            (folder / name / f"{seed}.png").write_bytes(encode(draw_face(label, seed)))
    return folder
