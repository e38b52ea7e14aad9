"""`tensormask rule`: from when on the mask rule holds, and from when on no longer."""

from __future__ import annotations

import argparse
from datetime import timedelta

from edge.clock import SYSTEM_CLOCK
from edge.commands.acknowledge import add_by, checked, refuse_unwritable, who
from edge.commands.alerts import history_of
from edge.commands.options import add_config, add_configs, add_json
from edge.commands.output import json_text, say
from edge.commands.parser import Parser, add_action
from edge.commands.times import calendar_in, say_zone
from edge.history.notary import AlreadySoError, set_rule
from edge.history.records import Entry, EntryKind
from edge.history.requests import SetRule
from edge.history.store import HistoryReader
from edge.report.calendar import Calendar
from edge.report.rule import MaskRule

_FUTURE = timedelta(days=3660)


def add_arguments(parser: Parser) -> None:
    parser.runs(_list, "sudo tensormask rule")
    add_config(parser)
    add_json(parser, "one JSON document a line")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    text = "Every change that was made by a command, here, on the page or over MQTT."
    add_json(add_action(actions, "list", _list, text, "sudo tensormask rule list"))
    for state, text in (
        ("on", "The mask rule holds from now on: who has no mask is reported."),
        ("off", "The mask rule holds no longer: people are counted, and nobody is reported."),
    ):
        action = add_action(actions, state, _set, text, f"sudo tensormask rule {state}")
        action.set_defaults(is_on=state == "on")
        add_by(action)
    add_configs(actions)


def _set(options: argparse.Namespace) -> int:
    path, now = history_of(options.config), SYSTEM_CLOCK.utc()
    refuse_unwritable(path)
    calendar = calendar_in(options.config)
    asked = checked({"type": "SetRule", "is_on": options.is_on, "by": who(options)}, SetRule)
    try:
        holds = lambda entries: MaskRule(calendar, entries).at(now)  # noqa: E731
        entry = set_rule(path, asked, now, holds, calendar.zone)
    except AlreadySoError as error:
        say(f"{error}: nothing was written")
    else:
        say(line(entry, calendar))
    say_zone(calendar)
    return 0


def _list(options: argparse.Namespace) -> int:
    path, now = history_of(options.config), SYSTEM_CLOCK.utc()
    with HistoryReader(path) as reader:
        changes = reader.entries(EntryKind.RULE, now + _FUTURE)
    calendar = calendar_in(options.config)
    for each in changes:
        say(json_text(each) if options.json else line(each, calendar))
    if options.json:
        return 0
    if changes:
        say_zone(calendar)
    else:
        say("the mask rule was never changed by a command")
    return 0


def line(entry: Entry, calendar: Calendar) -> str:
    """Return it for eyes, with the time of the calendar."""
    by = f", by {entry.by}" if entry.by else ""
    return f"{calendar.local(entry.at):%Y-%m-%d %H:%M:%S}  the mask rule is {entry.text}{by}"
