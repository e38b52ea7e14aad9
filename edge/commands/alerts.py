"""`tensormask alerts`: which alerts there were, and what was done about each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from edge.clock import SYSTEM_CLOCK
from edge.commands.options import add_config, add_configs, add_json, whole
from edge.commands.output import json_text, say
from edge.commands.parser import Parser, add_action
from edge.commands.times import calendar_in, say_zone
from edge.config import DEFAULT_PATH, load_settings
from edge.history.fresh import FreshReader
from edge.history.records import Alert, AlertAcknowledgement
from edge.history.store import FILE, HistoryReader
from edge.host.status_file import DIRECTORY
from edge.records import ViolationKind
from edge.report.calendar import Calendar
from edge.words import duration

DAYS = 31
MOST_DAYS = 3660
_KINDS = {ViolationKind.BARE: "no mask", ViolationKind.WORN_WRONGLY: "worn wrongly"}
_FUTURE = timedelta(days=3660)
"""A clock that was wrong may have dated alerts so far ahead."""


class AlertListed(msgspec.Struct, frozen=True):
    """An alert, and the last that was said of it."""

    alert: Alert
    acknowledgement: AlertAcknowledgement | None
    """None: it is open."""


def add_arguments(parser: Parser) -> None:
    parser.runs(_list, "sudo tensormask alerts", "sudo tensormask alerts --all --json")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    add_config(parser)
    text = (
        "Alerts of the last days, the newest first. Without --all only the open ones: those that "
        "nobody has acknowledged."
    )
    example = "sudo tensormask alerts list --all --days 7"
    listing = add_action(actions, "list", _list, text, "sudo tensormask alerts list", example)
    for each in (parser, listing):
        add_json(each, "one JSON document a line")
        # Without a default, or the action's would undo what was given before it.
        each.add_argument(
            "--all",
            action="store_true",
            default=argparse.SUPPRESS,
            help="acknowledged ones, too",
        )
        each.add_argument(
            "--days",
            type=lambda text: whole(text, 1, MOST_DAYS),
            default=argparse.SUPPRESS,
            help=f"how far back; default {DAYS}",
        )
    parser.set_defaults(all=False, days=DAYS)
    add_configs(actions)


def _list(options: argparse.Namespace) -> int:
    path, now = history_of(options.config), SYSTEM_CLOCK.utc()
    with FreshReader(path, waiting_in(options.config)) as reader:
        found = list(listed(reader, now - timedelta(days=options.days), now + _FUTURE))
    shown = [each for each in found if options.all or each.acknowledgement is None]
    calendar = calendar_in(options.config)
    for each in reversed(shown):
        say(json_text(each) if options.json else line(each, calendar))
    if options.json:
        return 0
    if shown:
        say_zone(calendar)
    else:
        what = "no alert" if options.all else "no open alert"
        say(f"{what} in the last {duration(86_400 * options.days)}")
    return 0


def listed(reader: HistoryReader, begin: datetime, end: datetime) -> Iterator[AlertListed]:
    """Yield the alerts that were confirmed in a period, the oldest first. Raises HistoryError."""
    last = {each.event_id: each for each in reader.acknowledgements(begin, end)}
    for alert in reader.alerts(begin, end):
        yield AlertListed(alert, last.get(alert.event_id))


def line(each: AlertListed, calendar: Calendar) -> str:
    """Return it for eyes, with the times of the calendar."""
    alert, said = each.alert, each.acknowledgement
    place = ", ".join(filter(None, (alert.place.camera, alert.place.zone)))
    about = f"{_KINDS[alert.kind]} for {duration(alert.duration_s)}{f', {place}' if place else ''}"
    at = f"{calendar.local(alert.confirmed_at):%Y-%m-%d %H:%M:%S}"
    became = "open" if said is None else _in_words(said, calendar)
    return f"{at}  {alert.event_id}  {about}; {became}"


def _in_words(said: AlertAcknowledgement, calendar: Calendar) -> str:
    by = f" by {said.by}" if said.by else ""
    note = f": {said.note}" if said.note else ""
    return f"{said.reason}, {said.remedy}, {calendar.local(said.at):%Y-%m-%d %H:%M}{by}{note}"


def waiting_in(config: Path) -> Path | None:
    """Return where there is what the service has not written yet: of the installed one."""
    return DIRECTORY if config == DEFAULT_PATH else None


def history_of(config: Path) -> Path:
    """Return the history's file. Raises NotAllowedError, and HistoryError where there is none."""
    path = load_settings(config).outbox.file.with_name(FILE)
    HistoryReader(path).close()
    return path
