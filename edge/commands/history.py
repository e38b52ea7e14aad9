"""`tensormask history`: what the box keeps, and deleting it."""

from __future__ import annotations

import argparse
import syslog
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path

from edge.clock import SYSTEM_CLOCK
from edge.commands.acknowledge import who
from edge.commands.confirm import answers_yes
from edge.commands.kept import KeptItem, kept
from edge.commands.options import add_config, add_configs, add_json
from edge.commands.output import json_text, say
from edge.commands.parser import Parser, add_action
from edge.commands.times import say_zone
from edge.config import DEFAULT_PATH, load_settings
from edge.errors import NotAllowedError
from edge.history.database import files_of, leave_to_the_service
from edge.history.keeper import quarantined_files
from edge.history.records import Entry, EntryKind, at_minute
from edge.history.store import FILE, HistoryBatch, HistoryError, HistoryReader, HistoryWriter
from edge.host.status_file import DIRECTORY, read_telemetry
from edge.report.calendar import Calendar, calendar_of
from edge.words import size

_STOP = "stop the service first: sudo systemctl stop tensormask"


def add_arguments(parser: Parser) -> None:
    parser.runs(_list, "sudo tensormask history", "sudo tensormask history --json")
    add_config(parser)
    add_json(parser, "one JSON document a line")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    text = (
        "Every file and table that the box keeps: what is in it, how long it stays, and how much "
        "of it there is now."
    )
    listing = add_action(actions, "list", _list, text, "sudo tensormask history list --json")
    add_json(listing, "one JSON document a line")
    text = (
        "Delete what was recorded for good, also from the bytes of the file; the service has to be "
        "stopped. Who did it, and up to when, stays: in the history, its reports and the system's "
        "log. Messages in the outbox stay, too: tensormask outbox drop."
    )
    purging = add_action(
        actions,
        "purge",
        _purge,
        text,
        "sudo tensormask history purge --before 2026-03-01",
        "sudo tensormask history purge --all --yes",
    )
    which = purging.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--before",
        type=_day,
        help="all that is older than this day, in the time zone of [calendar]",
        metavar="DATE",
    )
    which.add_argument(
        "--all", action="store_true", help="all of it, the setting of the mask rule too"
    )
    purging.add_argument("--yes", action="store_true", help="do not ask")
    purging.set_defaults(by=None)  # who deletes is not for him to say
    add_configs(actions)


def _list(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    memory = DIRECTORY if options.config == DEFAULT_PATH else None  # of the installed service
    items = list(kept(settings, memory))
    if not items and not options.json:
        say(f"{settings.outbox.file.parent}: nothing is kept")
    calendar = calendar_of(settings.calendar)
    for item in items:
        say(json_text(item) if options.json else line(item, calendar))
    if not options.json and any(item.oldest is not None for item in items):
        say_zone(calendar)
    return 0


def line(item: KeptItem, calendar: Calendar) -> str:
    """Return it for eyes, with the times of the calendar."""
    name = f"{item.file}: {item.table}" if item.table else item.file
    parts = [] if item.bytes is None else [size(item.bytes)]
    if item.rows is not None:
        parts.append(f"{item.rows:,} rows" if item.rows != 1 else "1 row")
    if item.oldest is not None:
        parts.append(f"the oldest of {calendar.local(item.oldest):%Y-%m-%d %H:%M}")
    if item.problem:
        parts.append(item.problem)
    now = f"  now: {', '.join(parts)}" if parts else ""
    return f"{name}\n    {item.holds}\n    stays: {item.stays}{now}"


def _day(text: str) -> date:
    """Read a day. ArgumentTypeError, a line of argparse's own, otherwise."""
    with suppress(ValueError):
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    raise argparse.ArgumentTypeError(f"{text!r} is no day as 2026-03-01")


def _purge(options: argparse.Namespace) -> int:
    settings = load_settings(options.config)
    path, calendar = settings.outbox.file.with_name(FILE), calendar_of(settings.calendar)
    if options.config == DEFAULT_PATH and read_telemetry() is not None:
        raise HistoryError(f"{path}: the service has it open; {_STOP}")
    what = "all of it" if options.all else f"what is older than {options.before:%Y-%m-%d}"
    if not options.yes and not answers_yes(f"delete {what} in {path} for good?"):
        return 0
    now, by = SYSTEM_CLOCK.utc(), who(options)
    before = now if options.all else at_minute(calendar.minute(options.before))
    entry = Entry(now, EntryKind.DELETED, by, before.isoformat(timespec="milliseconds"))
    try:
        done = purge_all(path, entry) if options.all else purge_before(path, entry, calendar)
    except PermissionError as error:
        raise NotAllowedError(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror}") from error
    syslog.openlog("tensormask")
    syslog.syslog(syslog.LOG_NOTICE, f"history purge by {by}: {done}")
    say(done)
    return 0


def purge_all(path: Path, entry: Entry) -> str:
    """Delete the database and what was quarantined, and begin one that says so; return what was
    done. Raises OSError, HistoryError."""
    earlier: list[Entry] = []
    with suppress(HistoryError, NotAllowedError), HistoryReader(path) as reader:
        earlier = reader.entries(EntryKind.DELETED, entry.at)
    # Afterwards: a reader makes a log and an index, which are not for another file.
    there = [file for each in (path, *quarantined_files(path)) for file in files_of(each)]
    if not there:
        return "nothing was there"
    for file in there:
        file.unlink()
    path.touch(mode=0o600)
    with closing(HistoryWriter(path)) as writer:
        writer.write(HistoryBatch(journal=[*earlier, entry]))
        leave_to_the_service(path)
    return f"deleted: {', '.join(file.name for file in there)}"


def purge_before(path: Path, entry: Entry, calendar: Calendar) -> str:
    """Delete what is older than an entry says, which stays, and all that was quarantined; return
    what was done.

    Raises OSError, HistoryError, NotAllowedError.
    """
    for each in quarantined_files(path):  # nobody knows what is in it
        for file in files_of(each):
            file.unlink()
    if not path.exists():
        return "nothing was there"
    HistoryReader(path).close()  # of a newer release, or not for this user
    before = datetime.fromisoformat(entry.text)
    with closing(HistoryWriter(path)) as writer:
        writer.write(HistoryBatch(journal=[entry]))  # first: nothing is deleted without it
        writer.forget(before)
        left = writer.oldest
    since = "nothing is left"
    if left is not None:
        since = f"the oldest left is of {calendar.local(left):%Y-%m-%d %H:%M}"
    day = f"{calendar.local(before):%Y-%m-%d}"
    return f"deleted what is older than {day}; {since} ({calendar.zone_name})"
