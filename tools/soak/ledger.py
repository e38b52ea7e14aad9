"""Comparing what the device accepted with what a subscriber received. Pure.

There are two witnesses of what was accepted. The device's log has a line for each message, written
once that is on disk. And whenever the device has been killed, the outbox's file shows the messages
that were queued, byte for byte, among them the one that was written but not logged any more.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import msgspec

from edge.publish.messages import ViolationMessage
from edge.publish.outbox.sequence import is_counted

_LINE = re.compile(
    r"violation (?P<state>confirmed|ended): .*message (?P<sequence>\d+) of event "
    r"(?P<event_id>[0-9a-f-]+)(?P<in_memory>, in memory)?"
    r"|(?P<refusal>make room or repair the disk)"
    r"|(?P<start>INFO +tensormask \S+, )"
    r"|(?P<reopened>the outbox is on disk again)"
    r"|(?P<cut_off>its last write was cut off)"
)


_A_RUN = 10**6
"""Unrecorded numbers that are closer are of one run of the program."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What identifies a message."""

    sequence: int
    event_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a device's log says."""

    accepted: tuple[Accepted, ...]
    """On disk."""
    in_memory: frozenset[int] = frozenset()
    """Sequences of messages that the disk refused: sent from memory, and gone with a kill."""
    after_refusal: frozenset[int] = frozenset()
    """Counted ones before which the disk had refused, or was cut off while it was written to: there
    the sequence may skip."""
    overtaking: Mapping[int, int] = field(default_factory=dict)
    """Sent from memory while the outbox could not be opened, since the start of a run, and the
    number of that run: what earlier runs have left in it comes after them."""


@dataclass(frozen=True, slots=True)
class Findings:
    """How the two compare. Each line of `problems` is a broken promise."""

    accepted: int
    received: int
    repeats: int
    compared: int
    """Messages that arrived with exactly the bytes that were seen on the device's disk."""
    from_memory: int
    """Received although the disk had refused them."""
    unlogged: int
    """Received although no witness knows them: the process was killed before it could say so."""
    skipped: int
    """Sequences that were given up when the disk had refused."""
    unrecorded: int
    """Received with a number that no disk knows of."""
    problems: tuple[str, ...]


def said_in(log: str) -> Said:
    """Return what a device's log says was accepted."""
    accepted: list[Accepted] = []
    in_memory: set[int] = set()
    after_refusal: set[int] = set()
    overtaking: dict[int, int] = {}
    runs = 0
    is_refused = has_begun = is_unopened = False
    for line in _LINE.finditer(log):
        if line["start"]:
            has_begun, is_unopened = False, False
            runs += 1
        elif line["reopened"]:
            is_unopened = False
        elif line["cut_off"]:
            is_refused = True
        elif line["refusal"]:
            is_unopened = not has_begun
            is_refused = has_begun = True
        elif line["in_memory"]:
            in_memory.add(int(line["sequence"]))
            if is_unopened:
                overtaking[int(line["sequence"])] = runs
            is_refused = has_begun = True
        else:
            sequence = int(line["sequence"])
            accepted.append(Accepted(sequence, line["event_id"], line["state"]))
            has_begun = True
            if is_counted(sequence):
                if is_refused:
                    after_refusal.add(sequence)
                is_refused = False
    return Said(tuple(accepted), frozenset(in_memory), frozenset(after_refusal), overtaking)


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


def compare(said: Said, on_disk: Mapping[int, bytes], received: Sequence[bytes]) -> Findings:
    """Compare the witnesses with the payloads, in the order in which they were received."""
    problems: list[str] = []
    known: dict[int, Accepted] = {}
    for each in [*said.accepted, *map(_identity, on_disk.values())]:
        if known.setdefault(each.sequence, each) != each:
            problems.append(f"document {each.sequence} was accepted twice, for different events")
    first: dict[int, bytes] = {}
    events: dict[tuple[str, str], int] = {}
    newest = newest_unrecorded = compared = 0
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
        earlier = events.setdefault((document.event_id, document.state), sequence)
        if earlier != sequence:
            # What the disk refused may be found there after a kill, and be sent again.
            if {earlier, sequence}.isdisjoint(said.in_memory):
                problems.append(f"repeated: document {sequence} reports the same as {earlier}")
        elif not is_counted(sequence):
            if 0 < newest_unrecorded - sequence < _A_RUN:
                problems.append(f"reordered: document {sequence} came after {newest_unrecorded}")
            newest_unrecorded = sequence
        elif sequence < newest:
            # What an earlier run sent from memory may have reached the disk before that ended.
            waited = sequence in known or sequence in said.in_memory
            overtaken = said.overtaking.get(newest, 0) > said.overtaking.get(sequence, 0)
            if not (waited and overtaken):
                problems.append(f"reordered: document {sequence} came after {newest}")
        else:
            newest = sequence
        if known.get(sequence, document) != document:
            problems.append(f"altered: document {sequence} is not the one that was accepted")
        if sequence in on_disk:
            compared += 1
            if on_disk[sequence] != payload:
                problems.append(f"altered: document {sequence} was other bytes on the disk")
    problems += [f"lost: document {sequence}" for sequence in sorted(known.keys() - first.keys())]
    skipped = 0
    oldest = min(filter(is_counted, first), default=1)
    for sequence in set(range(oldest, newest)) - first.keys() - known.keys():
        following = min((n for n in known.keys() | said.in_memory if n > sequence), default=0)
        if {sequence, following} & said.in_memory or following in said.after_refusal:
            skipped += 1
        else:
            problems.append(f"gap: the log does not mention document {sequence}")
    unknown = first.keys() - known.keys()
    from_memory = len(unknown & said.in_memory)
    return Findings(
        accepted=len(known),
        received=len(first),
        repeats=len(received) - len(first),
        compared=compared,
        from_memory=from_memory,
        unlogged=len(unknown) - from_memory,
        skipped=skipped,
        unrecorded=sum(not is_counted(sequence) for sequence in first),
        problems=tuple(problems),
    )


def left_open(said: Said, received: Sequence[bytes]) -> list[str]:
    """Return a broken promise for each event that was confirmed on disk, and never ended."""
    documents = [_identity(payload) for payload in received]
    ended = {each.event_id for each in documents if each.state == "ended"}
    return [
        f"open: event {each.event_id} of document {each.sequence} never ended"
        for each in said.accepted
        if each.state == "confirmed" and each.event_id not in ended
    ]


def _identity(payload: bytes) -> Accepted:
    message = msgspec.json.decode(payload, type=ViolationMessage)
    return Accepted(message.sequence, message.event_id, message.state)
