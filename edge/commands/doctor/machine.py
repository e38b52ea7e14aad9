"""The machine below the service: power, heat, memory, clock and disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.clock import clock_synchronised
from edge.commands.doctor.finding import Finding, well, wrong
from edge.commands.doctor.host import Host
from edge.conditions import Code
from edge.telemetry import ThrottlingFlag, Vitals

HOT_C, WARM_C = 80.0, 70.0
LITTLE_MEMORY_BYTES = 100_000_000
NOT_MEASURED = "this machine does not measure it"
FULL_BYTES, NEARLY_FULL_BYTES = 50_000_000, 300_000_000
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock of a box that runs this is right before."""
_NOW = {
    ThrottlingFlag.UNDER_VOLTAGE: "the power supply is too weak now",
    ThrottlingFlag.THROTTLED: "the processor is throttled now",
    ThrottlingFlag.FREQUENCY_CAPPED: "the processor is slowed down now",
}


def power(vitals: Vitals) -> Iterator[Finding]:
    if vitals.throttling is None:
        yield wrong("power", Code.UNKNOWN, why=NOT_MEASURED)
        return
    now = [text for flag, text in _NOW.items() if flag in vitals.throttling]
    if now:
        yield wrong("power", Code.POWER_TOO_WEAK, why="; ".join(now))
    elif ThrottlingFlag.UNDER_VOLTAGE_OCCURRED in vitals.throttling:
        yield wrong("power", Code.UNDER_VOLTAGE)
    else:
        yield well("power", "enough")


def heat(vitals: Vitals) -> Iterator[Finding]:
    degrees = vitals.temperature_c
    if degrees is None:
        yield wrong("heat", Code.UNKNOWN, why=NOT_MEASURED)
    elif degrees >= WARM_C:
        code = Code.OVERHEATED if degrees >= HOT_C else Code.WARM
        yield wrong("heat", code, degrees=f"{degrees:.0f}")
    else:
        yield well("heat", f"{degrees:.0f} C")


def memory(host: Host, vitals: Vitals) -> Iterator[Finding]:
    available = vitals.available_bytes
    if available is not None and available < LITTLE_MEMORY_BYTES:
        yield wrong("memory", Code.LITTLE_MEMORY, mb=f"{available / 1e6:.0f}")
    elif available is not None:
        yield well("memory", f"{available / 1e6:.0f} MB available")
    controllers = host.read("/sys/fs/cgroup/cgroup.controllers")
    if controllers and "memory" not in controllers.split():
        yield wrong("memory", Code.MEMORY_UNLIMITED)


def clock(now: datetime, is_right: bool | None = None) -> Iterator[Finding]:
    right = clock_synchronised() if is_right is None else is_right
    if now < BUILT:
        yield wrong("clock", Code.CLOCK_WRONG, date=f"{now:%Y-%m-%d}")
    elif not right:
        yield wrong("clock", Code.CLOCK_UNSYNCHRONISED)
    else:
        yield well("clock", "follows a time server")


def disk(folder: Path) -> Iterator[Finding]:
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        yield wrong("disk", Code.DISK_READ_ONLY, folder=there)
    elif free < NEARLY_FULL_BYTES:
        code = Code.DISK_FULL if free < FULL_BYTES else Code.DISK_NEARLY_FULL
        yield wrong("disk", code, mb=f"{free / 1e6:.0f}", folder=there)
    elif found.f_favail == 0 and found.f_files:
        yield wrong("disk", Code.DISK_WITHOUT_INODES, folder=there)
    else:
        yield well("disk", f"{free / 1e9:.1f} GB free")
