"""`tensormask acknowledge`: write down what was done about an alert."""

from __future__ import annotations

import argparse
import getpass
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from edge.clock import SYSTEM_CLOCK
from edge.commands.alerts import history_of, waiting_in
from edge.commands.options import add_config
from edge.commands.output import say
from edge.commands.parser import Parser
from edge.commands.times import calendar_in, say_zone
from edge.config import DEFAULT_PATH
from edge.errors import ConfigError, NotAllowedError
from edge.files import in_words
from edge.history.fresh import FreshReader
from edge.history.notary import acknowledge
from edge.history.records import MAX_NOTE, REASONS, REMEDIES
from edge.history.requests import MAX_NAME, Acknowledge
from edge.host.status_file import read_telemetry
from edge.records import EVENT_ID

Asked = TypeVar("Asked")
_RECENT = timedelta(days=1)
"""What the service has not written yet is minutes old."""
_SAME_TIME = timedelta(milliseconds=1)
"""Times in the file are whole milliseconds."""
NEWEST = "newest"
_EVENT = re.compile(EVENT_ID)


def add_arguments(parser: Parser) -> None:
    parser.runs(
        _acknowledge,
        "sudo tensormask acknowledge newest --reason forgotten --remedy mask-put-on",
        "sudo tensormask acknowledge 019ab11c-92d2-7f3a-8d1e-52c0b0a4e6d7 --reason exempt "
        '--remedy none --note "certificate shown"',
    )
    parser.add_argument(
        "event",
        type=_event,
        help=f"the id of an alert, see: tensormask alerts; {NEWEST}: the newest open one",
        metavar="EVENT",
    )
    parser.add_argument("--reason", choices=REASONS, required=True, help="why there was no mask")
    parser.add_argument("--remedy", choices=REMEDIES, required=True, help="what was done")
    parser.add_argument(
        "--note", default="", help=f"at most {MAX_NOTE} characters; no names", metavar="TEXT"
    )
    add_by(parser)
    add_config(parser)


def add_by(parser: argparse.ArgumentParser) -> None:
    """Take who says so; by default who is logged in, also behind sudo."""
    parser.add_argument(
        "--by", default=None, help="a name or a role; default: who is logged in", metavar="NAME"
    )


def who(options: argparse.Namespace) -> str:
    """Return who says so. Raises ConfigError for a name that is too long, or none."""
    if options.by is not None:
        by = str(options.by).strip()
    else:
        by = os.environ.get("SUDO_USER") or _login()
    if not 0 < len(by) <= MAX_NAME:
        raise ConfigError(f"--by: a name of 1 to {MAX_NAME} characters, on one line")
    return by


def refuse_unwritable(path: Path) -> None:
    """Raise NotAllowedError where this user may not write the history."""
    if not os.access(path, os.W_OK):
        raise NotAllowedError(f"{path}: Permission denied")


def checked(fields: dict[str, object], kind: type[Asked]) -> Asked:
    """Return a request with these fields. Raises ConfigError in one line."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        text, _, key = in_words(str(error)).partition(" - at `$.")
        if "regex" in text:
            text = "write one line of plain characters"
        raise ConfigError(f"--{key.rstrip('`')}: {text}") from None


def _event(text: str) -> str:
    if text == NEWEST or _EVENT.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no id of an alert; see: tensormask alerts")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user who is nobody
        return f"user {os.geteuid()}"


def _acknowledge(options: argparse.Namespace) -> int:
    path = history_of(options.config)
    refuse_unwritable(path)
    event_id = None if options.event == NEWEST else options.event
    asked = checked(
        {
            "type": "Acknowledge",
            "event_id": event_id,
            "reason": options.reason,
            "remedy": options.remedy,
            "note": options.note,
            "by": who(options),
        },
        Acknowledge,
    )
    now = SYSTEM_CLOCK.utc()
    with FreshReader(path, waiting_in(options.config)) as reader:
        recent = {
            each.event_id: each.confirmed_at for each in reader.alerts(now - _RECENT, now + _RECENT)
        }
    said = acknowledge(path, asked, now, recent)
    what = f"{said.event_id}: {said.reason}, {said.remedy}"
    if said.at < now - _SAME_TIME:
        by = f" by {said.by}" if said.by else ""
        calendar = calendar_in(options.config)
        at = f"{calendar.local(said.at):%Y-%m-%d %H:%M}"
        say(f"{what}; said already, {at}{by}: nothing was written")
        say_zone(calendar)
    else:
        say(f"{what}; written down; {_when_published(options.config)}")
    return 0


def _when_published(config: Path) -> str:
    if config != DEFAULT_PATH:  # which service writes this history is not known
        return "the service that writes this history publishes it within seconds while it runs"
    if read_telemetry() is not None:
        return "the service publishes it within seconds"
    return "published when the service runs: sudo systemctl start tensormask"
