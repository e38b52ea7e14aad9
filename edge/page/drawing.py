"""What is drawn on the page: the area and the zones, which are drawn and undone together."""

from __future__ import annotations

import msgspec

from edge.config import Polygons
from edge.page.drawn import AreaBook, DrawnArea
from edge.page.drawn_zones import ZoneBook
from edge.page.wire import Draw, DrawnZone


class Drawing(msgspec.Struct, frozen=True):
    """The area that is watched, with the names of its parts."""

    regions: Polygons
    region_names: tuple[str, ...]
    excluded: Polygons
    excluded_names: tuple[str, ...]
    zones: tuple[DrawnZone, ...] = ()
    are_zones_fixed: bool = False
    """The settings name them: they are changed there."""


def draw(wanted: Draw, book: AreaBook, zones: ZoneBook) -> None:
    """Have the service watch what was drawn.

    Raises ConfigError: what is wrong is said before anything changes.
    """
    drawn = DrawnArea(wanted.regions, wanted.excluded)
    present = zones.present if wanted.zones is None else zones.of(wanted.zones)
    # What the settings name comes back as it is, where only the other was drawn.
    if not (book.is_fixed and drawn == book.present):
        names = dict(zip(wanted.regions, wanted.region_names, strict=False))
        names |= dict(zip(wanted.excluded, wanted.excluded_names, strict=False))
        book.draw(drawn, names)
    zones.draw(present)


def undo(book: AreaBook, zones: ZoneBook) -> None:
    """Go back to what was drawn before. Raises ConfigError."""
    if book.can_undo or not zones.can_undo:
        book.undo()
    zones.undo()


def drawing_of(book: AreaBook, zones: ZoneBook) -> Drawing:
    """Return what is watched now, as the page shows it."""
    area = book.present
    regions, excluded = book.names(area.regions), book.names(area.excluded)
    shown = tuple(DrawnZone(each.name, each.polygon, each.policy) for each in zones.present)
    return Drawing(area.regions, regions, area.excluded, excluded, shown, zones.is_fixed)
