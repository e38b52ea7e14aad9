"""The section about what the box keeps of what happened."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.config.section import Section


class HistorySettings(Section, frozen=True):
    """Counts, watched time, alerts and conditions by minute, for reports and the page."""

    enabled: bool = True
    days: Annotated[int, msgspec.Meta(ge=1, le=1100)] = 400
    """What is older is deleted, within six hours."""
