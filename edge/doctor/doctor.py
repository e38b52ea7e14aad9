"""`tensormask doctor`: all that keeps this box from working well, each with what mends it."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.app.check import check_configuration, check_detector, check_model
from edge.config import Settings
from edge.doctor import eyes, machine, service, voice
from edge.doctor.finding import Finding, Level
from edge.doctor.host import Host
from edge.doctor.page import page
from edge.errors import MissingPackageError, ModelError, TensorMaskError
from edge.host.health import read_vitals
from edge.host.status_file import read_telemetry
from edge.installed import installation
from edge.release.unit import UNIT
from edge.telemetry import Telemetry

LIST = "requirements-pi.txt"
STATE = Path("/var/lib/tensormask")


def examine(config: Path, host: Host | None = None) -> Iterator[Finding]:
    """Look at everything, one part after the other; what one part lacks does not hide the rest."""
    host = host or Host()
    telemetry = read_telemetry()
    settings = yield from _configuration(config)
    yield from packages()
    if settings is not None:
        yield from _models(settings)
    # What mends these comes before what starts the service anew.
    yield from service.files(host, config, STATE)
    yield from service.unit(host)
    yield from service.releases()
    yield from service.leftovers(host)
    if settings is not None:
        yield from _camera(settings, telemetry)
        yield from voice.broker(host, settings, telemetry)
        yield from page(settings.page, is_running=telemetry is not None)
    vitals = read_vitals(host.root)
    yield from machine.clock(datetime.now(UTC))
    yield from machine.disk(STATE if settings is None else settings.outbox.file.parent)
    yield from machine.memory(host, vitals)
    yield from machine.heat(vitals)
    yield from machine.power(vitals)


def _configuration(config: Path) -> Generator[Finding, None, Settings | None]:
    """Return, beside what is found, the settings, or None."""
    try:
        settings = check_configuration(config)
    except TensorMaskError as error:
        if "Permission denied" in str(error):  # of the folder, too, which is closed to most
            cure = "sudo tensormask doctor"
        elif not config.exists():
            cure = "sudo deploy/install.sh writes one; another is named by --config FILE"
        else:
            cure = f"sudoedit {config}; tensormask check --only configuration"
        yield Finding("configuration", Level.FAULT, str(error), cure)
        return None
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
            yield Finding(
                part, Level.FAULT, str(error), f"mend that, then: sudo systemctl restart {UNIT}"
            )


def _camera(settings: Settings, telemetry: Telemetry | None) -> Iterator[Finding]:
    if telemetry is not None:
        yield from eyes.told(telemetry, settings)
    else:
        yield from eyes.looked_at(settings)


def packages(folder: Path | None = None) -> Iterator[Finding]:
    """Compare what is installed with the list that the release came with."""
    file = (folder or Path(__file__).resolve().parents[2]) / LIST
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
