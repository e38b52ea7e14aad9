"""Turn one picture into many: what a cheap camera at a door could have made of the same face.

Every step is there against a shortcut that the pictures offer. Masked pictures are large and bare
ones small, so every example is shrunk and smeared at random, whatever its class; bare ones end
close to the head, so the picture's edge is moved at random; detectors box tightly and shakily, so
the crop is shifted and scaled; masked pictures are often from shops, on white, so heads are set
before other backgrounds. The mask itself is never painted on or hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from convert.data.dataset import limit_side
from edge.classify.preprocess import crop_face, resize_square
from edge.records import Box, Pixels

MARGIN = 1.3
"""The camera's crop over the longer side of the detector's box: the bundle's `crop_margin`. The
detector boxes from brow to chin; this adds the rest of the head."""
MARGINS = (1.0, 1.7)
SHIFT = 0.12
"""How far the box may move in training, as a share of its side: what detectors differ by."""
FACE_PX = (12.0, 112.0)
"""Sizes to which a face is shrunk in training, spread evenly over the logarithm."""
WHOLE_PICTURE = 0.1
"""Share of the examples that show the whole picture, squared, instead of a located face."""
NEW_BACKGROUND = 0.15
"""Share of the located faces that are set before another background."""
RECOLOURED = 0.5
"""Share of the examples whose colors are changed."""
DEGRADED = 0.5
"""Share of the examples that pass through a cheap camera. With all of them, and more backgrounds,
the network never learned to see clearly what is clear."""
NIGHT_SEEN = 0.1
"""Share of the examples that are as a camera with infrared light would have them: gray, flat, and
lit from where the camera is."""
MISEXPOSED = 0.08
"""Share of them that are far too bright or too dark."""
TILT_DEG = 9.0
"""Standard deviation of how far heads lean, for three of five examples."""
LYING = 0.04
"""Share of the examples that are turned by any angle up to a quarter and a little more: people
bend and lie down, cameras are mounted on their side, and all of them are somebody."""
LYING_DEG = 100.0
SCENE_MARGIN = 2.4
SCENE_PX = 256
KEPT_FACE_PX = 144.0
KEPT_MARGIN = 2.6


@dataclass(frozen=True, slots=True)
class View:
    """A picture and the square of it that the network is to judge."""

    pixels: Pixels
    box: Box
    margin: float = MARGIN

    def crop(self, side_px: int, face_px: float | None = None) -> Pixels:
        """Return the network's picture, as if the face had been only `face_px` large."""
        if face_px is None or face_px >= self.box.size_px:
            return crop_face(self.pixels, self.box, self.margin, side_px)
        small_px = max(
            1,
            round(face_px * max(self.box.width, self.box.height) / self.box.size_px * self.margin),
        )
        return resize_square(crop_face(self.pixels, self.box, self.margin, small_px), side_px)


def whole_picture(pixels: Pixels) -> View:
    """Return the view of a picture that is itself the face: its middle square's long side."""
    return View(pixels, Box(0, 0, pixels.shape[1], pixels.shape[0]), 1.0)


def camera_view(pixels: Pixels, faces: Sequence[Box], margin: float = MARGIN) -> View:
    """Return what the camera would judge: the largest face, or the whole picture without one."""
    return View(pixels, faces[0], margin) if faces else whole_picture(pixels)


def compact(view: View, face_px: float = KEPT_FACE_PX, margin: float = KEPT_MARGIN) -> View:
    """Return the view with no more pixels than augmentation can use."""
    side = max(view.box.width, view.box.height)
    x, y = view.box.centre
    reach = side * max(margin, view.margin) / 2
    height, width = view.pixels.shape[:2]
    x0, x1 = max(0, int(x - reach)), min(width, int(x + reach) + 1)
    y0, y1 = max(0, int(y - reach)), min(height, int(y + reach) + 1)
    window = view.pixels[y0:y1, x0:x1]
    longest = max(window.shape[:2])
    small = limit_side(window, max(1, round(longest * min(1.0, face_px / side))))
    ratio_x, ratio_y = small.shape[1] / window.shape[1], small.shape[0] / window.shape[0]
    return View(
        np.ascontiguousarray(small), view.box.moved(-x0, -y0).scaled(ratio_x, ratio_y), view.margin
    )


def augment(view: View, side_px: int, rng: Generator, background: Pixels) -> Pixels:
    """Return one example (side_px, side_px, 3) uint8 BGR.

    `background` is any other picture: something to set the head before.
    """
    pixels, box = view.pixels, view.box
    if rng.random() < 0.5:
        pixels, box = _mirrored(pixels, box)
    if rng.random() < LYING:
        pixels = _turned(pixels, box, rng, rng.uniform(-LYING_DEG, LYING_DEG))
    elif rng.random() < 0.6:
        pixels = _turned(pixels, box, rng, rng.normal(0, TILT_DEG))
    if rng.random() < 0.3:
        pixels, box = _cut_close(pixels, box, rng)
    whole = view.margin == 1.0
    if not whole and rng.random() < NEW_BACKGROUND:
        pixels, box = _moved_elsewhere(pixels, box, rng, background)
    side = max(box.width, box.height)
    low, high = (0.8, 1.15) if whole else MARGINS
    margin = rng.uniform(low, high)
    box = box.moved(*(rng.uniform(-SHIFT, SHIFT, 2) * side))
    face_px = float(np.exp(rng.uniform(*np.log(FACE_PX))))
    if whole:
        face_px *= MARGIN
    small_px = max(8, round(min(face_px, side) * margin))
    small = crop_face(pixels, box, margin, small_px)
    if rng.random() < 0.15:
        small = _occluded(small, rng)
    if rng.random() < RECOLOURED:
        small = _recoloured(small, rng)
    small = in_other_light(small, rng)
    if rng.random() < DEGRADED:
        small = degraded(small, rng, small.shape[0])
    return resize_square(small, side_px)


def _mirrored(pixels: Pixels, box: Box) -> tuple[Pixels, Box]:
    width = pixels.shape[1]
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    return mirrored, Box(width - box.right, box.top, width - box.left, box.bottom)


def _turned(pixels: Pixels, box: Box, rng: Generator, angle_deg: float) -> Pixels:
    """Turn the picture about the face, and squeeze it a little."""
    matrix = cv2.getRotationMatrix2D(box.centre, angle_deg, 1.0)
    stretch = np.exp(rng.normal(0, 0.06))
    matrix[0] *= stretch
    matrix[0, 2] += box.centre[0] * (1 - stretch)
    size = (pixels.shape[1], pixels.shape[0])
    return np.asarray(
        cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _cut_close(pixels: Pixels, box: Box, rng: Generator) -> tuple[Pixels, Box]:
    """Let the picture end near the face on each side, as scraped pictures do."""
    height, width = pixels.shape[:2]
    reach = rng.uniform(0.0, 0.3, 4) * max(box.width, box.height)
    x0, y0 = int(max(0, box.left - reach[0])), int(max(0, box.top - reach[1]))
    x1, y1 = int(min(width, box.right + reach[2])), int(min(height, box.bottom + reach[3]))
    if x1 - x0 < 8 or y1 - y0 < 8:
        return pixels, box
    return pixels[y0:y1, x0:x1], box.moved(-x0, -y0)


def _moved_elsewhere(
    pixels: Pixels, box: Box, rng: Generator, background: Pixels
) -> tuple[Pixels, Box]:
    """Set the head before one color or before a piece of another picture."""
    side = max(box.width, box.height) * SCENE_MARGIN
    scene_px = max(8, round(min(side, SCENE_PX)))
    scene = crop_face(pixels, box, SCENE_MARGIN, scene_px)
    ratio, middle = scene_px / side, scene_px / 2
    width, height = box.width * ratio, box.height * ratio
    if rng.random() < 0.4:
        colour = np.full(3, 255) if rng.random() < 0.4 else rng.integers(0, 256, 3)
        behind = np.broadcast_to(colour.astype(np.uint8), scene.shape)
    else:
        behind = _piece(background, scene_px, rng)
    oval = np.zeros((scene_px, scene_px), np.float32)
    # The detector boxes from brow to chin and from ear to ear: hair and cheeks lie around it.
    grown = rng.uniform(1.1, 1.5)
    axes = (max(1, round(width / 2 * grown)), max(1, round(height / 2 * grown)))
    cv2.ellipse(oval, (round(middle), round(middle)), axes, 0, 0, 360, (1.0,), -1)
    head = cv2.GaussianBlur(oval, (0, 0), max(0.5, 0.03 * scene_px))[..., np.newaxis]
    mixed = np.asarray(scene * head + behind * (1 - head), np.uint8)
    left, top = middle - width / 2, middle - height / 2
    return mixed, Box(left, top, left + width, top + height)


def _piece(background: Pixels, side_px: int, rng: Generator) -> Pixels:
    height, width = background.shape[:2]
    piece = max(1, int(min(height, width) * rng.uniform(0.4, 1.0)))
    x, y = int(rng.integers(0, width - piece + 1)), int(rng.integers(0, height - piece + 1))
    return resize_square(background[y : y + piece, x : x + piece], side_px)


def _occluded(crop: Pixels, rng: Generator) -> Pixels:
    """Lay a patch of the picture's own colors on the upper half: never over the mouth."""
    side = crop.shape[0]
    width, height = (max(1, int(side * share)) for share in rng.uniform(0.1, 0.45, 2))
    height = min(height, int(side * 0.3) + 1)
    x = int(rng.uniform(-width / 2, side - width / 2))
    y = int(rng.uniform(-height / 2, side * 0.42 - height))
    result = crop.copy()
    colour = crop[rng.integers(side), rng.integers(side)]
    result[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)] = colour
    return result


def _recoloured(crop: Pixels, rng: Generator) -> Pixels:
    """Turn the hues and scale the saturation: masks come in every color, and so does light."""
    hue = rng.uniform(0, 180) if rng.random() < 0.2 else rng.normal(0, 12)
    hsv = cv2.cvtColor(crop, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + np.float32(hue)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * np.float32(rng.uniform(0.3, 1.7)), 0, 255)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)


def in_other_light(picture: Pixels, rng: Generator) -> Pixels:
    """Return the picture, in infrared light or badly exposed as often as the shares above say."""
    if rng.random() < NIGHT_SEEN:
        return night_seen(picture, rng)
    return misexposed(picture, rng) if rng.random() < MISEXPOSED else picture


def night_seen(picture: Pixels, rng: Generator) -> Pixels:
    """Return the picture as a camera without an infrared filter may give it under its own lamps.

    One gray of a random mix of the colors (skin and many cloths are bright there, and dark things
    may be), with less contrast, brighter around one place.
    """
    mix = rng.dirichlet((1.0, 1.0, 2.0)).astype(np.float32)
    gray = picture.astype(np.float32) @ mix / 255
    gray = gray ** np.float32(np.exp(rng.normal(-0.2, 0.35)))
    contrast, level = rng.uniform(0.45, 1.1), rng.uniform(0.3, 0.65)
    gray = (gray - gray.mean()) * np.float32(contrast) + np.float32(level)
    height, width = gray.shape
    y, x = np.ogrid[:height, :width]
    away_y = (y - rng.uniform(0, height)) / height
    away_x = (x - rng.uniform(0, width)) / width
    lamp = np.exp(-(away_y**2 + away_x**2) / (2 * rng.uniform(0.4, 1.5) ** 2))
    gray = gray * (1 + rng.uniform(0, 0.5) * (lamp - lamp.mean())).astype(np.float32)
    levels = np.clip(gray * 255, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(levels[..., np.newaxis], 3, axis=2))


def misexposed(picture: Pixels, rng: Generator) -> Pixels:
    """Return the picture far too dark, or so bright that its light parts are white."""
    levels = np.arange(256, dtype=np.float32) / 255
    dark, bright = (0.15, 0.4), (1.5, 2.7)
    gain = np.exp(rng.uniform(*np.log(dark if rng.random() < 0.5 else bright)))
    table = np.clip(levels * gain * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table), np.uint8)


def degraded(crop: Pixels, rng: Generator, side_px: int) -> Pixels:
    """Pass a crop through a cheap camera: lens, motion, light, sensor noise and compression.

    How far lens and motion smear goes by `side_px`, the side of what is to be recognized in it.
    """
    if rng.random() < 0.25:
        crop = np.asarray(
            cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.3, 1.0) * max(1, side_px / 64)), np.uint8
        )
    if rng.random() < 0.2:
        crop = _motion_blurred(crop, rng, side_px)
    if rng.random() < 0.8:
        levels = np.arange(256, dtype=np.float32)[:, np.newaxis] / np.float32(255)
        light = levels ** np.float32(np.exp(rng.normal(0, 0.3)))
        light = light * (np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.07, 3)))
        light = (light - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5 + rng.normal(0, 0.05)
        table = np.clip(light * 255, 0, 255).astype(np.uint8)
        crop = np.asarray(cv2.LUT(crop, table[np.newaxis]), np.uint8)
    if rng.random() < 0.1:
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        crop = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if rng.random() < 0.4:
        noise = rng.standard_normal(crop.shape, np.float32)
        noise *= np.float32(255 * rng.uniform(0.005, 0.05))
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(25, 95))
        _, compressed = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
        crop = np.asarray(cv2.imdecode(compressed, cv2.IMREAD_COLOR), np.uint8)
    return crop


def _motion_blurred(crop: Pixels, rng: Generator, side_px: int) -> Pixels:
    length = int(rng.integers(3, max(4, side_px // 8 + 1)))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    centre = ((length - 1) / 2, (length - 1) / 2)
    turned = cv2.warpAffine(
        kernel, cv2.getRotationMatrix2D(centre, rng.uniform(0, 180), 1), (length, length)
    )
    total = float(turned.sum())
    kernel = np.asarray(turned / max(total, 1e-3), np.float32)
    return np.asarray(cv2.filter2D(crop, -1, kernel), np.uint8)
