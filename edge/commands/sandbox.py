"""Running a command as the service would be run: its user, its sandbox, its credentials."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.installed import installation
from edge.release.unit import RUNNING, UNIT, is_booted, systemctl

STARTING = "starting"
"""The status of a service that runs, and has not said anything yet."""
_OF_ITS_LIFE = (
    *("Type", "Exec", "Restart", "Watchdog", "Timeout", "NotifyAccess", "RemainAfterExit"),
    *("Success", "Failure", "Standard", "Syslog", "Slice", "PIDFile", "BusName", "FileDescriptor"),
    *("RuntimeDirectory", "RemoveIPC"),
)
"""How the keys of [Service] begin that say how the service starts and ends, where its log goes, and
what is removed with it. All others say what it may and sees."""

_LINKED = re.compile(r"^# /\S+/00-release\.conf\n.*?(?=^# /|\Z)", re.MULTILINE | re.DOTALL)
"""In what `systemctl cat` prints: the link to the unit of the release in use."""


@dataclass(frozen=True, slots=True)
class InstalledUnit:
    """The service as systemd has it, drop-ins included."""

    program: str
    properties: tuple[str, ...]
    """`Key=value`, in their order: some keys add up, and an empty one begins again."""
    status: str
    """What it says of itself while it runs; empty: it does not run."""

    def run(self, arguments: Sequence[str]) -> int:
        """Run its program with other arguments, in its place; return the exit status."""
        return subprocess.run(self._command(arguments), check=False).returncode

    def ask(self, arguments: Sequence[str], limit_s: float) -> tuple[int, str]:
        """Run it in the same way; return the exit status and what it printed."""
        answer = subprocess.run(
            self._command(arguments, f"RuntimeMaxSec={limit_s:.0f}"),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
        )
        return answer.returncode, answer.stdout

    def _command(self, arguments: Sequence[str], *more: str) -> list[str]:
        return [
            *("systemd-run", "--quiet", "--pipe", "--wait", "--collect"),
            *(f"--property={each}" for each in (*self.properties, *more)),
            *("--", self.program, *arguments),
        ]


def add_here(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--here",
        action="store_true",
        help="as you see it; without, root looks as the installed service sees it",
    )


def whose_sight(is_here: bool, command: str) -> tuple[InstalledUnit | None, str]:
    """Return the place in which `command` is to look, and the line that says whose sight that is.

    None: its own; without a line where there is no other, or it was asked for.
    """
    unit = None if is_here else installed_unit()
    if unit is not None:
        return unit, f"as {UNIT} sees it; --here: as you do"
    if is_here or installation() is None:
        return None, ""
    if os.geteuid() == 0:
        return None, f"as you see it: nothing can be run as {UNIT} here"
    return None, f"as you see it; as the service does: sudo tensormask {command}"


def installed_unit() -> InstalledUnit | None:
    """Return the service's unit where this process may run something as it: root, under systemd."""
    if os.geteuid() != 0 or not is_booted():
        return None
    return _unit_in(systemctl("cat", UNIT, may_fail=True))


def unit_of_this_release() -> InstalledUnit | None:
    """Return the same with the program and the unit of the release that this process is of.

    Another one may be linked. The owner's drop-ins, and the credentials in them, hold for all.
    """
    here = Path(__file__).resolve().parents[2]
    own = here / "systemd" / UNIT
    if os.geteuid() != 0 or not is_booted() or not own.is_file():
        return None
    return _with_unit(
        systemctl("cat", UNIT, may_fail=True), own.read_text(), str(here / "tensormask")
    )


def _with_unit(text: str, own: str, program: str) -> InstalledUnit | None:
    found = _unit_in(_LINKED.sub(lambda _: f"{own}\n", text))
    return None if found is None else replace(found, program=program)


def _unit_in(text: str) -> InstalledUnit | None:
    programs, properties = _read(text)
    if not programs:
        return None
    status = ""
    if systemctl("is-active", UNIT, may_fail=True).strip() in RUNNING:
        said = systemctl("show", "--value", "--property=StatusText", UNIT, may_fail=True)
        status = said.strip() or STARTING
    return InstalledUnit(programs[-1], properties, status)


def _read(text: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the programs that a unit's files start, and the other lines of [Service] that say what
    it may and sees."""
    programs, properties, section = [], [], ""
    for line in text.replace("\\\n", " ").splitlines():
        key, is_set, value = line.strip().partition("=")
        if line.startswith("["):
            section = line.strip()
        elif section != "[Service]" or not is_set or line.startswith(("#", ";")):
            continue
        elif key.strip() == "ExecStart" and value.strip():
            programs.append(value.split()[0])
        elif not key.startswith(_OF_ITS_LIFE):
            properties.append(f"{key.strip()}={value.strip()}")
    return programs, tuple(properties)
