"""Comparing what the device accepted with what a subscriber received. Pure.

There are two witnesses of what was accepted. The device's log has a line for each document, written
once that is on disk. And whenever the device has been killed, the outbox's file shows the documents
that waited, byte for byte, among them the one that was written but not logged any more.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import msgspec

from edge.messages import ViolationMessage

_ACCEPTED = re.compile(
    r"violation (?P<state>confirmed|ended): .*document (?P<sequence>\d+) of event (?P<event_id>\S+)"
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What identifies a document."""

    sequence: int
    event_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Findings:
    """How the two compare. Each line of `problems` is a broken promise."""

    accepted: int
    received: int
    repeats: int
    compared: int
    """Documents that arrived with exactly the bytes that were seen on the device's disk."""
    unlogged: int
    """Received although no witness knows them: the process was killed before it could say so."""
    problems: tuple[str, ...]


def accepted_lines(log: str) -> list[Accepted]:
    """Return what a device's log says was accepted."""
    return [
        Accepted(int(line["sequence"]), line["event_id"], line["state"])
        for line in _ACCEPTED.finditer(log)
    ]


def waiting_documents(outbox: Path) -> dict[int, bytes]:
    """Return the payloads in the outbox of a process that has ended, by sequence.

    From a copy, so that the file's next reader finds it as the process left it.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder, "copy.sqlite")
        for suffix in ("", "-wal"):
            original = outbox.with_name(outbox.name + suffix)
            if original.exists():
                copyfile(original, copy.with_name(copy.name + suffix))
        with closing(sqlite3.connect(copy)) as database:
            tables = database.execute("SELECT name FROM sqlite_schema").fetchall()
            if ("documents",) not in tables:
                return {}
            return dict(database.execute("SELECT sequence, payload FROM documents"))


def compare(
    accepted: Iterable[Accepted], on_disk: Mapping[int, bytes], received: Sequence[bytes]
) -> Findings:
    """Hold the witnesses against the payloads in the order in which they were received."""
    problems: list[str] = []
    known: dict[int, Accepted] = {}
    for each in [*accepted, *map(_identity, on_disk.values())]:
        if known.setdefault(each.sequence, each) != each:
            problems.append(f"document {each.sequence} was accepted twice, for different events")
    first: dict[int, bytes] = {}
    events: dict[tuple[str, str], int] = {}
    unlogged = newest = compared = 0
    for payload in received:
        try:
            document = _identity(payload)
        except msgspec.DecodeError as error:
            problems.append(f"altered: what was received is no document: {error}")
            continue
        sequence = document.sequence
        if sequence in first:
            if payload != first[sequence]:
                problems.append(f"altered: document {sequence} came again with other bytes")
            continue
        first[sequence] = payload
        if sequence < newest:
            problems.append(f"reordered: document {sequence} came after {newest}")
        newest = max(newest, sequence)
        if events.setdefault((document.event_id, document.state), sequence) != sequence:
            problems.append(f"repeated: document {sequence} tells of the same as an earlier one")
        if sequence not in known:
            unlogged += 1
        elif known[sequence] != document:
            problems.append(f"altered: document {sequence} is not the one that was accepted")
        if sequence in on_disk:
            compared += 1
            if on_disk[sequence] != payload:
                problems.append(f"altered: document {sequence} was other bytes on the disk")
    problems += [f"lost: document {sequence}" for sequence in sorted(known.keys() - first.keys())]
    missing = set(range(1, newest)) - first.keys() - known.keys()
    problems += [f"gap: nobody knows of document {sequence}" for sequence in sorted(missing)]
    return Findings(
        len(known), len(first), len(received) - len(first), compared, unlogged, tuple(problems)
    )


def _identity(payload: bytes) -> Accepted:
    message = msgspec.json.decode(payload, type=ViolationMessage)
    return Accepted(message.sequence, message.event_id, message.state)
