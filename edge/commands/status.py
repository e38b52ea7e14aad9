"""`tensormask status`: is it well? The running service's own answer, in five lines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge.commands.options import add_config, add_json
from edge.commands.output import fitted, print_document
from edge.commands.parser import Parser
from edge.conditions import Code, Condition, Severity, condition, conditions, queued_in
from edge.config import load_settings
from edge.errors import ConfigError, NotAllowedError, TensorMaskError
from edge.files import DamagedFileError
from edge.host.in_use import has_changed
from edge.host.status_file import FILE, StaleError, fresh_telemetry
from edge.host.web import trouble_with
from edge.installed import installation
from edge.release.unit import UNIT, SystemdError, Unit, is_booted
from edge.telemetry import Telemetry
from edge.words import count, duration

LABEL = 9
"""Columns before the text of a line."""
_STATES = {
    "activating": "is starting; ask again in some seconds",
    "active": f"runs, but has not reported yet; ask again, or: journalctl -u {UNIT} -n 30",
    "deactivating": "is stopping",
    "failed": "has failed; find out why: sudo tensormask doctor",
}
JUST_STARTED_S = 10.0
"""The rate of frames is that of so long; a picture is called dark or covered after 4 s."""
_START = f"sudo systemctl start {UNIT.removesuffix('.service')}"


FIX = "fix: "


class NotRunningError(TensorMaskError):
    """Start the service. Exit 3, as systemctl(1) has it."""

    exit_status = 3


class Status(msgspec.Struct, frozen=True):
    """What is told."""

    is_well: bool
    troubles: tuple[Condition, ...]
    telemetry: Telemetry


def add_arguments(parser: Parser) -> None:
    parser.runs(run, "tensormask status --json")
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    status = status_of(ask_service(options.config), options.config)
    if options.json:
        print_document(status)
    else:
        for line in lines(status):
            print(fitted(line, LABEL))  # noqa: T201 - a command's output
    return 0 if status.is_well else 1


def ask_service(config: Path, file: Path = FILE) -> Telemetry:
    """Return what the service says, which runs with these settings.

    Raises NotRunningError, and NotAllowedError.
    """
    try:
        return fresh_telemetry(file)
    except FileNotFoundError:
        if not installation():
            raise NotRunningError(
                "only the installed service can be asked; install it: sudo deploy/install.sh"
            ) from None
        state = _STATES.get(_state()) or how_to_start(config)
        raise NotRunningError(f"the service {state}") from None
    except PermissionError as error:
        raise NotAllowedError(f"{file}: {error.strerror}") from error
    except StaleError as error:
        raise NotRunningError(
            f"the service has reported nothing for {duration(error.age_s)}; find out why: "
            "sudo tensormask doctor"
        ) from None
    except (OSError, DamagedFileError) as error:
        raise NotRunningError(
            f"{file} cannot be read ({error}); start the service again: "
            "sudo systemctl restart tensormask"
        ) from error


def _state() -> str:
    """Return systemd's word for the service; empty where it has none."""
    try:
        return Unit().state().active if is_booted() else ""
    except SystemdError:
        return ""


def how_to_start(config: Path) -> str:
    """Return what comes before the start of a service that does not run, if anything does."""
    try:
        load_settings(config)
    except NotAllowedError:
        return f"does not run; see what it lacks: sudo tensormask check; then start it: {_START}"
    except ConfigError as error:
        return f"does not run: {error}; then start it: {_START}"
    return f"does not run; start it: {_START}"


def status_of(telemetry: Telemetry, config: Path) -> Status:
    """Judge it; `config` are the settings that it should run with."""
    troubles = conditions(telemetry)
    if telemetry.uptime_s < JUST_STARTED_S:
        ago, known_after = duration(telemetry.uptime_s), duration(JUST_STARTED_S)
        troubles.append(condition(Code.JUST_STARTED, ago=ago, known_after=known_after))
    page = telemetry.page
    if page is not None and not page.trouble and (trouble := trouble_with(page.url)):
        troubles.append(condition(Code.PAGE_DOWN, trouble=trouble))
    if has_changed(telemetry.in_use, config):
        troubles.append(condition(Code.SETTINGS_CHANGED, file=config))
    is_well = not any(each.severity is Severity.FAULT for each in troubles)
    return Status(is_well, tuple(troubles), telemetry)


def lines(status: Status) -> Iterator[str]:
    """Return it for eyes."""
    now = status.telemetry
    if now.in_use is not None:
        place = ", ".join(each for each in (now.in_use.site, now.in_use.zone) if each)
        yield f"device   {now.in_use.device_id}{f' ({place})' if place else ''}"
    yield f"service  up for {duration(now.uptime_s)}, {count(now.frames, 'frame')} judged"
    yield f"camera   {now.camera.state}, {now.fps:.1f} judged a second"
    broker = "connected" if now.broker.connected else "away"
    yield f"broker   {broker}, {queued_in(now)}"
    if now.page is not None and not any(each.code is Code.PAGE_DOWN for each in status.troubles):
        yield f"page     {now.page.url}"
    if not status.troubles:
        yield "all is well"
    for each in status.troubles:
        yield f"{each.severity:<{LABEL - 1}} {each.text}"
        if each.fix:
            yield f"{'':<{LABEL}}{FIX}{each.fix}"
