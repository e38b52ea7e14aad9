"""`tensormask notify`: the targets of notifications, and whether a test arrives."""

from __future__ import annotations

import argparse

import msgspec

from edge.commands.options import add_config, add_configs, add_json
from edge.commands.output import json_text, say
from edge.commands.parser import Parser, add_action
from edge.commands.permission import with_permission
from edge.commands.sandbox import add_here, whose_sight
from edge.config import DEFAULT_PATH, NotifyTarget, Settings, load_settings
from edge.errors import ConfigError, NotAllowedError
from edge.host.status_file import read_telemetry
from edge.notify.channel import UndeliveredError
from edge.notify.channels import open_channel
from edge.notify.notification import Sender, notification, trial_event, utc_now
from edge.secret import are_withheld
from edge.telemetry import NotifierState
from edge.words import count

WHAT = "notify test"


class TargetListed(msgspec.Struct, frozen=True):
    """A target, as the settings and the running service have it."""

    name: str
    kind: str
    on: tuple[str, ...]
    now: NotifierState | None
    """None: the service does not run, or was started without it."""


class TargetTested(msgspec.Struct, frozen=True):
    """What came of a test."""

    name: str
    kind: str
    arrived: bool
    text: str


def add_arguments(parser: Parser) -> None:
    parser.runs(_list, "sudo tensormask notify", "sudo tensormask notify --json")
    add_config(parser)
    add_json(parser, "one JSON document a line")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    text = "The targets, and how many events wait for each."
    add_json(add_action(actions, "list", _list, text, "sudo tensormask notify list"))
    text = "Send a test to each target, or to one; exit 1: one does not take it."
    example = "sudo tensormask notify test caretaker"
    testing = add_action(actions, "test", _test, text, "sudo tensormask notify test", example)
    testing.add_argument("name", nargs="?", help="default: all", metavar="NAME")
    add_json(testing, "one JSON document a line")
    add_here(testing)
    add_configs(actions)


def _list(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    telemetry = read_telemetry() if options.config == DEFAULT_PATH else None
    now = {} if telemetry is None else {each.name: each for each in telemetry.notifiers}
    for target in settings.notify:
        listed = TargetListed(target.name, target.kind, target.on, now.get(target.name))
        say(json_text(listed) if options.json else line(listed))
    if not settings.notify and not options.json:
        say(f"{options.config}: no [[notify]]; docs/notifications.md")
    return 0


def line(listed: TargetListed) -> str:
    """Return it for eyes."""
    about = f"{listed.name:<16}  {listed.kind:<8}  {', '.join(listed.on)}"
    if listed.now is None:
        return about
    dropped = f", {listed.now.dropped} dropped" if listed.now.dropped else ""
    trouble = f"; {listed.now.trouble}" if listed.now.trouble else ""
    quiet = " until the quiet hours end" if listed.now.is_quiet else ""
    return f"{about}; {count(listed.now.waiting, 'event')} queued{quiet}{dropped}{trouble}"


def _test(options: argparse.Namespace) -> int:
    unit, whose = whose_sight(options.here, WHAT)
    if unit is not None:
        words = ["notify", "test", "--here", "--config", str(options.config.absolute())]
        words += [options.name] if options.name else []
        if whose and not options.json:
            say(whose)
        return unit.run([*words, *(["--json"] if options.json else [])])
    settings = load_settings(options.config)
    if whose and not options.json:
        say(whose)
    failures = 0
    for target in chosen(settings, options.name):
        tested = tested_with(target, settings)
        failures += not tested.arrived
        result = "arrived" if tested.arrived else "FAILED"
        text = f"; {tested.text}" if tested.text else ""
        said = f"{target.name:<16}  {target.kind:<8}  {result}{text}"
        say(json_text(tested) if options.json else said)
    return 1 if failures else 0


def chosen(settings: Settings, name: str | None) -> tuple[NotifyTarget, ...]:
    """Return the targets that are to be tested. Raises ConfigError where there is none."""
    if not settings.notify:
        raise ConfigError("no [[notify]] is set, so there is nothing to test")
    found = tuple(each for each in settings.notify if name in (None, each.name))
    if not found:
        names = ", ".join(each.name for each in settings.notify)
        raise ConfigError(f"no [[notify]] is named {name}; there are {names}")
    return found


def tested_with(target: NotifyTarget, settings: Settings) -> TargetTested:
    """Send a test, with neither queue nor pause. Raises NotAllowedError where a secret is not ours
    to read."""
    if are_withheld(target.files):
        raise NotAllowedError("systemd gives its credentials to the service only")
    now = utc_now()
    event = trial_event(f"{now:%Y%m%d%H%M%S%f}", now)
    try:
        said = open_channel(target).send(notification([event], Sender.of(settings.device), now))
    except (UndeliveredError, ConfigError) as error:
        return TargetTested(target.name, target.kind, False, with_permission(str(error)))
    return TargetTested(target.name, target.kind, True, said)
