"""Which frames are scanned for faces, and how large.

Detection is the dearest step, and most frames show what the one before them showed. The difference
of two small grey pictures says whether anything moved since the last scan: where nothing moves,
nothing runs. Where something does, scans keep a steady pace; faces in sight that are large enough
are followed in a small picture.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config import DetectorSettings
from edge.detect import FaceDetection
from edge.records import Face, Frame, Pixels

GLIMPSE_PX = 160
"""Longest side of the small grey picture: a face of 16 px in 1280 still is two pixels wide."""
MOVED_LEVELS = 8
"""A pixel of it has changed when it differs by more: well above a sensor's noise, averaged over
dozens of pixels, and below a face before any wall."""
MOVED_PIXELS = 2
QUICK_FACE_PX = 24
"""A face at least as large in the small picture is found there as surely as in the full one."""
SEARCH_PACE = 2
"""Nobody in sight is searched for at half the pace, in full size: quick scans only follow."""
LINGER_S = 2.0
"""Somebody found so lately is still in sight, even if the last scan missed the face."""
SLACK_S = 0.005
"""A frame that is due but for the camera's jitter is due."""


class PacedDetection:
    """The step: every frame in, the faces of those that were scanned out."""

    def __init__(self, detection: FaceDetection, settings: DetectorSettings) -> None:
        self._detection = detection
        self._settings = settings
        self.full_scans = 0
        self.quick_scans = 0
        self._scanned_s = self._full_s = self._seen_s = self._small_seen_s = -math.inf
        self._glimpse: NDArray[np.uint8] | None = None

    @property
    def name(self) -> str:
        return self._detection.name

    @property
    def scans(self) -> int:
        return self.full_scans + self.quick_scans

    def detect(self, frame: Frame) -> tuple[Face, ...]:
        """Return the faces of `frame`; none where it need not be scanned."""
        now_s = frame.monotonic_s
        in_sight = now_s - self._seen_s < LINGER_S
        pace_s = self._settings.every_s * (1 if in_sight else SEARCH_PACE)
        patience_s = self._settings.full_every_s if in_sight else self._settings.idle_every_s
        waited_s = now_s - self._scanned_s + SLACK_S
        if waited_s < pace_s:
            return ()
        glimpse = glimpse_of(self._watched(frame.pixels if frame.lores is None else frame.lores))
        if waited_s < patience_s and not has_moved(self._glimpse, glimpse):
            return ()
        self._scanned_s, self._glimpse = now_s, glimpse
        return self._scan(frame, in_sight)

    def _watched(self, pixels: Pixels) -> Pixels:
        """Return the part of the picture that holds the region: what moves elsewhere is nothing."""
        if not self._settings.region:
            return pixels
        height, width = pixels.shape[:2]
        (left, right), (top, bottom) = (
            (min(along), max(along)) for along in zip(*self._settings.region, strict=True)
        )
        x0, y0 = min(int(left * width), width - 1), min(int(top * height), height - 1)
        return pixels[
            y0 : max(y0 + 1, round(bottom * height)), x0 : max(x0 + 1, round(right * width))
        ]

    def _scan(self, frame: Frame, in_sight: bool) -> tuple[Face, ...]:
        now_s = frame.monotonic_s
        quick = (
            in_sight
            and now_s - self._small_seen_s >= LINGER_S
            and now_s - self._full_s + SLACK_S < self._settings.full_every_s
        )
        faces = self._detection.detect(frame, quick)
        if quick:
            self.quick_scans += 1
        else:
            self.full_scans += 1
            self._full_s = now_s
        if faces:
            self._seen_s = now_s
            scale = self._settings.quick_side_px / max(frame.width, frame.height)
            if min(face.box.size_px for face in faces) * scale < QUICK_FACE_PX:
                self._small_seen_s = now_s
        return faces


def glimpse_of(pixels: Pixels) -> NDArray[np.uint8]:
    """Return a small grey picture for comparison, at a fraction of a millisecond."""
    height, width = pixels.shape[:2]
    ratio = min(1.0, GLIMPSE_PX / max(width, height))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    # Bilinear reads four pixels for each, where averaging the area would read the whole picture;
    # the blur then averages the noise of nine of them.
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.blur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (3, 3)), np.uint8)


def has_moved(before: NDArray[np.uint8] | None, now: NDArray[np.uint8]) -> bool:
    """Tell whether two glimpses differ by more than noise."""
    if before is None or before.shape != now.shape:
        return True
    changed = cv2.absdiff(before, now) > MOVED_LEVELS
    return int(np.count_nonzero(changed)) >= MOVED_PIXELS
