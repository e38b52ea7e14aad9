"""Which frames are scanned for faces, and how large.

Detection is the dearest step, and most frames show what the one before them showed. The difference
of two small gray pictures says whether anything moved since the last scan: where nothing moves,
nothing runs. Where something does, scans keep a steady pace; faces in sight that are large enough
are followed in a small picture. While nobody is in sight, or somebody far away, every other scan is
a close-up of where something is going on (`edge.detect.closeup`), or has one beside it: which, and
how often, is the plan's (`edge.plan`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.clock import FrameInterval, Timed, untimed
from edge.config import LINGER_S, SLACK_S, DetectorSettings, lingers_s
from edge.detect.area import Area
from edge.detect.closeup import CloseUps
from edge.detect.detection import FaceDetection, with_near
from edge.detect.scene import Change, SceneWatch
from edge.pixels import scaled_size
from edge.plan import USUAL
from edge.records import Box, Face, Frame, Pixels
from edge.telemetry import SCAN

GLIMPSE_PX = 160
"""Longest side of the small gray picture: a face of 16 px in 1280 still is two pixels wide."""
MOVED_LEVELS = 8
"""A pixel of it has changed when it differs by more: well above a sensor's noise, averaged over
dozens of pixels, and below a face before any wall."""
MOVED_PIXELS = 2
SAFE_FACE_PX = 24
"""A face at least as large in the detector's picture is found in it as surely as in a larger."""


class PacedDetection:
    """The step: every frame in, the faces of those that were scanned out."""

    def __init__(
        self, detection: FaceDetection, settings: DetectorSettings, timed: Timed = untimed
    ) -> None:
        self._detection = detection
        self._settings = settings
        self._timed = timed
        self.plan = USUAL
        self._scene = SceneWatch()
        self.scanned_frames = self.searches = 0
        self.full_scans = 0
        self.quick_scans = 0
        self.close_ups = 0
        self._scanned_s = -math.inf
        self._forget_faces()
        self._interval = FrameInterval()
        self._glimpse: NDArray[np.uint8] | None = None
        self.outside: tuple[Face, ...] | None = None
        """The last frame's faces outside the area; None: it was not scanned as a whole."""
        self.is_cut = False
        """Whether the last frame is the first of another scene."""
        self.has_moved = False
        """Whether the last frame was scanned, and something moved in it."""

    def _forget_faces(self) -> None:
        """Know nothing of faces: the whole picture is scanned first."""
        self._full_s = self._seen_s = self._small_seen_s = self._tiny_seen_s = -math.inf
        self._was_full = self._owes_whole = False
        self._was_close = True
        """Or a quick scan, or there was none."""
        self._close_ups = CloseUps()

    @property
    def name(self) -> str:
        return self._detection.name

    @property
    def scans(self) -> int:
        return self.full_scans + self.quick_scans + self.close_ups

    def limit_to(self, area: Area) -> None:
        """Have only faces in `area` count from now on."""
        self._detection.area = area

    def watches(self, frame: Frame) -> Callable[[Box], bool]:
        """Return what tells whether a face at a place of `frame` counts."""
        return lambda box: self._detection.counts(box, frame)

    def detect(self, frame: Frame) -> tuple[Face, ...]:
        """Return the faces of `frame`; none where it need not be scanned."""
        now_s, self.outside, self.is_cut, self.has_moved = frame.monotonic_s, None, False, False
        self._interval.note(now_s)
        in_sight = now_s - self._seen_s < lingers_s(self._interval.seconds)
        pace_s = self._settings.pace_s(self.plan, in_sight=in_sight)
        patience_s = self._settings.full_every_s if in_sight else self._settings.idle_every_s
        waited_s = now_s - self._scanned_s + SLACK_S
        if waited_s < pace_s:
            return ()
        glimpse = glimpse_of(frame.pixels if frame.lores is None else frame.lores)
        change = self._scene.note(glimpse, now_s)
        if change is Change.BLINK:
            return ()
        self.is_cut = change is Change.CUT
        if self.is_cut:
            in_sight = False
            self._forget_faces()
        changed = self._watched(changes(self._glimpse, glimpse))
        moved = has_moved(changed)
        is_due = moved or waited_s >= patience_s or (self._owes_whole and not in_sight)
        if not is_due:
            return ()
        self._scanned_s, self._glimpse = now_s, glimpse
        self.has_moved = moved
        self.scanned_frames += 1
        self.searches += not in_sight
        self._close_ups.note_movement(changed)
        faces = self._scan(frame, in_sight)
        # What has moved may be elsewhere than the close-up that answered it.
        self._owes_whole = moved and not self._was_full
        return faces

    def _watched(self, changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Keep what lies around the regions: what moves elsewhere is nothing."""
        bounds = self._detection.area.bounds
        if bounds is None:
            return changed
        rows, columns = changed.shape
        left, top, right, bottom = bounds
        inside = (
            slice(min(int(top * rows), rows - 1), math.ceil(bottom * rows)),
            slice(min(int(left * columns), columns - 1), math.ceil(right * columns)),
        )
        watched = np.zeros_like(changed)
        watched[inside] = changed[inside]
        return watched

    def _scan(self, frame: Frame, in_sight: bool) -> tuple[Face, ...]:
        now_s = frame.monotonic_s
        part = None
        if self._is_quick(now_s, in_sight):
            self.quick_scans += 1
            self._was_full, self._was_close = False, True
            faces = self._detection.detect(frame, quick=True)
        else:
            if not in_sight or now_s - self._tiny_seen_s < LINGER_S:
                part = self._part(frame)
            self._was_close = part is not None
            self._was_full = part is None or self.plan.always_whole
            faces = self._whole(frame) if self._was_full else ()
        if part is not None:
            close = self._close(frame, part)
            faces = with_near(faces, close) if faces else close
        if faces:
            self._remember(frame, faces)
        return faces

    def _is_quick(self, now_s: float, in_sight: bool) -> bool:
        """Return whether the faces in sight can be followed in a small picture."""
        return (
            self.plan.has_quick
            and in_sight
            and now_s - self._small_seen_s >= LINGER_S
            and now_s - self._full_s + SLACK_S < self._settings.full_every_s
        )

    def _part(self, frame: Frame) -> Box | None:
        """Return what is worth a close-up in this frame; None: nothing, or it is not its turn."""
        has_turn = self.plan.always_close or not self._was_close
        return (
            self._close_ups.next(frame) if has_turn and self._detection.scale(frame) <= 1 else None
        )

    def _whole(self, frame: Frame) -> tuple[Face, ...]:
        self.full_scans += 1
        self._full_s = frame.monotonic_s
        with self._timed(SCAN):
            faces = self._detection.detect(frame)
        self.outside = self._detection.outside
        return faces

    def _close(self, frame: Frame, part: Box) -> tuple[Face, ...]:
        self.close_ups += 1
        with self._timed(SCAN):
            return self._detection.detect(frame, part=part)

    def _remember(self, frame: Frame, faces: tuple[Face, ...]) -> None:
        self._seen_s = frame.monotonic_s
        in_quick = self._settings.quick_side_px / max(frame.width, frame.height)
        in_full = self._detection.scale(frame)
        for face in faces:
            if face.box.size_px * in_quick < SAFE_FACE_PX:
                self._small_seen_s = frame.monotonic_s
            if face.box.size_px * in_full < SAFE_FACE_PX:
                self._tiny_seen_s = frame.monotonic_s
                self._close_ups.note_face(face.box, frame)


def glimpse_of(pixels: Pixels) -> NDArray[np.uint8]:
    """Return a small gray picture for comparison, at a fraction of a millisecond."""
    ratio = min(1.0, GLIMPSE_PX / max(pixels.shape[:2]))
    size = scaled_size(pixels, ratio)
    # Bilinear reads four pixels for each, where averaging the area would read the whole picture;
    # the blur then averages the noise of nine of them.
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.blur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (3, 3)), np.uint8)


def changes(before: NDArray[np.uint8] | None, now: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels in which two glimpses differ by more than noise."""
    if before is None or before.shape != now.shape:
        return np.ones(now.shape, np.bool_)
    return np.asarray(cv2.absdiff(before, now) > MOVED_LEVELS, np.bool_)


def has_moved(changed: NDArray[np.bool_]) -> bool:
    """Return whether so many pixels changed that it is no speck."""
    return int(np.count_nonzero(changed)) >= MOVED_PIXELS
