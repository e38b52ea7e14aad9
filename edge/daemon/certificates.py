"""The certificates that this box shows to others."""

from __future__ import annotations

from contextlib import suppress

from edge.config import CREDENTIAL, Settings
from edge.errors import ConfigError
from edge.host.certificate import ends_at
from edge.secret import located
from edge.telemetry import Certificate


def certificates(settings: Settings) -> tuple[Certificate, ...]:
    """Return when each that the settings name ends, as far as it can be read."""
    named = [("mqtt", settings.mqtt.certificate_file)]
    if settings.page.enabled:
        named.append(("page", settings.page.certificate_file))
    found = []
    for section, name in named:
        key = f"[{section}] certificate_file"
        with suppress(OSError, ValueError, ConfigError):
            if name:
                path = located(name, key)
                shown = key if name.startswith(CREDENTIAL) else f"{key} {name}"
                found.append(Certificate(shown, ends_at(path)))
    return tuple(found)
