"""What the doctor finds, each with its fix."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Sequence

import msgspec

from edge.commands.output import wrapped
from edge.conditions import Code, Condition, Severity, condition, conditions
from edge.telemetry import Telemetry

NARROW = 30
LABEL = 7
SETTINGS_FIRST = "correct the settings first"
PACKAGES = {
    "fuser": "psmisc",
    "openssl": "openssl",
    "ping": "iputils-ping",
    "ss": "iproute2",
    "v4l2-ctl": "v4l-utils",
}
"""What brings the programs of a fix that a small Debian lacks."""
_INSTALL = "sudo apt-get install"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    part: str
    severity: Severity
    text: str
    fix: str = ""
    """What to do: a command, mostly."""
    code: Code | None = None
    """None: nothing is wrong."""


def well(part: str, text: str, fix: str = "") -> Finding:
    return Finding(part, Severity.OK, text, fix)


def wrong(part: str, code: Code, fix: str | None = None, **known: object) -> Finding:
    """Return that a condition is there; `fix` replaces the usual one where more is known."""
    return found_in(part, condition(code, **known), fix)


def found_in(part: str, found: Condition, fix: str | None = None) -> Finding:
    return Finding(part, found.severity, found.text, found.fix if fix is None else fix, found.code)


def reported(
    part: str, telemetry: Telemetry, codes: Collection[Code], fix: str | None = None
) -> Iterator[Finding]:
    """Yield what the running service says of itself, as far as it has one of these codes."""
    return (found_in(part, each, fix) for each in conditions(telemetry) if each.code in codes)


def complete(finding: Finding) -> Finding:
    """Add to the fix what installs the programs that it needs and this machine lacks."""
    commands = (words.split() for words in re.split(r"[;|]", finding.fix))
    programs = {next((word for word in words if word != "sudo"), "") for words in commands}
    lacking = {PACKAGES[each] for each in programs & PACKAGES.keys() if shutil.which(each) is None}
    if not lacking or _INSTALL in finding.fix:  # the service has said so in its place
        return finding
    fix = f"{finding.fix} ({_INSTALL} {' '.join(sorted(lacking))})"
    return msgspec.structs.replace(finding, fix=fix)


def lines(findings: Sequence[Finding], columns: int) -> Iterator[str]:
    """Return the findings for a terminal that is so wide; 40 columns are enough."""
    width = max(NARROW, columns - 1)
    for each in findings:
        yield from wrapped(f"{each.part}: {each.text}", width, f"{each.severity.label:<{LABEL}} ")
        if each.fix:
            yield from wrapped(each.fix, width, f"{'fix:':>{LABEL}} ")


def exit_status(findings: Sequence[Finding]) -> int:
    return int(any(each.severity is Severity.FAULT for each in findings))
