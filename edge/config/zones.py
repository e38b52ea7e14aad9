"""The sections [[zone]]: named parts of the picture, with rules of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated

import msgspec

from edge.config.hours import Hours, HourTexts
from edge.config.section import NotNegative, Polygon, Section
from edge.outline import area, crosses_itself

MOST_ZONES = 20
LEAST_AREA = 0.0005
"""Of the picture: in what is smaller nobody can be."""
ZoneName = Annotated[str, msgspec.Meta(pattern=r"^[^\s\x00-\x1f](.{0,38}[^\s])?$")]
"""1 to 40 characters, without a blank at an end."""


class ZonePolicy(StrEnum):
    """What happens to a person without a mask."""

    VIOLATION = "violation"
    """Reported."""
    COUNT = "count"
    """Counted, and nobody is reported."""
    IGNORE = "ignore"
    """People there are neither judged nor counted."""


class ZoneSettings(Section, frozen=True):
    """A part of the picture."""

    name: ZoneName
    polygon: Polygon
    """In fractions of the picture, (0, 0) its top left corner: a face is there whose center is."""
    policy: ZonePolicy = ZonePolicy.VIOLATION
    confirm_s: NotNegative | None = None
    """How long the mask must have been missing; as [policy] says unless given."""
    min_face_px: Annotated[float, msgspec.Meta(ge=8, le=4096)] | None = None
    """Smaller faces there are not judged; as [classifier] says unless given."""
    hours: HourTexts = ()
    """When `policy` holds, in the box's local time; empty: always."""
    otherwise: ZonePolicy = ZonePolicy.COUNT
    """What holds at other times."""
    camera: str = ""
    """The name of the camera in whose picture it lies; empty: the only one."""

    def __post_init__(self) -> None:
        if not self.name.isprintable():
            raise ValueError("name: a line break or another control character")
        if crosses_itself(self.polygon):
            raise ValueError("polygon: the outline crosses itself: move a corner")
        if area(self.polygon) < LEAST_AREA:
            raise ValueError("polygon: too small: nobody can be there")
        Hours.parsed(self.hours, "hours")

    @property
    def counts(self) -> bool:
        """Whether somebody there is ever counted."""
        is_ignored = self.policy is ZonePolicy.IGNORE
        return not is_ignored or (bool(self.hours) and self.otherwise is not ZonePolicy.IGNORE)

    @property
    def times(self) -> Hours | None:
        """When `policy` holds; None: always."""
        return Hours.parsed(self.hours, "hours") if self.hours else None


ZoneList = Annotated[tuple[ZoneSettings, ...], msgspec.Meta(max_length=MOST_ZONES)]


def refuse_zones(
    zones: Sequence[ZoneSettings], least_face_px: float, cameras: Collection[str] = ("",)
) -> None:
    """Raise ValueError where zones do not fit together, to `[classifier] min_face_px`, or to the
    names of the `cameras`; an only one has none."""
    names = [each.name.casefold() for each in zones]
    for number, zone in enumerate(zones, 1):
        place = f"[[zone]] number {number} ({zone.name})"
        if names.index(zone.name.casefold()) != number - 1:
            raise ValueError(f"{place}: another one has this name")
        if zone.camera not in cameras:
            names_known = ", ".join(filter(None, cameras))
            known = f"known are {names_known}" if names_known else "the only one has no name"
            named = f"{zone.camera} is not known" if zone.camera else "it names none"
            raise ValueError(f"{place}: camera: {named}; {known}")
        if zone.min_face_px is not None and zone.min_face_px < least_face_px:
            raise ValueError(
                f"{place}: min_face_px must be at least [classifier] min_face_px, "
                f"{least_face_px:g}: smaller faces are judged nowhere"
            )
