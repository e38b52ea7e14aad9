"""Whom a look needs, and what gives the service a file that it may not read, or that is missing."""

from __future__ import annotations

import os
import re
import shlex

from edge.config import SERVICE_USER, readable_by_service
from edge.installed import installation, is_started_by_systemd

AS_ROOT = "sudo tensormask doctor"
_FORBIDDEN = re.compile(r"(?<!\S)(/.+?): Permission denied")
_MISSING = re.compile(
    r"(?P<section>\S+) (?P<key>(?:password|token|secret|url)_file): (?P<path>/.+?): No such file"
)
_RANDOM = {("[metrics]", "token_file"), ("[sign]", "token_file")}
"""Tokens that nobody else gives out."""


def as_root(otherwise: str = "") -> str:
    """Return the fix where a user may not look; `otherwise`: where root or the service has."""
    return otherwise if os.geteuid() == 0 or is_started_by_systemd() else AS_ROOT


def permission(text: str) -> str:
    """Return what fixes a fault that is a file's permissions, or a secret that is not there yet.

    Empty: it is another fault.
    """
    if (missing := _MISSING.search(text)) is not None:
        return _made(missing["path"], (missing["section"], missing["key"]) in _RANDOM)
    found = _FORBIDDEN.search(text)
    return "" if found is None else as_root(readable_by_service(found[1]))


def _made(path: str, is_random: bool) -> str:
    """Return the command that makes a file with a secret for the service."""
    made = f"install -m 640 -g {SERVICE_USER} /dev/stdin {shlex.quote(path)}"
    return (
        f"openssl rand -hex 16 | sudo {made}"
        if is_random
        else f"write it, Ctrl-D ends it: sudo {made}"
    )


def with_permission(text: str) -> str:
    """Return what is wrong with what fixes it, where that is a file of a service."""
    is_here = installation() is not None or is_started_by_systemd()
    fix = permission(text) if is_here else ""
    return text if fix in text else f"{text}; {fix}"
