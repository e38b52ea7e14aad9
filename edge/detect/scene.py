"""Whether a picture shows the scene of the one before it, a blink, or another scene.

A camera that is switched or turned to another place shows other people where these were. Light that
is switched on, people who pass and a picture that trembles leave the pattern of a scene as it is:
two glimpses of it correlate, those of two scenes do not. A black or a gray picture, a flash or a
torn one is a blink as long as it is short; one without contrast may last longer.
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
"""A glimpse of less contrast (the standard deviation of its levels) tells nothing."""
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
        self._seen_s = 0.0
        self._other: NDArray[np.uint8] | None = None
        """What has been there instead since `_other_s`."""
        self._other_s = 0.0

    def note(self, glimpse: NDArray[np.uint8], now_s: float) -> Change:
        """Return what the picture is whose small gray version `glimpse` is."""
        change = self._change(glimpse, now_s)
        if change is not Change.BLINK:
            self._seen_s, self._other = now_s, None
            if change is Change.CUT or self._scene is None or not _is_flat(glimpse):
                self._scene = glimpse
        return change

    def _change(self, glimpse: NDArray[np.uint8], now_s: float) -> Change:
        if self._scene is None or _is_flat(self._scene) or _is_like(self._scene, glimpse):
            return Change.NONE
        unseen_s = now_s - self._seen_s
        if _is_flat(glimpse):
            self._other = None
            return Change.CUT if unseen_s >= FLAT_S else Change.BLINK
        if glimpse.shape != self._scene.shape or unseen_s >= 2 * CUT_S:
            return Change.CUT
        if self._other is None:
            self._other, self._other_s = glimpse, now_s
            return Change.BLINK
        if not _is_like(self._other, glimpse):
            return Change.NONE  # a camera that moves
        return Change.CUT if now_s - self._other_s >= CUT_S else Change.BLINK


def _is_flat(glimpse: NDArray[np.uint8]) -> bool:
    return float(glimpse.std()) < FLAT_LEVELS


def _is_like(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Return whether two glimpses show the same pattern, in whatever light."""
    if one.shape != other.shape:
        return False
    first, second = one - one.mean(dtype=np.float32), other - other.mean(dtype=np.float32)
    spread = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return 0 < LIKE * spread <= float((first * second).sum())
