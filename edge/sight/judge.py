"""Whether a proof says that people are seen worse than is normal here, and what to do."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge.sight.proof import SceneChange
from edge.words import percent

FALL: Final = 0.12
"""Fewer heads than normal, as a share of all, by more than this, in haze or darkness."""
FALL_ELSE: Final = 0.4
"""The same where nothing else is found: another light hides heads in the shade, too."""
BLUR_PX: Final = 0.6
"""A scene that is blurred by more than this, in the detector's pixels, beside its reference."""
SMOOTHED: Final = 0.35
"""Less than this is left of the noise of a picture that is not darker, and is blurred a little: an
encoder with too few bits takes both,"""
FLICKERS: Final = 1.25
"""or makes more than this of it: each picture's blocks are others."""
SMOOTHED_BLUR_PX: Final = 0.3
BENT: Final = 0.87
"""Edges less straight than this, times what they were: undamaged scenes stay above 0.9."""
HIDDEN: Final = 0.05
"""Of the scene's edges this share has gone: undamaged scenes stay below 0.045."""
HIDDEN_DARK: Final = 0.02
"""The same where parts of the scene have also become much darker:"""
COVERED: Final = 0.03
"""this share of it."""
SHIFTED: Final = 0.1
"""Of the picture's width."""
TURNED_DEG: Final = 12.0
HAZE: Final = 40.0
"""Gray levels that lie over the scene: light in the lens, or moisture on it."""
FAINT: Final = 0.35
"""Less than this is left of the scene's contrast."""


class Cause(StrEnum):
    """What the picture looks like when fewer people are seen."""

    MOVED = "moved"
    BLURRED = "blurred"
    HAZY = "hazy"
    DARK = "dark"
    SMOOTHED = "smoothed"
    BENT = "bent"
    PARTLY = "partly"
    OTHER = "other"


CAUSES: Final = {
    Cause.MOVED: (
        "the camera has moved",
        "put it back; moved on purpose: sudo tensormask sight learn",
    ),
    Cause.BLURRED: ("the picture is less sharp", "clean the lens, and focus it"),
    Cause.SMOOTHED: (
        "the stream shows less detail",
        "give it more bits, or the camera a better network",
    ),
    Cause.HAZY: (
        "something bright lies over the picture",
        "clean and dry the lens, turn it away from the lamp or the window",
    ),
    Cause.DARK: ("there is less light or contrast", "switch on a light, clean the lens"),
    Cause.BENT: ("the picture is distorted", "thaw or dry the lens and its glass, clean them"),
    Cause.PARTLY: ("parts of the picture are hidden", "clean the lens, move what stands before it"),
    Cause.OTHER: (
        "the picture is not as it was",
        "look at it (tensormask status names the page) and clean the lens; changed on purpose: "
        "sudo tensormask sight learn",
    ),
}
"""Of each cause what is said, and what to do."""


@dataclass(frozen=True, slots=True)
class Fall:
    """Why sight is worse than normal."""

    cause: Cause
    share: float | None
    """None: no head was shown, the scene alone says it."""
    normal: float | None

    @property
    def text(self) -> str:
        said = CAUSES[self.cause][0]
        if self.share is None:
            return said
        usual = "" if self.normal is None else f", {percent(self.normal)} is normal here"
        return f"{said}: {percent(self.share)} of the drawn heads are seen{usual}"

    @property
    def fix(self) -> str:
        return CAUSES[self.cause][1]


def fall_of(
    change: SceneChange, share: float | None, normal: float | None, scale: float
) -> Fall | None:
    """Return in what way sight is worse than normal; None: it is not.

    `share` is how many of the drawn heads are seen; None: the scene alone is judged. `scale` is how
    many of the detector's pixels one of the picture's is.
    """
    moved = change.movement
    is_moved = math.hypot(moved.right, moved.down) >= SHIFTED or abs(moved.turned_deg) >= TURNED_DEG
    blurs = [scale * each.blur_px for each in change.transfers]
    blur_px = statistics.median(blurs)
    is_blurred = blur_px >= BLUR_PX
    is_dark = statistics.median(each.contrast for each in change.transfers) <= FAINT
    is_coded = change.noise <= SMOOTHED or change.noise >= FLICKERS
    is_smoothed = not is_dark and is_coded and blur_px >= SMOOTHED_BLUR_PX
    is_bent = change.order <= BENT
    is_covered = change.hidden >= HIDDEN_DARK and change.covered >= COVERED
    is_hidden = change.hidden >= HIDDEN or is_covered
    hazes = [each.haze[0] for each in change.transfers]
    is_hazy = statistics.median(hazes) >= HAZE
    fall = FALL if is_hazy or is_dark else FALL_ELSE
    has_fallen = share is not None and normal is not None and share < normal - fall
    if not (is_moved or is_blurred or is_smoothed or is_bent or is_hidden or has_fallen):
        return None
    # Haze and darkness also blur and hide: they come first.
    found = {
        Cause.MOVED: is_moved,
        Cause.HAZY: is_hazy,
        Cause.DARK: is_dark,
        Cause.BENT: is_bent,
        Cause.SMOOTHED: is_smoothed,
        Cause.BLURRED: is_blurred,
        Cause.PARTLY: is_hidden or max(hazes) >= HAZE,
    }
    cause = next((cause for cause, is_so in found.items() if is_so), Cause.OTHER)
    return Fall(cause, share, normal)
