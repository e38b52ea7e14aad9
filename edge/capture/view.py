"""Whether the picture shows anything: a lens that is covered, a light that is out, a frozen camera.

A covered lens gives a picture in which nothing has an edge, a dark room one in which nothing is
bright. Both are judged on a small gray picture in tiles, so that neither a lamp in the night nor
one person before a white wall decides.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.pixels import scaled_size
from edge.records import Frame, Pixels
from edge.telemetry import CameraView

LONGEST_PX = 160
"""Longest side of the small picture: averaging over so much leaves hardly any noise."""
TILE_PX = 10
EDGE_LEVELS = 5.0
"""A tile has an edge where a pixel differs by more from what surrounds it. Noise of 20 levels in a
picture of 640 x 360 stays below; a face that a detector can find is well above."""
FEWEST_EDGES = 0.04
"""A clear picture has edges in more of its tiles than this: each of 477 street pictures in at least
0.30, real clips blurred by an eighth of their width in none."""
DARK_LEVEL = 20
"""Nothing but a lamp is brighter in a dark picture: about there YuNet stops finding faces."""
BLINDING_LEVEL = 240
LOOK_EVERY_S = 0.5
PATIENCE_S = 4.0
"""What somebody who passes close to the lens does not take."""
ROWS_APART = 16
"""Every so many rows are compared to know a picture again: the noise is in each of them."""
COLUMNS = 32
"""How many columns of such a row are a piece in which there is noise, or none."""
NOISY_SHARE = 0.5
"""Noise changes more than this share of the pieces; who walks by, or what is drawn, does not."""
COMPARED_EVERY_S = 1.0
NOISY_LOOKS = 30
"""How often a picture has changed all over before it is known that there is noise in it."""
NOISE_WITHIN_S = 60.0
"""An encoder shows the noise at its next key picture at the latest; none comes later than this."""
ALIVE_LOOKS = 3
"""How often a picture that stood still must change, or show nothing, before it counts as alive; an
opening gives one or two others of what is frozen."""


def view_of(pixels: Pixels) -> CameraView:
    """Judge one picture by itself."""
    ratio = min(1.0, LONGEST_PX / max(pixels.shape[:2]))
    size = scaled_size(pixels, ratio)
    small = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    # Without its top and bottom: network cameras write the time there, over a black picture too.
    inner = np.asarray(small[TILE_PX:-TILE_PX] if size[1] >= 4 * TILE_PX else small, np.uint8)
    if np.percentile(inner, 95) < DARK_LEVEL:
        return CameraView.DARK
    if _share_with_edges(inner) >= FEWEST_EDGES:
        return CameraView.CLEAR
    blinded = np.median(inner) >= BLINDING_LEVEL
    return CameraView.BLINDED if blinded else CameraView.COVERED


def _share_with_edges(grey: NDArray[np.uint8]) -> float:
    smooth = cv2.blur(grey.astype(np.float32), (3, 3))
    # The larger blur takes away what is smooth: a gradient over the whole picture is no edge.
    edges = np.abs(smooth - cv2.blur(smooth, (9, 9))) > EDGE_LEVELS
    rows, columns = max(1, edges.shape[0] // TILE_PX), max(1, edges.shape[1] // TILE_PX)
    whole = edges[: rows * TILE_PX, : columns * TILE_PX]
    tiles = whole.reshape(rows, whole.shape[0] // rows, columns, whole.shape[1] // columns)
    return float(tiles.any(axis=(1, 3)).mean())


class ViewWatch:
    """The view over seconds: what passes quickly changes nothing. Clear until it is known better.

    Costs a millisecond or two, twice a second.
    """

    def __init__(self) -> None:
        self.view = CameraView.CLEAR
        self._looked_s = -math.inf
        self._changed_s: float | None = None
        """Since when the picture has looked unlike `view` says."""

    def look(self, frame: Frame) -> bool:
        """Take in a frame; return whether `view` has changed."""
        now_s = frame.monotonic_s
        waited_s = now_s - self._looked_s
        if waited_s < LOOK_EVERY_S:
            return False
        if waited_s > PATIENCE_S:  # after an outage nobody knows how it has looked
            self._changed_s = None
        self._looked_s = now_s
        seen = view_of(frame.pixels if frame.lores is None else frame.lores)
        if (seen is CameraView.CLEAR) == (self.view is CameraView.CLEAR):
            self._changed_s = None
            return False
        if self._changed_s is None:
            self._changed_s = now_s
        if now_s - self._changed_s < PATIENCE_S:
            return False
        self.view, self._changed_s = seen, None
        return True


class Repetition:
    """Recognizes a picture that a frozen camera repeats.

    No two exposures of a sensor are alike, but where a picture is black or white all over, noise is
    cut off: such a one cannot be told apart from the next, and need not be.
    """

    def __init__(self) -> None:
        self._last: Pixels | None = None

    def is_repeated(self, pixels: Pixels) -> bool:
        """Return whether `pixels` are those of the call before, and show something."""
        rows = pixels[::ROWS_APART]
        if self._last is not None and np.array_equal(rows, self._last):
            return view_of(pixels) is CameraView.CLEAR
        self._last = rows.copy()
        return False


class Standstill:
    """Detects a camera in the network whose picture is frozen while its stream goes on.

    An encoder may repeat a picture of a quiet room for many seconds, to the last bit, but shows the
    noise of the sensor with each key picture. So what counts is that there was noise all over the
    picture, and then nothing changes at all any more. A drawn scene has no noise, and a picture
    that is dark or covered may have none: they are never held for frozen, and a frozen one that is
    dark after a restart is alive.
    """

    def __init__(self, patience_s: float) -> None:
        """After `patience_s` without any change it is frozen."""
        self.is_frozen = False
        self._patience_s = patience_s
        self._last: Pixels | None = None
        self._compared_s = self._noise_s = self._alive_s = -math.inf
        self._changed_s = math.inf
        self._noisy = self._alive = 0
        """Changes all over, and signs of life while it is frozen."""

    def look(self, pixels: Pixels, now_s: float) -> None:
        """Take in a picture; costs less than a millisecond, once a second."""
        if now_s - self._compared_s < COMPARED_EVERY_S:
            return
        self._compared_s = now_s
        rows = pixels[::ROWS_APART]
        share = 1.0 if self._last is None else _changed_share(rows, self._last)
        if share:
            self._note_change(share, now_s)
            self._last = rows.copy()
        if self.is_frozen:
            if share or view_of(pixels) is not CameraView.CLEAR:
                self._note_life(now_s)
        elif (
            now_s - self._changed_s >= self._patience_s
            and self._noisy >= NOISY_LOOKS
            and self._changed_s - self._noise_s <= NOISE_WITHIN_S
        ):
            self.is_frozen = view_of(pixels) is CameraView.CLEAR
            self._alive = 0

    def _note_life(self, now_s: float) -> None:
        if now_s - self._alive_s > NOISE_WITHIN_S:
            self._alive = 0
        self._alive, self._alive_s = self._alive + 1, now_s
        self.is_frozen = self._alive < ALIVE_LOOKS

    def _note_change(self, share: float, now_s: float) -> None:
        self._changed_s = now_s
        if now_s - self._noise_s > NOISE_WITHIN_S:
            self._noisy = 0
        if share >= NOISY_SHARE:
            self._noisy, self._noise_s = self._noisy + 1, now_s


def _changed_share(rows: Pixels, last: Pixels) -> float:
    """Return in how many of their pieces two pictures differ at all, 0 to 1."""
    if rows.shape != last.shape:
        return 1.0
    differs = (rows != last).any(axis=2)
    pieces = np.logical_or.reduceat(differs, range(0, differs.shape[1], COLUMNS), axis=1)
    return float(pieces.mean())
