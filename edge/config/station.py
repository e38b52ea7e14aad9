"""The section about a gate: one person at a time stands before the camera, and gets an answer."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.config.section import Section


class StationSettings(Section, frozen=True):
    """Says within seconds whether somebody before the camera may go on (`edge.station`).

    What is reported over MQTT does not depend on it.
    """

    enabled: bool = False
    min_face_px: Annotated[float, msgspec.Meta(ge=16, le=4096)] = 80.0
    """A face this large (geometric mean of width and height, in the camera's picture) stands at the
    station; one of half the size is asked to come closer, smaller ones pass by."""
    decide_s: Annotated[float, msgspec.Meta(ge=1, le=10)] = 2.0
    """Somebody who could not be judged in so long is told what hinders, where that is known."""
    hold_s: Annotated[float, msgspec.Meta(ge=1.2, le=10)] = 1.5
    """How long "go" stays after the face that earned it was last seen. Two scans fit into the
    least, so that one that misses a face closes no gate."""
