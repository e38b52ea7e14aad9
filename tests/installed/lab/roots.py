"""Debian as a box has it: this machine's own, or a release laid out by mmdebstrap, once."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.lock import TARGETS, Target
from tests.arm64.userland import PYTHONS
from tests.needs import lacking

# ruff: noqa: T201 - it takes a minute

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "sudo", "procps", "iproute2"),
    # What deploy/install.sh would get from apt: there is no way to a mirror in a booted machine.
    *("python3", "python3-venv", "python3-systemd"),
    # What the documents have people install beside it.
    *("mosquitto", "mosquitto-clients", "git", "ca-certificates", "man-db", "bash-completion"),
)
HERE = "here"
"""This machine's own system, as an overlay: nothing is fetched or laid out."""


@dataclass(frozen=True, slots=True)
class Root:
    """A system to install on."""

    release: str
    path: Path
    target: Target
    """What its Python takes."""


def root_of(release: str, folder: Path) -> Root:
    """Return the root of `bookworm`, `trixie` or `here`; one that is made is kept in `folder`."""
    if release == HERE:
        version = "import sys; print('{}.{}'.format(*sys.version_info))"
        asked = subprocess.run(
            ["/usr/bin/python3", "-c", version], capture_output=True, text=True, check=True
        )
        return Root(release, Path("/"), _target(asked.stdout.strip()))
    return Root(release, _made(release, folder), _target(PYTHONS[release]))


def _target(python: str) -> Target:
    machine = platform.machine()
    fitting = [each for each in TARGETS if (each.python, each.machine) == (python, machine)]
    if not fitting:
        lacking(f"no packages are locked for Python {python} on {machine}", "make lock")
    return fitting[0]


def _made(release: str, folder: Path) -> Path:
    if shutil.which("mmdebstrap") is None:
        lacking("no mmdebstrap", "sudo apt-get install mmdebstrap")
    digest = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    root = (folder / f"{release}-{digest}").resolve()
    if not root.exists():
        print(f"making a root of {release}", file=sys.stderr)
        fresh = root.with_name(f"{root.name}.new")
        subprocess.run(["rm", "-rf", "--one-file-system", fresh], check=True)
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
                *(f"--include={','.join(PACKAGES)}", release, str(fresh)),
            ],
            check=True,
        )
        fresh.rename(root)
    return root
