"""A source that comes to its end: systemd would restart the service in a loop after it."""

from __future__ import annotations

from pathlib import Path

from edge.address import FileSource, source_in
from edge.config import Settings
from edge.errors import ConfigError
from edge.files import is_there
from edge.installed import is_started_by_systemd


def refuse_ending(settings: Settings) -> None:
    """Raise ConfigError where this is the service, and its source a clip or folder that ends."""
    camera = settings.camera
    if camera.loop or not is_started_by_systemd():
        return
    if isinstance(source_in(camera.source), FileSource) and is_there(Path(camera.source)):
        raise ConfigError(
            "[camera] source: a clip or folder comes to its end, and the service with it; add "
            "loop = true, which plays it in a loop"
        )
