"""`tensormask outbox`: what waits for the broker, and what it has rejected.

A service that runs has its outbox locked, so what is shown is a copy of the file, as a power cut
would leave it; only a service that is stopped lets anything be dropped.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from edge.clock import SYSTEM_CLOCK
from edge.commands.confirm import answers_yes
from edge.commands.options import add_config, add_configs, add_json
from edge.commands.output import json_text
from edge.commands.parser import Parser, add_action
from edge.config import DEFAULT_PATH, load_settings
from edge.errors import NotAllowedError, OutboxError
from edge.files import DamagedFileError, decoded
from edge.host.status_file import read_telemetry
from edge.publish.outbox.disk import drop
from edge.publish.outbox.file import LOG, read_all
from edge.publish.outbox.rows import Refused
from edge.publish.outbox.trouble import DamagedError
from edge.words import count

# ruff: noqa: T201 - a command's output

_NAMED = 10
"""How many runs of numbers fit a message."""
_ATTEMPTS = 10
"""To copy file and log between two writes of the service."""


class OutboxEntry(msgspec.Struct, frozen=True):
    """One document, for people and programs."""

    sequence: int
    accepted_at: datetime
    topic: str
    bytes: int
    refused: str | None
    """Why the broker does not take it; None: it waits."""
    document: Any = None
    """Its payload where that is asked for: JSON as it is, anything else in base64."""


def add_arguments(parser: Parser) -> None:
    parser.runs(_list, "sudo tensormask outbox")
    add_config(parser)
    add_json(parser, "one JSON document a line")
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    text = (
        "Queued messages, and those that the broker has rejected and why. After a crash, messages "
        "that it had acknowledged in the ten minutes before are queued again, and sent again."
    )
    example = "sudo tensormask outbox list --json"
    listing = add_action(actions, "list", _list, text, example)
    add_json(listing, "one JSON document a line")
    text = "The same with the payloads, as JSON lines."
    add_action(actions, "export", _export, text, "sudo tensormask outbox export >messages.jsonl")
    text = "Drop messages for good; the service has to be stopped."
    dropping = add_action(
        actions,
        "drop",
        _drop,
        text,
        "sudo tensormask outbox drop --refused",
        "sudo tensormask outbox drop 4711 4712 --yes",
    )
    which = dropping.add_mutually_exclusive_group(required=True)
    which.add_argument("sequence", nargs="*", type=int, default=[], metavar="SEQUENCE")
    which.add_argument("--topic", help="all messages of this topic")
    which.add_argument("--refused", action="store_true", help="all that the broker has rejected")
    which.add_argument("--all", action="store_true", help="all, queued or rejected")
    dropping.add_argument("--yes", action="store_true", help="do not ask")
    add_configs(actions)


def _list(options: argparse.Namespace) -> int:
    now, file, is_empty = SYSTEM_CLOCK.utc(), load_settings(options.config).outbox.file, True
    for entry in entries(file, _delivered(options)):
        print(json_text(entry) if options.json else line(entry, now))
        is_empty = False
    if is_empty and not options.json:
        print(f"{file}: no messages are queued, and none was rejected")
    return 0


def _delivered(options: argparse.Namespace) -> tuple[int, ...]:
    """Return what the service that runs with these settings has delivered of its outbox."""
    telemetry = read_telemetry() if options.config == DEFAULT_PATH else None
    return () if telemetry is None else telemetry.outbox.delivered


def _export(options: argparse.Namespace) -> int:
    file = load_settings(options.config).outbox.file
    for entry in entries(file, _delivered(options), with_payload=True):
        print(json_text(entry))
    return 0


def _drop(options: argparse.Namespace) -> int:
    def is_wanted(entry: OutboxEntry) -> bool:
        return (
            options.all
            or (options.refused and entry.refused is not None)
            or entry.topic == options.topic
        )

    def agrees(number: int) -> bool:
        return options.yes or answers_yes(f"drop {count(number, 'message')} for good?")

    file = load_settings(options.config).outbox.file
    number = dropped(file, is_wanted, agrees, options.sequence, _delivered(options))
    print(f"{count(number, 'message')} dropped")
    return 0


def entries(
    path: Path, delivered: Collection[int] = (), *, with_payload: bool = False
) -> Iterator[OutboxEntry]:
    """Give what waits, then what was refused; nothing where there is no outbox yet.

    What was `delivered`, as the running service says, is in the file for a while, and left out.
    Raises OutboxError where it cannot be read.
    """
    if not path.exists():
        return
    with _copy_of(path) as copy, _plainly(path):
        for each in read_all(copy):
            document, reason = (
                (each.document, each.reason) if isinstance(each, Refused) else (each, None)
            )
            if reason is None and document.sequence in delivered:
                continue
            yield OutboxEntry(
                document.sequence,
                document.accepted.at,
                document.topic,
                len(document.payload),
                reason,
                readable(document.payload) if with_payload else None,
            )


def line(entry: OutboxEntry, now: datetime) -> str:
    """Return the entry for people."""
    age_s = max(0.0, (now - entry.accepted_at).total_seconds())
    state = "queued" if entry.refused is None else f"rejected: {entry.refused}"
    return f"{entry.sequence:>8}  {_age(age_s):>6}  {entry.bytes:>7} B  {entry.topic}  {state}"


def dropped(
    path: Path,
    wanted: Callable[[OutboxEntry], bool],
    agrees: Callable[[int], bool],
    sequences: Collection[int] = (),
    delivered: Collection[int] = (),
) -> int:
    """Drop the documents that are `wanted` or have one of these `sequences`; return their number.

    None where nobody `agrees` to that number. What was `delivered` goes along and is not counted:
    `entries` leaves it out. Raises OutboxError where a service has the outbox open, it cannot be
    written, or there is no message of a sequence: then nothing is dropped.
    """
    there = list(entries(path))
    listed = [each for each in there if each.sequence not in delivered]
    _refuse_absent(path, {*sequences} - {entry.sequence for entry in listed}, listed)
    chosen = [each.sequence for each in there if each.sequence in sequences or wanted(each)]
    number = len({*chosen} - {*delivered})
    if not number or not agrees(number):
        return 0
    with _plainly(path):
        _delete(path, chosen)
    return number


def _refuse_absent(path: Path, absent: Collection[int], there: Sequence[OutboxEntry]) -> None:
    if absent:
        raise OutboxError(
            f"{path}: there is no message {', '.join(map(str, sorted(absent)))}; "
            f"there {_numbers([each.sequence for each in there])}; see: sudo tensormask outbox list"
        )


def _numbers(sequences: list[int]) -> str:
    """Return what there is: `is 7`, `are 7 to 9, 12`; of many the first ones."""
    runs: list[list[int]] = []
    for sequence in sorted(sequences):
        if runs and sequence == runs[-1][-1] + 1:
            runs[-1][1:] = [sequence]
        else:
            runs.append([sequence])
    named = [" to ".join(map(str, run)) for run in runs[:_NAMED]]
    more = ", …" if len(runs) > _NAMED else ""
    return f"{'is' if len(sequences) == 1 else 'are'} {', '.join(named) or 'none'}{more}"


def _delete(path: Path, sequences: Collection[int]) -> None:
    owner = path.stat()
    drop(path, sequences)
    for file in _files(path):
        os.chown(file, owner.st_uid, owner.st_gid)


@contextmanager
def _copy_of(path: Path) -> Iterator[Path]:
    """Give a copy with its log; the writer of the original does not notice."""
    with tempfile.TemporaryDirectory(prefix="tensormask-outbox-") as folder, _plainly(path):
        copy = Path(folder, path.name)
        for _ in range(_ATTEMPTS):
            before = _stamps(path)
            for file in _files(path):
                shutil.copyfile(file, Path(folder, file.name))
            if _stamps(path) == before:
                break
        yield copy


def _files(path: Path) -> list[Path]:
    """Return the outbox's file and, where there is one, its log."""
    return [file for file in (path, path.with_name(path.name + LOG)) if file.exists()]


def _stamps(path: Path) -> list[tuple[int, int]]:
    return [(file.stat().st_mtime_ns, file.stat().st_size) for file in _files(path)]


@contextmanager
def _plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise NotAllowedError(f"{path}: {error.strerror}") from error
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            raise OutboxError(f"{path}: {error}") from error
        raise OutboxError(
            f"{path}: the service has it open; stop the service first: sudo systemctl stop "
            "tensormask"
        ) from error
    except DamagedError as error:
        raise OutboxError(f"{path}: {error}; start the service, which quarantines it") from error
    except (OSError, sqlite3.Error) as error:
        raise OutboxError(f"{path}: {error}; try again, or stop the service first") from error


def readable(payload: bytes) -> Any:
    """Return a payload as a document holds it: JSON as it is, anything else in base64."""
    try:
        return decoded(payload, object)
    except DamagedFileError:
        return base64.b64encode(payload).decode()


def _age(age_s: float) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60)):
        if age_s >= seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{age_s:.0f} s"
