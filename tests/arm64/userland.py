"""Debian userlands of both releases that a Pi has, for arm64 and for this machine's processor."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.lock import TARGETS, Target
from tests.arm64.emulation import CPU

# ruff: noqa: T201 - it takes minutes

PACKAGES = (
    *("apt", "systemd", "systemd-sysv", "dbus", "mosquitto", "mosquitto-clients"),
    # What deploy/install.sh would get from apt.
    *("python3", "python3-venv", "python3-systemd"),
)
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}


@dataclass(frozen=True, slots=True)
class Userland:
    """A Debian release for a processor."""

    release: str
    architecture: str
    """As Debian calls it."""

    @property
    def target(self) -> Target:
        """What pip chooses wheels for."""
        machine = {"arm64": "aarch64", "amd64": "x86_64"}[self.architecture]
        wanted = (PYTHONS[self.release], machine)
        return next(each for each in TARGETS if (each.python, each.machine) == wanted)

    def made(self, folder: Path, within: list[str]) -> Path:
        """Return its root, made in `folder` once."""
        root = (folder / f"{self.release}-{self.architecture}").resolve()
        if not root.exists():
            print(f"making a userland of {self.release} for {self.architecture}", file=sys.stderr)
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [
                    *(
                        *within,
                        "unshare",
                        "--mount",
                        "--pid",
                        "--fork",
                        "--kill-child",
                        "--mount-proc",
                    ),
                    *("env", f"QEMU_CPU={CPU}", Path(__file__).with_suffix(".sh")),
                    *(root, self.architecture, self.release, ",".join(PACKAGES)),
                ],
                check=True,
            )
        return root
