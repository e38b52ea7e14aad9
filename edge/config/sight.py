"""The section about the proof of sight."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.config.section import Section


class SightSettings(Section, frozen=True):
    """Shows drawn heads to detector and classifier, beside judging (`edge.sight`)."""

    enabled: bool = True
    times_a_day: Annotated[int, msgspec.Meta(ge=1, le=288)] = 12
    """Evenly over the day; others on request."""
    min_size_px: Annotated[float, msgspec.Meta(ge=16, le=200)] = 24.0
    """The size of a face, in the camera's picture, that is to be seen here: heads are a little
    smaller, a little larger, and twice as large."""

    @property
    def every_s(self) -> float:
        return 86_400 / self.times_a_day
