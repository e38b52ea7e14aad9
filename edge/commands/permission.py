"""Whom a look needs, and what lets the service read a file that it may not."""

from __future__ import annotations

import os
import re

from edge.config import readable_by_service
from edge.installed import installation, is_started_by_systemd

AS_ROOT = "sudo tensormask doctor"
_FORBIDDEN = re.compile(r"(?<!\S)(/.+?): Permission denied")


def as_root(otherwise: str = "") -> str:
    """Return the fix where a user may not look; `otherwise`: where root or the service has."""
    return otherwise if os.geteuid() == 0 or is_started_by_systemd() else AS_ROOT


def permission(text: str) -> str:
    """Return what fixes a fault that is a file's permissions; empty: it is another."""
    found = _FORBIDDEN.search(text)
    return "" if found is None else as_root(readable_by_service(found[1]))


def with_permission(text: str) -> str:
    """Return what is wrong with what fixes it, where that is a file's permissions for a service."""
    is_here = installation() is not None or is_started_by_systemd()
    fix = permission(text) if is_here else ""
    return text if fix in text else f"{text}; {fix}"
