"""Frames to measure on: a clip over and over, or a wall with people whose faces a clip lends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from edge.capture.sources import open_source
from edge.classify.preprocess import crop_face, resize_square
from edge.config import DetectorSettings, Settings
from edge.detect.detection import FaceDetection
from edge.detect.detectors import open_detector
from edge.errors import PictureError
from edge.records import Frame, Pixels

SCENE_FPS = 30.0
"""Frames a second of a scene's own time: cadence goes by it."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_CUTOUTS = 120
CUTOUT_MARGIN = 1.6
"""The side of a pasted picture over that of the face in it."""
MAX_PEOPLE = 10
Size = tuple[int, int]
"""Width and height in pixels."""


def clip_frames(settings: Settings) -> Iterator[Frame]:
    """Return the frames of the source, in a loop; time goes on."""
    offset_s = 0.0
    while True:
        source = open_source(settings.camera, starts_at=EPOCH)
        last_s = None
        while (frame := source.read()) is not None:
            last_s = frame.monotonic_s
            moment_s = offset_s + last_s
            moment = EPOCH + timedelta(seconds=moment_s)
            yield Frame(frame.number, frame.pixels, moment, moment_s, frame.lores)
        source.close()
        if last_s is None:
            raise PictureError(f"{settings.camera.source}: it has no frames")
        offset_s += last_s + 1 / SCENE_FPS


def cut_out_faces(settings: Settings, detector: DetectorSettings) -> list[Pixels]:
    """Return a square around the largest face of each frame of the clip.

    Raises PictureError when there is none.
    """
    detection = FaceDetection(
        open_detector(detector.name, detector.model, detector.confidence), detector
    )
    source = open_source(settings.camera, starts_at=EPOCH)
    cutouts: list[Pixels] = []
    while len(cutouts) < MAX_CUTOUTS and (frame := source.read()) is not None:
        if faces := detection.detect(frame):
            box = max(faces, key=lambda face: face.box.area).box
            side = round(CUTOUT_MARGIN * max(box.width, box.height))
            cutouts.append(crop_face(frame.pixels, box, CUTOUT_MARGIN, side))
    source.close()
    if not cutouts:
        raise PictureError(f"{settings.camera.source}: no face in it that could be cut out")
    return cutouts


def scene_frames(cutouts: Sequence[Pixels], people: int, size: Size) -> Iterator[Frame]:
    """Return frames of a motionless wall, and this many people before it who sway.

    The people, at most MAX_PEOPLE, are in two rows of five, each at another moment of the clip.
    """
    width, height = size
    wall = _wall(width, height)
    side = min(width // 5, height // 2)
    tall = [resize_square(cutout, side) for cutout in cutouts]
    slack = height // 2 - side
    for number in itertools.count():
        seconds = number / SCENE_FPS
        pixels = wall.copy()
        for person in range(people):
            # Forwards and backwards, so that nobody jumps.
            step = (number + 17 * person) % (2 * len(tall))
            face = tall[min(step, 2 * len(tall) - 1 - step)]
            left = (person * 3 % 5) * (width // 5)
            sway = (1 + math.sin(2 * math.pi * seconds / 4 + person)) / 2
            top = person // 5 * (height // 2) + round(slack * sway)
            pixels[top : top + side, left : left + side] = face
        yield Frame(number, pixels, EPOCH + timedelta(seconds=seconds), seconds)


def _wall(width: int, height: int) -> Pixels:
    """Return a shaded wall with a grain."""
    shade = np.linspace(90, 170, width)[None, :, None] + np.linspace(-20, 20, height)[:, None, None]
    grain = np.random.default_rng(0).normal(0, 4, (height, width, 3))
    return np.asarray(np.clip(shade + grain, 0, 255), np.uint8)
