"""`tensormask check`: is everything there that `run` needs? One line for each part."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from edge.capture.sources import is_sensor
from edge.commands.checks import PARTS, check_settings, each_part
from edge.commands.options import add_config, add_json
from edge.commands.output import fitted, json_text, say
from edge.commands.parser import Parser
from edge.commands.permission import with_permission
from edge.commands.sandbox import STARTING, add_here, whose_sight
from edge.conditions import Code, Severity, condition
from edge.config import load_settings
from edge.errors import NotAllowedError, TensorMaskError
from edge.host.in_use import has_changed, public_sources
from edge.host.status_file import read_telemetry
from edge.telemetry import CameraState, Telemetry

LABEL = 23
"""Columns before the text of a line."""


def add_arguments(parser: Parser) -> None:
    parser.runs(
        run,
        "sudo tensormask check",
        "tensormask check --config door.toml --only camera",
    )
    add_config(parser)
    add_json(parser, "one JSON document a line, one for each part")
    parser.add_argument(
        "--only",
        choices=["configuration", *PARTS],
        action="append",
        help="check the configuration and this; may be repeated",
    )
    add_here(parser)


def run(options: argparse.Namespace) -> int:
    unit, whose = whose_sight(options.here, "check")
    heading = "" if options.json else whose

    def say_heading() -> None:
        nonlocal heading
        if heading:
            say(heading)
        heading = ""

    def tell(checked: Checked) -> None:
        say_heading()  # here, since a refusal has none
        say(json_text(checked) if options.json else fitted(line(checked), LABEL))

    chosen = [part for part in PARTS if not options.only or part in options.only]
    if unit is None:
        return check(options.config, chosen, tell)
    say_heading()
    json = ["--json"] if options.json else []
    return check_as_service(unit, options.config, chosen, tell, json, read_telemetry())


class Checked(msgspec.Struct, frozen=True):
    """What became of one part."""

    part: str
    severity: Severity
    text: str


def line(checked: Checked) -> str:
    """Return it for eyes."""
    return f"{checked.part:<13}  {checked.severity.label:<7} {checked.text}"


Say = Callable[[Checked], None]


class ServicePlace(Protocol):
    """Where a command runs as the service would: `InstalledUnit`."""

    @property
    def status(self) -> str: ...
    def run(self, arguments: Sequence[str]) -> int: ...


def check(config: Path, parts: Collection[str], tell: Say) -> int:
    """Check the configuration, then the named `parts`; say of each what became of it.

    Returns the exit status: 0, or that of the gravest failure (78 before 1). Raises NotAllowedError
    where nothing can be checked for want of the settings.
    """
    try:
        settings = check_settings(config, apart=parts)
    except NotAllowedError:
        raise
    except TensorMaskError as error:
        tell(Checked("configuration", Severity.FAULT, with_permission(str(error))))
        return error.exit_status
    tell(Checked("configuration", Severity.OK, str(config)))
    status = 0
    looked_at = [(each, *what) for each in parts for what in each_part(each, settings)]
    for part, label, own in looked_at:
        try:
            tell(Checked(label, Severity.OK, PARTS[part](own)))
        except TensorMaskError as error:
            severity = Severity.FAULT if error.exit_status else Severity.UNKNOWN
            tell(Checked(label, severity, with_permission(str(error))))
            status = max(status, error.exit_status)
    return status


def check_as_service(
    service: ServicePlace,
    config: Path,
    parts: Collection[str],
    tell: Say,
    options: Sequence[str] = (),
    telemetry: Telemetry | None = None,
) -> int:
    """Do the same as the service would see it: as its user, in its sandbox, with its credentials.

    `options` are for the command there, which says its part itself. A camera that the running
    service has, as it says in its `telemetry`, is not opened a second time: another one is.
    """
    used = None if telemetry is None else telemetry.in_use
    try:
        settings = load_settings(config)
        has_camera = (
            bool(service.status)
            and "camera" in parts
            and any(is_sensor(each) for each in settings.each_camera)
            # Of an older version, which does not say, it is taken for the same.
            and (used is None or used.source == public_sources(settings))
        )
    except TensorMaskError:
        has_camera = False  # said below
    asked = ["configuration", *(part for part in parts if part != "camera" or not has_camera)]
    only = [word for part in asked for word in ("--only", part)]
    status = service.run(["check", "--here", "--config", str(config.absolute()), *options, *only])
    if has_camera:
        for checked in _cameras_in_use(service.status, telemetry):
            tell(checked)
            status = max(status, 1 if checked.severity is Severity.FAULT else 0)
    if service.status and has_changed(used, config):
        changed = condition(Code.SETTINGS_CHANGED, file=config)
        how = "once that is corrected" if status else "use it"
        text = f"{changed.text}; {how}: sudo systemctl restart tensormask"
        tell(Checked("service", changed.severity, text))
    return status


def _cameras_in_use(status: str, telemetry: Telemetry | None) -> Iterator[Checked]:
    """Yield what the running service says of each camera that it has."""
    if telemetry is None or not telemetry.cameras:
        yield _camera_in_use(status, telemetry)
        return
    for each in telemetry.cameras:
        said = f"{each.status.state}, {each.fps:.1f} judged a second"
        found = _camera_in_use(said, telemetry.of(each.name))
        yield msgspec.structs.replace(found, part=f"camera {each.name}")


def _camera_in_use(status: str, telemetry: Telemetry | None) -> Checked:
    """Return what the running service says of the camera that it has: that it has it is well."""
    if CameraState.LOST in status:
        why = telemetry.camera.trouble if telemetry is not None else ""
        return Checked(
            "camera", Severity.FAULT, f"no picture in the running service: {why or status}"
        )
    if STARTING in status:
        text = "the running service has no picture of it yet; check again in some seconds"
        return Checked("camera", Severity.UNKNOWN, text)
    return Checked("camera", Severity.OK, f"in use by the running service: {status}")
