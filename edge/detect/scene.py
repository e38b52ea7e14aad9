"""Whether a picture shows the scene of the one before it, a blink, or another scene.

A camera that is switched or turned to another place shows other people where these were. Light that
is switched on, people who pass and a picture that trembles leave the pattern of a scene as it is:
two glimpses of it correlate, those of two scenes do not. A flash or a torn picture is a blink as
long as it is short; a picture without contrast says nothing about the scene.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

LIKE = 0.45
"""The least correlation of two glimpses of one scene: half a second apart they have 0.75 and more
in clips of people, 0.52 where the camera pans by an eighth of the picture, and 99 % of pairs of
pictures of streets and groups less than 0.46."""
FLAT_LEVELS = 12.0
"""A glimpse of less contrast (the standard deviation of its levels) tells nothing: black, white,
gray, or a plain wall before which people are all of the pattern."""
FLAT_S = 10.0
"""After so long without contrast, that is the scene: there may be fog."""
CUT_S = 0.6
"""Another picture that lasts so long is another scene; until then it may be a blink."""


class Change(StrEnum):
    """What a picture is, after those before it."""

    NONE = "none"
    BLINK = "blink"
    """Not the scene; whether there is another one shows later."""
    CUT = "cut"
    """The first one known to be of another scene."""


class SceneWatch:
    """Compares each glimpse with the last one of the scene."""

    def __init__(self) -> None:
        self._scene: NDArray[np.uint8] | None = None
        self._noted_s = 0.0
        self._flat_from_s: float | None = None
        self._other: NDArray[np.uint8] | None = None
        """What has been there instead since `_other_s`, of all that has been since `_unlike_s`."""
        self._other_s = self._unlike_s = 0.0

    def note(self, glimpse: NDArray[np.uint8], now_s: float) -> Change:
        """Return what the picture is whose small gray version `glimpse` is."""
        gap_s, self._noted_s = now_s - self._noted_s, now_s
        if self._scene is None:
            return self._follow(glimpse, Change.NONE)
        if self._scene.shape != glimpse.shape:
            return self._follow(glimpse, Change.CUT)
        if _is_flat(self._scene) or _is_like(self._scene, glimpse):
            return self._follow(glimpse, Change.NONE)
        if _is_flat(glimpse):
            return self._bear_flat(glimpse, now_s)
        self._flat_from_s = None
        if gap_s >= CUT_S / 2:
            # Too seldom to tell a blink by what comes after it.
            return self._follow(glimpse, Change.CUT)
        return self._note_other(glimpse, now_s)

    def _follow(self, glimpse: NDArray[np.uint8], change: Change) -> Change:
        self._scene, self._other, self._flat_from_s = glimpse, None, None
        return change

    def _bear_flat(self, glimpse: NDArray[np.uint8], now_s: float) -> Change:
        self._other = None
        if self._flat_from_s is None:
            self._flat_from_s = now_s
        if now_s - self._flat_from_s >= FLAT_S:
            self._follow(glimpse, Change.NONE)
        return Change.NONE

    def _note_other(self, glimpse: NDArray[np.uint8], now_s: float) -> Change:
        if self._other is None:
            self._other, self._other_s, self._unlike_s = glimpse, now_s, now_s
            return Change.BLINK
        if _is_like(self._other, glimpse):
            if now_s - self._other_s < CUT_S:
                return Change.BLINK
            return self._follow(glimpse, Change.CUT)
        # Torn pictures, after which the scene comes back, or a camera that moves.
        self._other, self._other_s = glimpse, now_s
        if now_s - self._unlike_s >= CUT_S:
            self._follow(glimpse, Change.NONE)
        return Change.NONE


def _is_flat(glimpse: NDArray[np.uint8]) -> bool:
    return float(glimpse.std()) < FLAT_LEVELS


def _is_like(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Return whether two glimpses show the same pattern, in whatever light."""
    first, second = one - one.mean(dtype=np.float32), other - other.mean(dtype=np.float32)
    spread = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return 0 < LIKE * spread <= float((first * second).sum())
