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
from edge.host.in_use import has_changed, is_started_with
from edge.host.status_file import FILE, StaleError, fresh_telemetry
from edge.host.web import reachable, trouble_with
from edge.installed import installation
from edge.release.observed import ServiceState
from edge.release.unit import UNIT, SystemdError, Unit, is_booted
from edge.software import InUse
from edge.telemetry import Telemetry
from edge.words import count, duration

LABEL = 9
"""Columns before the text of a line."""
_AGAIN = "ask again in some seconds"
_STATES = {
    "active": f"runs, but has not reported yet; ask again, or: journalctl -u {UNIT} -n 30",
    "activating": f"is starting; {_AGAIN}",
    "deactivating": f"is being stopped or restarted; {_AGAIN}",
    "failed": "has failed; find out why: sudo tensormask doctor",
}
"""By systemd's word for it. What is not listed is on the way from one of these to another."""
JUST_STARTED_S = 10.0
"""The rate of frames is that of so long; a picture is called dark or covered after 4 s; until then
the page waits for the service."""
_START = f"sudo systemctl start {UNIT.removesuffix('.service')}"
FIX = "fix: "


class NotRunningError(TensorMaskError):
    """Start the service. Exit 3, as systemctl(1) has it."""

    exit_status = 3


class Status(msgspec.Struct, frozen=True):
    """What is reported."""

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


def ask_service(config: Path) -> Telemetry:
    """Return what the service says, which runs with these settings.

    Raises NotRunningError, and NotAllowedError.
    """
    try:
        return fresh_telemetry()
    except FileNotFoundError:
        if not installation():
            raise NotRunningError(
                "only the installed service can be asked; install it: sudo deploy/install.sh"
            ) from None
        raise NotRunningError(f"the service {_state(config)}") from None
    except PermissionError as error:
        raise NotAllowedError(f"{FILE}: {error.strerror}") from error
    except StaleError as error:
        raise NotRunningError(
            f"the service has reported nothing for {duration(error.age_s)}; find out why: "
            "sudo tensormask doctor"
        ) from None
    except (OSError, DamagedFileError) as error:
        raise NotRunningError(
            f"{FILE} cannot be read ({error}); start the service again: "
            "sudo systemctl restart tensormask"
        ) from error


def _state(config: Path) -> str:
    """Return what becomes of a service that reports nothing, and should run with `config`."""
    try:
        state = Unit().state() if is_booted() else None
    except SystemdError as error:
        return f"reports nothing, and systemd does not say why ({error})"
    return how_to_start(config) if state is None else in_words(state, config)


def in_words(state: ServiceState, config: Path) -> str:
    """Return what systemd does with a service that reports nothing, and what is to be done."""
    if state.is_between:
        return "has ended, and is about to be restarted; find out why: sudo tensormask doctor"
    if state.has_job and not state.is_up:
        return _STATES["deactivating" if state.active == "deactivating" else "activating"]
    if state.active == "inactive":
        return how_to_start(config)
    return _STATES.get(state.active, f"is {state.active}; {_AGAIN}")


def how_to_start(config: Path) -> str:
    """Return what comes before the start of a service that does not run, if anything does."""
    try:
        load_settings(config)
    except NotAllowedError:
        return f"is not running; see what it lacks: sudo tensormask check; then start it: {_START}"
    except ConfigError as error:
        return f"is not running: {error}; then start it: {_START}"
    return f"is not running; start it: {_START}"


def status_of(telemetry: Telemetry, config: Path) -> Status:
    """Judge it; `config` are the settings that it should run with."""
    troubles = conditions(telemetry)
    if telemetry.uptime_s < JUST_STARTED_S:
        ago, known_after = duration(telemetry.uptime_s), duration(JUST_STARTED_S)
        troubles.append(condition(Code.JUST_STARTED, ago=ago, known_after=known_after))
    elif (page := telemetry.page) and not page.trouble and (trouble := trouble_with(page.url)):
        troubles.append(condition(Code.PAGE_DOWN, trouble=trouble, port=page.port))
    if telemetry.in_use is not None:
        troubles.extend(_of_settings(telemetry.in_use, config))
    is_well = not any(each.severity is Severity.FAULT for each in troubles)
    return Status(is_well, tuple(troubles), telemetry)


def _of_settings(used: InUse, config: Path) -> Iterator[Condition]:
    """Yield what is to be said of the settings. Raises ConfigError where they are not there."""
    is_its_own = is_started_with(used, config)
    try:
        config.stat()
    except FileNotFoundError as error:
        if not is_its_own:
            raise ConfigError(
                f"{config}: {error.strerror}; the service was started with {used.settings}"
            ) from error
        yield condition(Code.SETTINGS_MISSING, file=config)
    except OSError as error:
        yield condition(Code.SETTINGS_UNREADABLE, file=config, why=error.strerror)
    else:
        if not is_its_own:
            yield condition(Code.SETTINGS_OTHER, file=config, used=used.settings)
        elif has_changed(used, config):
            yield condition(Code.SETTINGS_CHANGED, file=config)


def lines(status: Status) -> Iterator[str]:
    """Return it for eyes."""
    now = status.telemetry
    if now.in_use is not None:
        place = ", ".join(each for each in (now.in_use.site, now.in_use.zone) if each)
        yield f"device   {now.in_use.device_id}{f' ({place})' if place else ''}"
    yield f"service  up for {duration(now.uptime_s)}, {count(now.frames, 'frame')} judged"
    for name, _ in now.each_camera:
        seen = now.of(name)
        plan = f", plan {seen.plan}" if seen.plan else ""
        label = f"{name}: " if name else ""
        yield f"camera   {label}{seen.camera.state}, {seen.fps:.1f} judged a second{plan}"
    broker = "connected" if now.broker.connected else "away"
    yield f"broker   {broker}, {queued_in(now)}"
    if now.page is not None and not any(each.code is Code.PAGE_DOWN for each in status.troubles):
        yield f"page     {reachable(now.page.url)}"
    if now.signal is not None and not now.signal.trouble:
        yield f"signal   {now.signal.in_words}"
    for name, _ in now.each_camera:
        sight = now.of(name).sight
        if sight is not None and sight.at is not None:
            yield f"sight    {f'{name}: ' if name else ''}{sight.in_words}"
    for each in status.troubles:
        yield f"{each.severity.label:<{LABEL - 1}} {each.text}"
        if each.fix:
            yield f"{'':<{LABEL}}{FIX}{each.fix}"
    if all(each.severity is Severity.UNKNOWN for each in status.troubles):
        yield "all is well"
