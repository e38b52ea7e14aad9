"""Replayed traffic: people who come, stay about a second and go, with the faces of a real clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edge.capture.sources import open_source
from edge.classify.preprocess import crop_face
from edge.commands.replay import EPOCH
from edge.config import CameraSettings, DetectorSettings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.records import Pixels

WIDTH_PX, HEIGHT_PX = 640, 480
PLACES = 6
"""Three in a row, two rows: large enough for res10 to find each of them."""
_SIDE_PX = 192
_EVERY = 10
"""Of this many frames of the clip one lends its face."""


def cut_out_faces(clip: Path) -> list[Pixels]:
    """Return squares around the face of every tenth frame."""
    source = open_source(CameraSettings(source=str(clip), realtime=False), starts_at=EPOCH)
    detection = FaceDetection(open_detector("res10"), DetectorSettings())
    cutouts = []
    while (frame := source.read()) is not None:
        if frame.number % _EVERY == 0:
            cutouts += [
                crop_face(frame.pixels, face.box, 1.6, _SIDE_PX)
                for face in detection.detect(frame)[:1]
            ]
    source.close()
    return cutouts


def pictures(cutouts: Sequence[Pixels], fps: float, count: int) -> Iterator[Pixels]:
    """Return `count` pictures, of which the last joins on to the first where `count` is 6 s long.

    Each place is taken for 0.9 to 1.4 s, then empty for as long; no two change together.
    """
    shade = np.linspace(90, 170, WIDTH_PX)[None, :, None]
    wall = np.broadcast_to(shade, (HEIGHT_PX, WIDTH_PX, 3)).astype(np.uint8)
    for number in range(count):
        pixels = wall.copy()
        for place in range(PLACES):
            half_s = (1.0, 1.5, 0.75)[place % 3]
            turn, since_s = divmod(number / fps + 0.17 * place, half_s)
            if turn % 2:
                face = cutouts[(number // 3 + 5 * place) % len(cutouts)]
                left = place % 3 * (WIDTH_PX // 3) + 8 + round(6 * since_s)
                top = place // 3 * (HEIGHT_PX // 2) + 24
                pixels[top : top + _SIDE_PX, left : left + _SIDE_PX] = face
        yield pixels
