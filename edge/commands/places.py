"""Names of cameras and zones that somebody types."""

from __future__ import annotations

from collections.abc import Iterable

from edge.address import did_you_mean
from edge.config import Settings
from edge.errors import ConfigError
from edge.page.drawn_zones import ZoneBook
from edge.report.records import Report


def refuse_unknown_places(settings: Settings, whole: Report, camera: str, zone: str) -> None:
    """Raise ConfigError for a camera or zone that neither the settings, nor what was drawn, nor the
    whole report of the period has."""
    cameras = {each.name for each in settings.each_camera} | {each.camera for each in whole.cameras}
    _refuse("camera", camera, cameras)
    drawn = ZoneBook(settings.zone, settings.outbox.file.parent).present
    _refuse("zone", zone, {each.name for each in drawn} | {each.zone for each in whole.places})


def _refuse(what: str, name: str, known: Iterable[str]) -> None:
    names = sorted(filter(None, known))
    if name and name not in names:
        there = f"known are {', '.join(names)}" if names else f"there is no {what} with a name"
        alike = {each.casefold(): each for each in names}.get(name.casefold())
        near = f"; did you mean {alike}?" if alike else did_you_mean(name, names)
        raise ConfigError(f"no {what} is named {name}{near}; {there}")
