"""`tensormask status`: is it well? The running service's own answer, in five lines."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edge.config import DeviceSettings
from edge.host.words import Condition, Weight, conditions, duration, waiting
from edge.telemetry import Telemetry


class Status(msgspec.Struct, frozen=True):
    """What is told."""

    is_well: bool
    troubles: tuple[Condition, ...]
    telemetry: Telemetry


def status_of(telemetry: Telemetry) -> Status:
    troubles = tuple(conditions(telemetry))
    return Status(not any(each.weight is Weight.FAULT for each in troubles), troubles, telemetry)


def lines(status: Status, device: DeviceSettings | None) -> Iterator[str]:
    """Return it for eyes. Whose it is, is told where the settings can be read."""
    now = status.telemetry
    if device is not None:
        place = ", ".join(each for each in (device.site, device.zone) if each)
        yield f"device   {device.id}{f' ({place})' if place else ''}"
    yield f"service  up for {duration(now.uptime_s)}, {now.frames} frames judged"
    yield f"camera   {now.camera.state}, {now.fps:.1f} judged a second"
    broker = "connected" if now.broker.connected else "away"
    yield f"broker   {broker}, {waiting(now)}"
    if not status.troubles:
        yield "all is well"
    for each in status.troubles:
        yield f"{each.weight:<8} {each.text}"
