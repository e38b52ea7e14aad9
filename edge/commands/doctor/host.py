"""The machine as the doctor sees it: files below a root, and what commands say."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Host:
    """This machine, or, with another root, what a test has laid out."""

    root: Path = Path("/")

    def path(self, absolute: str | Path) -> Path:
        return self.root / str(absolute).lstrip("/")

    def read(self, absolute: str) -> str:
        """Return what the file says; nothing where it cannot be read."""
        try:
            return self.path(absolute).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    @property
    def has_systemd(self) -> bool:
        return self.path("/run/systemd/system").is_dir()

    def say(self, *command: str) -> str:
        """Return what a command says; nothing where there is no such command."""
        try:
            return subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
            ).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            return ""


def user_id(name: str) -> int | None:
    """Return the number of a user of this machine; None: there is none of that name."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def groups_of(name: str) -> set[str]:
    """Return the names of the groups that a user is in."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return set()
    names = set()
    for group in os.getgrouplist(name, user.pw_gid):
        try:
            names.add(grp.getgrgid(group).gr_name)
        except KeyError:
            continue
    return names


def shown(text: str) -> dict[str, str]:
    """Read `systemctl show`."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
