"""What depends on whose eyes look: the settings and what they name, models, camera and broker."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from edge.commands.checks import check_configuration, check_detector, check_model, each_part
from edge.commands.doctor import eyes, voice
from edge.commands.doctor.finding import (
    SETTINGS_FIRST,
    Finding,
    well,
    wrong,
)
from edge.commands.permission import as_root, permission
from edge.conditions import Code
from edge.config import Settings
from edge.errors import MissingPackageError, ModelError, NotAllowedError, TensorMaskError
from edge.files import DamagedFileError, decoded
from edge.host.in_use import has_changed, public_sources
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
        return decoded(said.encode(), list[Finding])
    except DamagedFileError:
        return None


def look(config: Path, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Look at all of it, with the rights of the caller; what one part lacks hides no other."""
    settings = yield from _configuration(config, telemetry)
    if settings is not None:
        yield from _models(settings)
    yield from _camera(settings, telemetry)
    yield from voice.broker(settings, telemetry)


def _configuration(
    config: Path, telemetry: Telemetry | None
) -> Generator[Finding, None, Settings | None]:
    """Return, beside what is found, the settings, or None."""
    try:
        settings = check_configuration(config)
    except NotAllowedError as error:
        text = f"{error}; the models are not looked at either"
        yield wrong("configuration", Code.UNKNOWN, as_root(), why=text)
        return None
    except TensorMaskError as error:
        text, _, rest = str(error).partition("; sudo ")
        fix = permission(text) or (f"sudo {rest}" if rest else None)
        yield wrong("configuration", Code.SETTINGS_REFUSED, fix, why=text, file=config)
        return None
    if telemetry is not None and has_changed(telemetry.in_use, config):
        yield wrong("configuration", Code.SETTINGS_CHANGED, file=config)
    else:
        yield well("configuration", str(config))
    return settings


def _models(settings: Settings) -> Iterator[Finding]:
    for part, look in (("model", check_model), ("detector", check_detector)):
        try:
            yield well(part, look(settings))
        except MissingPackageError as error:
            yield wrong(part, Code.PACKAGES_WRONG, why=error)
        except ModelError as error:
            kind = "bundle" if part == "model" else "detector"
            fix = permission(str(error)) or None
            yield wrong(part, Code.MODEL_UNUSABLE, fix, why=error, slot=kind)
        except TensorMaskError as error:
            fix = permission(str(error)) or f"fix that, then: sudo systemctl restart {UNIT}"
            yield wrong(part, Code.SETTINGS_REFUSED, fix, why=error, file="")


def _camera(settings: Settings | None, telemetry: Telemetry | None) -> Iterator[Finding]:
    """Ask the service about the camera that it has; look at one that it has not."""
    used = None if telemetry is None else telemetry.in_use
    wanted = None if settings is None else public_sources(settings)
    if telemetry is not None and (used is None or wanted is None or used.source == wanted):
        sources = {} if settings is None else {e.name: e.source for e in settings.each_camera}
        if not telemetry.cameras:
            known = used.source if used else ""
            yield from eyes.in_use(telemetry, next(iter(sources.values()), known))
        for each in telemetry.cameras:
            source = sources.get(each.name, "")
            yield from eyes.in_use(telemetry.of(each.name), source, f"camera {each.name}")
    elif settings is not None:
        for part, own in each_part("camera", settings):
            yield from eyes.looked_at(own, part)
    else:
        text = "not looked at: it takes the settings, or a service that runs"
        yield wrong("camera", Code.UNKNOWN, as_root(SETTINGS_FIRST), why=text)
