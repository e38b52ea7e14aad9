"""The machine below the service: power, heat, memory, clock and disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.clock import clock_synchronised
from edge.commands.doctor.finding import Finding, Level
from edge.commands.doctor.host import Host
from edge.telemetry import ThrottlingFlag, Vitals

HOT_C, WARM_C = 80.0, 70.0
LITTLE_MEMORY_BYTES = 100_000_000
FULL_BYTES, NEARLY_FULL_BYTES = 50_000_000, 300_000_000
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock of a box that runs this is right before."""
_NOW = {
    ThrottlingFlag.UNDER_VOLTAGE: "the power supply is too weak now",
    ThrottlingFlag.THROTTLED: "the processor is throttled now",
    ThrottlingFlag.FREQUENCY_CAPPED: "the processor is held back now",
}


def power(vitals: Vitals) -> Iterator[Finding]:
    if vitals.throttling is None:
        yield Finding("power", Level.UNKNOWN, "this machine does not tell")
        return
    wrong = [text for flag, text in _NOW.items() if flag in vitals.throttling]
    if wrong:
        yield Finding(
            "power",
            Level.FAULT,
            "; ".join(wrong),
            "use the official power supply and a short cable; vcgencmd get_throttled",
        )
    elif ThrottlingFlag.UNDER_VOLTAGE_OCCURRED in vitals.throttling:
        yield Finding(
            "power",
            Level.HINT,
            "it was too weak since the last start",
            "use the official power supply and a short cable",
        )
    else:
        yield Finding("power", Level.OK, "enough")


def heat(vitals: Vitals) -> Iterator[Finding]:
    degrees = vitals.temperature_c
    if degrees is None:
        yield Finding("heat", Level.UNKNOWN, "this machine does not tell")
    elif degrees >= WARM_C:
        level = Level.FAULT if degrees >= HOT_C else Level.HINT
        cure = "give the box air, shade or a heat sink; from 75 C fewer frames are judged"
        yield Finding("heat", level, f"{degrees:.0f} C", cure)
    else:
        yield Finding("heat", Level.OK, f"{degrees:.0f} C")


def memory(host: Host, vitals: Vitals) -> Iterator[Finding]:
    available = vitals.available_bytes
    if available is not None and available < LITTLE_MEMORY_BYTES:
        yield Finding(
            "memory",
            Level.HINT,
            f"{available / 1e6:.0f} MB left",
            "see who takes it: ps -eo rss,comm --sort=-rss | head",
        )
    elif available is not None:
        yield Finding("memory", Level.OK, f"{available / 1e6:.0f} MB available")
    controllers = host.read("/sys/fs/cgroup/cgroup.controllers")
    if controllers and "memory" not in controllers.split():
        yield Finding(
            "memory",
            Level.HINT,
            "the kernel neither limits the service (MemoryMax=) nor keeps it out of swap",
            "add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt, and reboot",
        )


def clock(now: datetime, is_right: bool | None = None) -> Iterator[Finding]:
    right = clock_synchronised() if is_right is None else is_right
    if now < BUILT:
        yield Finding(
            "clock",
            Level.FAULT,
            f"it says {now:%Y-%m-%d}: certificates and times are wrong",
            "connect a network with a time server; timedatectl; sudo timedatectl set-ntp true",
        )
    elif not right:
        yield Finding(
            "clock",
            Level.HINT,
            "not set from the network: documents say so (clock_synchronised)",
            "timedatectl; sudo timedatectl set-ntp true",
        )
    else:
        yield Finding("clock", Level.OK, "follows a time server")


def disk(folder: Path) -> Iterator[Finding]:
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        yield Finding(
            "disk",
            Level.FAULT,
            f"{there} is read-only: what waits for the broker is in memory only",
            "dmesg | grep -i mmc; sudo mount -o remount,rw /; if it comes again, another card",
        )
    elif free < NEARLY_FULL_BYTES:
        yield Finding(
            "disk",
            Level.FAULT if free < FULL_BYTES else Level.HINT,
            f"{free / 1e6:.0f} MB left at {there}",
            "sudo apt-get clean; sudo journalctl --vacuum-size=100M; df -h",
        )
    elif found.f_favail == 0 and found.f_files:
        yield Finding("disk", Level.FAULT, f"no more files fit at {there}", "df -i")
    else:
        yield Finding("disk", Level.OK, f"{free / 1e9:.1f} GB free")
