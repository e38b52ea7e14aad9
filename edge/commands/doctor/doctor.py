"""`tensormask doctor`: all that keeps this box from working well, each with what mends it."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.commands.checks import check_configuration, check_detector, check_model
from edge.commands.doctor import eyes, machine, service, voice
from edge.commands.doctor.finding import AS_ROOT, Finding, Level
from edge.commands.doctor.host import Host
from edge.commands.doctor.page import page
from edge.config import Settings
from edge.errors import (
    ConfigError,
    MissingPackageError,
    ModelError,
    NotAllowedError,
    TensorMaskError,
)
from edge.host.health import read_vitals
from edge.host.in_use import CHANGED, has_changed, public_source
from edge.host.status_file import read_telemetry
from edge.installed import installation
from edge.release.unit import UNIT
from edge.telemetry import Telemetry

LIST = "requirements-pi.txt"
STATE = Path("/var/lib/tensormask")


def examine(config: Path, host: Host | None = None) -> Iterator[Finding]:
    """Look at everything, one part after the other; what one part lacks does not hide the rest.

    Who may not read the settings learns what the running service says, and what is not looked at.
    """
    host = host or Host()
    telemetry = read_telemetry()
    settings = yield from _configuration(config, telemetry)
    yield from packages()
    if settings is not None:
        yield from _models(settings)
    # What mends these comes before what starts the service anew.
    yield from service.files(host, config, STATE)
    yield from service.unit(host)
    if telemetry is not None:
        yield from service.told(telemetry)
    yield from service.releases()
    yield from service.leftovers(host)
    yield from _camera(settings, telemetry)
    yield from voice.broker(host, settings, telemetry)
    if settings is not None:
        yield from page(settings.page, is_running=telemetry is not None)
    elif telemetry is not None and telemetry.page is not None:
        trouble = telemetry.page.trouble
        level = Level.FAULT if trouble else Level.OK
        yield Finding("page", level, trouble or telemetry.page.url, AS_ROOT if trouble else "")
    vitals = read_vitals(host.root)
    yield from machine.clock(datetime.now(UTC))
    yield from machine.disk(_state_of(settings))
    yield from machine.memory(host, vitals)
    yield from machine.heat(vitals)
    yield from machine.power(vitals)


def _configuration(
    config: Path, telemetry: Telemetry | None
) -> Generator[Finding, None, Settings | None]:
    """Return, beside what is found, the settings, or None."""
    try:
        settings = check_configuration(config)
    except NotAllowedError as error:
        text = f"{error}; the models are not looked at either"
        yield Finding("configuration", Level.UNKNOWN, text, AS_ROOT)
        return None
    except TensorMaskError as error:
        if "Permission denied" in str(error):  # of a file that the settings name
            cure = AS_ROOT
        elif not config.exists():
            cure = "sudo deploy/install.sh writes one; another is named by --config FILE"
        else:
            cure = f"sudoedit {config}; sudo tensormask check --only configuration"
        yield Finding("configuration", Level.FAULT, str(error), cure)
        return None
    if telemetry is not None and has_changed(telemetry.in_use, config):
        yield Finding("configuration", Level.HINT, f"{config} {CHANGED}")
    else:
        yield Finding("configuration", Level.OK, str(config))
    return settings


def _state_of(settings: Settings | None) -> Path:
    if settings is None:
        return STATE
    try:
        return settings.outbox.file.parent
    except ConfigError:  # a user without a home directory
        return STATE


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
            yield Finding(
                part, Level.FAULT, str(error), f"mend that, then: sudo systemctl restart {UNIT}"
            )


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
        yield Finding("camera", Level.UNKNOWN, text, AS_ROOT)


def packages(folder: Path | None = None) -> Iterator[Finding]:
    """Compare what is installed with the list that the release came with."""
    file = (folder or Path(__file__).resolve().parents[3]) / LIST
    if not file.exists():
        return
    wanted: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.\-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE):
        wanted.setdefault(name, set()).add(version)
    wrong = []
    for name, versions in wanted.items():
        try:
            there = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            there = "missing"
        if there not in versions:
            wrong.append(f"{name} is {there}, wanted {' or '.join(sorted(versions))}")
    cure = "sudo deploy/install.sh" if installation() else "make venv"
    if wrong:
        yield Finding("packages", Level.FAULT, "; ".join(wrong), cure)
    else:
        yield Finding("packages", Level.OK, f"{len(wanted)} as the release wants them")


def columns() -> int:
    """Return how wide the terminal is."""
    return shutil.get_terminal_size((100, 24)).columns
