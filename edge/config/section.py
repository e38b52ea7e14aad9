"""What sections of the settings are made of."""

from __future__ import annotations

from typing import Annotated

import msgspec

CREDENTIAL = "credential:"
"""Begins the name of a file that systemd gives to the service, see systemd.exec(5)."""
MAX_TEXT = 1000
"""Characters of a value."""
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""Mostly seconds; bounded, since TOML knows infinity, and OpenCV takes milliseconds as an int."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
TopicLevel = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.\-]+$", max_length=64)]
"""One level of a topic: no slash, wildcard or space."""
Point = tuple[Share, Share]
Polygon = Annotated[tuple[Point, ...], msgspec.Meta(min_length=3, max_length=100)]
"""In fractions of the frame, (0, 0) its top left corner."""
Polygons = Annotated[tuple[Polygon, ...], msgspec.Meta(max_length=20)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section of the file."""
