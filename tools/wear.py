# ruff: noqa: T201 - a command line module
"""What a day of violations writes to the card: `make wear`.

The outbox gets two messages for each violation, and the broker gets each at once. The history gets
five times as many visits over twelve hours, and time and retention over all of them. As root they
lie on an ext4 of its own in a loop device, whose counter of written sectors is read, and after each
message and batch all is written back, journal and inodes, as the kernel does within half a minute.
"""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.decide.identity import EventIds
from edge.history.gathering import Gathering
from edge.history.keeper import REBUILT_DAYS, HistoryKeeper
from edge.history.recording import FORGET_EVERY_S, WRITE_EVERY_S
from edge.history.records import (
    SIZES_PX,
    Alert,
    People,
    Place,
    WatchedTime,
    WatchState,
    minute_of,
)
from edge.history.store import FILE, HistoryBatch
from edge.publish.messages import VIOLATION, encode, topic, violation_message
from edge.publish.outbox.outbox import Outbox
from edge.publish.outbox.unended import Unended
from edge.records import Verdict, ViolationKind, ViolationState
from tests.broker.samples import ORIGIN, a_violation

SECTOR_BYTES = 512


def main(violations: int) -> None:
    for name, measured in (("outbox", outbox_day), ("history", history_day)):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            device = stack.enter_context(card(folder)) if os.geteuid() == 0 else None
            day = measured(folder, violations)
            print(next(day))
            write_back(folder)
            asked, written = bytes_asked(), bytes_written(device)
            for _ in day:
                write_back(folder)
            print(f"{name}, by the program  {(bytes_asked() - asked) / 1e6:6.1f} MB")
            if device is not None:
                print(f"{name}, to the card     {(bytes_written(device) - written) / 1e6:6.1f} MB")


def outbox_day(folder: Path, violations: int) -> Iterator[str]:
    """Say what is done, then do it, message by message."""
    outbox = Outbox(folder / "outbox.sqlite")
    yield f"{violations} violations, {2 * violations} messages"
    for number in range(violations):
        for state in ViolationState:
            report(outbox, number, state)
            yield ""
    outbox.close()


def history_day(folder: Path, violations: int) -> Iterator[str]:
    """The same of the history, batch by batch: its seventh day, of six that are kept."""
    keeper = HistoryKeeper(folder / FILE, 6)
    batches = round(86_400 / WRITE_EVERY_S)
    draw = random.Random(1)
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    for day in range(6):
        for number in range(0, batches, 12):  # fewer transactions, and the same rows
            rows = Gathering("", 0)
            for each in range(12):
                at = begin + timedelta(days=day, seconds=(number + each) * WRITE_EVERY_S)
                rows.add(history_batch(at, violations, draw))
            keeper.write(rows.batch())
    keeper.forget(begin + timedelta(days=6), clock_is_right=True, for_s=0)  # rebuilds it
    size = (folder / FILE).stat().st_size / 6 / 1e6
    # Log and file are written; see `edge.history.keeper.REBUILT_DAYS`.
    rebuilds = 2 * 400 * size / REBUILT_DAYS[1]
    yield (
        f"{5 * violations} visits, {batches} batches; a day has {size:.2f} MB; rebuilding 400 of "
        f"them from time to time is {rebuilds:.1f} MB a day, beside:"
    )
    for number in range(batches):
        at = begin + timedelta(days=6, seconds=number * WRITE_EVERY_S)
        keeper.write(history_batch(at, violations, draw))
        if number % round(FORGET_EVERY_S / WRITE_EVERY_S) == 0:
            keeper.forget(at, clock_is_right=True, for_s=FORGET_EVERY_S)
        yield ""
    keeper.close()


def history_batch(begin: datetime, violations: int, draw: random.Random) -> HistoryBatch:
    """Return what some minutes of a door bring: people from 7 to 19 o'clock."""
    rows = Gathering("", 0)
    minutes = [minute_of(begin) + n for n in range(round(WRITE_EVERY_S / 60))]
    for minute in minutes:
        rows.add(HistoryBatch(watched=[WatchedTime(minute, "", WatchState.WATCHED, 60.0, True)]))
    if 7 <= begin.hour < 19:
        alerts = violations * WRITE_EVERY_S / 43_200
        for _ in range(int(5 * alerts + draw.random())):
            verdict = draw.choices([Verdict.MASKED, Verdict.BARE, Verdict.UNKNOWN], [8, 1, 1])[0]
            size_px = draw.choice(SIZES_PX[2:7])
            person = People(draw.choice(minutes), Place(), verdict, size_px, True, 1)
            rows.add(HistoryBatch([person]))
        for _ in range(int(alerts + draw.random())):
            at = begin + timedelta(seconds=draw.random() * WRITE_EVERY_S)
            name = EventIds()(at)
            over = at + timedelta(seconds=9)
            alert = Alert(name, Place(), ViolationKind.BARE, at, at, over, 9.0, 0.95)
            rows.add(HistoryBatch(alerts=[alert]))
    return rows.batch()


def report(outbox: Outbox, number: int, state: ViolationState) -> int:
    """Accept a message as the device does, have it delivered, and return its size."""
    violation = a_violation(number, state)
    name = topic("tensormask", ORIGIN.device_id, VIOLATION)
    begun = ended = None
    if state is ViolationState.CONFIRMED:
        end = replace(violation, state=ViolationState.ENDED, ended_at=violation.confirmed_at)
        payload = encode(violation_message(ORIGIN, end, 1, True, interrupted=True))
        begun = Unended(violation.event_id, name, payload)
    else:
        ended = violation.event_id
    outbox.append(
        name,
        lambda sequence: encode(violation_message(ORIGIN, violation, sequence, True)),
        begins=begun,
        ends=ended,
    )
    (document,) = outbox.pending(20)
    outbox.acknowledge([document.sequence])
    return len(document.payload)


@contextmanager
def card(folder: Path) -> Iterator[Path]:
    """Mount a new ext4 on `folder`; give its device."""
    with tempfile.NamedTemporaryFile() as image:
        image.truncate(128 << 20)
        # All at once: what the kernel would make ready later is none of our writing.
        lazy = "lazy_itable_init=0,lazy_journal_init=0"
        subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-E", lazy, image.name], check=True)
        found = subprocess.run(
            ["losetup", "--find", "--show", image.name], check=True, capture_output=True, text=True
        )
        device = Path(found.stdout.strip())
        try:
            subprocess.run(["mount", device, folder], check=True)
            try:
                yield device
            finally:
                subprocess.run(["umount", folder], check=True)
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)


def write_back(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    ctypes.CDLL(None).syncfs(descriptor)
    os.close(descriptor)


def bytes_asked() -> int:
    """Return what this process has had written, in whole pages of memory."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def bytes_written(device: Path | None) -> int:
    if device is None:
        return 0
    counters = Path(f"/sys/block/{device.name}/stat").read_text().split()
    return SECTOR_BYTES * int(counters[6])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
