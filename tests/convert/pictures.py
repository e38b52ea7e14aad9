"""Drawn stand-ins for photographs: ovals, some with a patch on the lower half, nobody's face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from convert.data.dataset import NEEDED
from convert.data.voc import INCORRECT
from edge.classify.card import LABELS
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
    """Write `each` drawn pictures of masked and of bare heads and return the folder."""
    for label, name in enumerate(NEEDED):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed in range(each):
            (folder / name / f"{seed}.png").write_bytes(encode(draw_face(label, seed)))
    return folder


def draw_street(faces: Sequence[tuple[str, int, int, int]], seed: int) -> Pixels:
    """Return 320 x 240 pixels with drawn heads: name, left, top and side of each one's box."""
    rng = np.random.default_rng(seed)
    blotches = rng.integers(0, 255, (6, 8, 3), np.uint8)
    pixels = cv2.resize(blotches, (320, 240), interpolation=cv2.INTER_CUBIC)
    for number, (name, left, top, side) in enumerate(faces):
        label = LABELS.index(name) if name in LABELS else 0
        head = draw_face(label, seed * 100 + number, max(24, side))
        pixels[top : top + side, left : left + side] = cv2.resize(head, (side, side))
    return np.asarray(pixels, np.uint8)


def annotate(faces: Sequence[tuple[str, int, int, int]], size: tuple[int, int] = (320, 240)) -> str:
    """Return the Pascal VOC document of `draw_street`'s picture."""
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{left + side}</xmax><ymax>{top + side}</ymax></bndbox></object>"
        for name, left, top, side in faces
    )
    width, height = size
    return (
        f"<annotation><size><width>{width}</width><height>{height}</height></size>"
        f"{objects}</annotation>"
    )


def write_boxed(folder: Path, count: int) -> Path:
    """Write `count` streets, each with a masked, a bare and a wrongly masked face and two more."""
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        side = 14 + 12 * (seed % 4)
        faces = [
            (LABELS[0], 10, 20, side),
            (LABELS[1], 100, 40, side),
            (INCORRECT, 190, 30, 36),
            (LABELS[seed % 2], 20, 120, 80),
            (LABELS[0], 200, 150, 8),
        ]
        (folder / "images" / f"{seed}.png").write_bytes(encode(draw_street(faces, seed)))
        (folder / "annotations" / f"{seed}.xml").write_text(annotate(faces))
    return folder
