"""The sign, built of the service's parts."""

from __future__ import annotations

from pathlib import Path

from edge.advice import AdviceBoard
from edge.config import Settings
from edge.daemon.outlets import Outlet
from edge.daemon.station import StationOutlet
from edge.greeting import Greeting
from edge.observers import Observers
from edge.page.signpost import Signpost
from edge.page.wire import SIGN_SOCKET, socket_path


def open_sign(
    settings: Settings, station: StationOutlet | None, observers: Observers, folder: Path
) -> list[Outlet]:
    """Return what the sign needs: it shows the station's advice, where there is a station."""
    path = socket_path(folder).with_name(SIGN_SOCKET)
    if station is not None:
        return [Signpost(settings.sign, station.board, path, is_station=True)]
    greeting = StationOutlet(Greeting(), observers, AdviceBoard())
    return [greeting, Signpost(settings.sign, greeting.board, path, is_station=False)]
