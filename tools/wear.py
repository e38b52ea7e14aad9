# ruff: noqa: T201 - a command line module
"""What a day of violations writes to the card: `make wear`.

The outbox gets two messages for each violation, and the broker gets each at once. As root it lies
on an ext4 of its own in a loop device, whose counter of written sectors is read, and after each
message all is written back, journal and inodes, as the kernel does within half a minute.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from edge.publish.messages import VIOLATION, encode, topic, violation_message
from edge.publish.outbox.outbox import Outbox
from edge.publish.outbox.unended import Unended
from edge.records import ViolationState
from tests.broker.samples import ORIGIN, a_violation

SECTOR_BYTES = 512


def main(violations: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        device = stack.enter_context(card(folder)) if os.geteuid() == 0 else None
        outbox = Outbox(folder / "outbox.sqlite")
        stack.callback(outbox.close)
        write_back(folder)
        asked, written = bytes_asked(), bytes_written(device)
        size = 0
        for number in range(violations):
            for state in ViolationState:
                size += report(outbox, number, state)
                write_back(folder)
        print(f"{violations} violations, {2 * violations} documents, {size / 1e6:.1f} MB payload")
        print(f"written by the program   {(bytes_asked() - asked) / 1e6:6.1f} MB")
        if device is not None:
            print(f"written to the card      {(bytes_written(device) - written) / 1e6:6.1f} MB")


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
