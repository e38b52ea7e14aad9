"""`tensormask doctor`: all that keeps this box from working well, each with its fix."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.commands.doctor import machine, service
from edge.commands.doctor.finding import SETTINGS_FIRST, Finding, well, wrong
from edge.commands.doctor.host import Host
from edge.commands.doctor.lamps import lamps
from edge.commands.doctor.page import page
from edge.commands.doctor.sight import PlaceToAsk, look, seen_by_service
from edge.commands.doctor.targets import targets
from edge.conditions import Code, Severity
from edge.config import Settings, load_settings
from edge.errors import ConfigError
from edge.host.health import read_vitals
from edge.host.status_file import read_telemetry
from edge.installed import installation
from edge.telemetry import Telemetry

LIST = "requirements-pi.txt"
STATE = Path("/var/lib/tensormask")


def examine(
    config: Path, place: PlaceToAsk | None = None, host: Host | None = None
) -> Iterator[Finding]:
    """Look at everything, one part after the other; what one part lacks does not hide the rest.

    What depends on whose eyes look is looked at in the service's `place`, where there is one. Who
    may not read the settings learns what the running service says, and what is not looked at.
    """
    host = host or Host()
    telemetry = read_telemetry()
    settings = _readable(config)
    yield from packages()
    first = ""
    for finding in sight(config, telemetry, place):
        if (finding.part, finding.severity) == ("configuration", Severity.FAULT):
            first = SETTINGS_FIRST
        yield finding
    # What fixes these comes before what starts the service again.
    yield from service.files(host, STATE)
    yield from service.unit(host, first)
    if telemetry is not None:
        yield from service.running(telemetry)
    yield from service.releases()
    yield from service.leftovers(host)
    yield from page(None if settings is None else settings.page, telemetry)
    yield from lamps(None if settings is None else settings.signal, telemetry)
    yield from targets(telemetry)
    vitals = read_vitals(host.root)
    yield from machine.clock(datetime.now(UTC))
    yield from machine.disk(_state_of(settings))
    yield from machine.memory(host, vitals)
    yield from machine.heat(vitals)
    yield from machine.power(vitals)


def sight(config: Path, telemetry: Telemetry | None, place: PlaceToAsk | None) -> Iterator[Finding]:
    """Look at what depends on whose eyes look: the service's, in its `place`, or one's own."""
    seen = None if place is None else seen_by_service(place, config)
    yield from look(config, telemetry) if seen is None else seen


def _readable(config: Path) -> Settings | None:
    """Return the settings, where they can be read at all: what is wrong with them is said apart."""
    try:
        return load_settings(config)
    except ConfigError:
        return None


def _state_of(settings: Settings | None) -> Path:
    if settings is None:
        return STATE
    try:
        return settings.outbox.file.parent
    except ConfigError:  # a user without a home directory
        return STATE


def packages(folder: Path | None = None) -> Iterator[Finding]:
    """Compare what is installed with the list that the release came with."""
    file = (folder or Path(__file__).resolve().parents[3]) / LIST
    if not file.exists():
        return
    wanted: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.\-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE):
        wanted.setdefault(name, set()).add(version)
    misfits = []
    for name, versions in wanted.items():
        try:
            there = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            there = "missing"
        if there not in versions:
            misfits.append(f"{name} is {there}, wanted {' or '.join(sorted(versions))}")
    cure = "sudo deploy/install.sh" if installation() else "make venv"
    if misfits:
        yield wrong("packages", Code.PACKAGES_WRONG, cure, why="; ".join(misfits))
    else:
        yield well("packages", f"{len(wanted)} as the release wants them")


def columns() -> int:
    """Return how wide the terminal is."""
    return shutil.get_terminal_size((100, 24)).columns
