"""What depends on whose eyes look: the settings and what they name, models, camera and broker."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from edge.commands.checks import check_configuration, check_detector, check_model
from edge.commands.doctor import eyes, voice
from edge.commands.doctor.finding import SETTINGS_FIRST, Finding, Level, as_root, permission
from edge.commands.doctor.host import Host
from edge.config import Settings
from edge.errors import MissingPackageError, ModelError, NotAllowedError, TensorMaskError
from edge.host.in_use import CHANGED, has_changed, public_source
from edge.release.unit import UNIT
from edge.telemetry import Telemetry

LIMIT_S = 120.0
"""So long it may take in the service's place: a camera and a broker that are away, half of it."""


class PlaceToAsk(Protocol):
    """Where a command runs as the service would: `InstalledUnit`."""

    def ask(self, arguments: Sequence[str], limit_s: float) -> tuple[int, str]: ...


def seen_by_service(place: PlaceToAsk, config: Path) -> list[Finding] | None:
    """Return what the service would find: as its user, in its sandbox, with its credentials.

    None where nothing can be started as the service: what hinders that is found elsewhere.
    """
    words = ["doctor", "--here", "--settings-only", "--json", "--config", str(config.absolute())]
    _, said = place.ask(words, LIMIT_S)
    try:
        return msgspec.json.decode(said, type=list[Finding])
    except msgspec.MsgspecError:
        return None


def look(host: Host, config: Path, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Look at all of it, with the rights of whoever asks; what one part lacks hides no other."""
    settings = yield from _configuration(config, telemetry)
    if settings is not None:
        yield from _models(settings)
    yield from _camera(settings, telemetry)
    yield from voice.broker(host, settings, telemetry)


def _configuration(
    config: Path, telemetry: Telemetry | None
) -> Generator[Finding, None, Settings | None]:
    """Return, beside what is found, the settings, or None."""
    try:
        settings = check_configuration(config)
    except NotAllowedError as error:
        text = f"{error}; the models are not looked at either"
        yield Finding("configuration", Level.UNKNOWN, text, as_root())
        return None
    except TensorMaskError as error:
        if not config.exists():
            cure = "sudo deploy/install.sh writes one; another is named by --config FILE"
        else:
            cure = f"sudoedit {config}; sudo tensormask check --only configuration"
        text, _, _ = str(error).partition("; sudo ")  # the same cure
        yield Finding("configuration", Level.FAULT, text, permission(text) or cure)
        return None
    if telemetry is not None and has_changed(telemetry.in_use, config):
        yield Finding("configuration", Level.HINT, f"{config} {CHANGED}")
    else:
        yield Finding("configuration", Level.OK, str(config))
    return settings


def _models(settings: Settings) -> Iterator[Finding]:
    for part, look in (("model", check_model), ("detector", check_detector)):
        try:
            yield Finding(part, Level.OK, look(settings))
        except MissingPackageError as error:
            yield Finding(part, Level.FAULT, str(error), "sudo deploy/install.sh")
        except ModelError as error:
            kind = "bundle" if part == "model" else "detector"
            cure = f"sudo tensormask models rollback {kind}, or sudo deploy/install.sh"
            yield Finding(part, Level.FAULT, str(error), cure)
        except TensorMaskError as error:
            cure = f"mend that, then: sudo systemctl restart {UNIT}"
            yield Finding(part, Level.FAULT, str(error), permission(str(error)) or cure)


def _camera(settings: Settings | None, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Ask the service about the camera that it has; look at one that it has not."""
    used = None if telemetry is None else telemetry.in_use
    source = None if settings is None else settings.camera.source
    if telemetry is not None and (
        used is None or source is None or used.source == public_source(source)
    ):
        yield from eyes.told(telemetry, source or (used.source if used else ""))
    elif settings is not None:
        yield from eyes.looked_at(settings)
    else:
        text = "not looked at: it takes the settings, or a service that runs"
        yield Finding("camera", Level.UNKNOWN, text, as_root(SETTINGS_FIRST))
