"""The certificates that this box shows to others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from edge.config import CREDENTIAL, Settings
from edge.errors import ConfigError
from edge.host.certificate import ends_at
from edge.secret import located
from edge.telemetry import Certificate


def certificates(settings: Settings) -> tuple[Certificate, ...]:
    """Return when each that the settings name ends, as far as it can be read."""
    found = []
    for key, name in named(settings):
        with suppress(OSError, ValueError, ConfigError):
            found.append(read(key, name))
    return tuple(found)


def named(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the key of each, and the file or credential."""
    if settings.mqtt.certificate_file:
        yield "[mqtt] certificate_file", settings.mqtt.certificate_file
    if settings.page.enabled and settings.page.certificate_file:
        yield "[page] certificate_file", settings.page.certificate_file


def read(key: str, name: str) -> Certificate:
    """Return one. Raises OSError, ValueError, and ConfigError for a credential that is not ours."""
    path = located(name, key)
    return Certificate(key if name.startswith(CREDENTIAL) else f"{key} {name}", ends_at(path))
