"""Which program this is: the release, and the commit that it was made of.

Two commits of one release are two programs, and `health` is to tell them apart. An installation has
the commit in a file beside this one, and so has an archive that git made; a checkout is asked.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

RELEASE = "0.3.0.dev0"
_HERE = Path(__file__).resolve().parent
_STAMP = "commit"
"""The file's name. Git puts the commit in it when it makes an archive (see .gitattributes)."""
_COMMIT = re.compile(r"[0-9a-f]{7,40}(-dirty)?")


@cache
def version() -> str:
    """Return the version by PEP 440: `0.3.0.dev0+g1a2b3c4`, with `.dirty`, or without a commit."""
    return version_in(_HERE)


def version_in(package: Path) -> str:
    """Return the version of the program in that folder."""
    commit = _stamped(package / _STAMP) or _asked(package.parent)
    return f"{RELEASE}+g{commit.replace('-', '.')}" if commit else RELEASE


def _stamped(file: Path) -> str | None:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if _COMMIT.fullmatch(text) else None


def _asked(checkout: Path) -> str | None:
    """Return the commit of a checkout, and whether its files are others."""
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git; a folder on a network that is away
        return None
    found = answer.stdout.strip()
    return found if _COMMIT.fullmatch(found) else None
