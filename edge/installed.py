"""Where an installed program finds itself and the models in use: folders, and links to them.

/opt/tensormask/releases/<id>    current  -> releases/<id>
                bundles/<id>     bundle   -> bundles/<id>
                detectors/<id>   detector -> detectors/<id>
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

PREFIX = "TENSORMASK_PREFIX"
"""Names the folder in the environment. An installed program sets it; a checkout has none."""

UNSEEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""Folders that the service's sandbox hides."""


def hiding(path: Path) -> str | None:
    """Return the folder of these in which `path` is; None: in none."""
    return next((each for each in UNSEEN if path.is_relative_to(each)), None)


class Slot(StrEnum):
    """What can be replaced, and put back, by itself."""

    RELEASE = "release"
    BUNDLE = "bundle"
    DETECTOR = "detector"


LINKS = {Slot.RELEASE: "current", Slot.BUNDLE: "bundle", Slot.DETECTOR: "detector"}


def installation() -> Path | None:
    """Return the folder of the installation that this program belongs to; None: to none."""
    given = os.environ.get(PREFIX)
    return Path(given) if given else None


def running_release() -> str | None:
    """Return the name of the release that this program is; None: of none."""
    return None if installation() is None else Path(__file__).resolve().parents[1].name


def is_started_by_systemd() -> bool:
    """Return whether this process is a unit's own: the service, or what runs in its place."""
    return os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def activated(slot: Slot) -> Path | None:
    """Return the folder of the model in use; None: the one that comes with the program."""
    prefix = installation()
    if prefix is None:
        return None
    link = prefix / LINKS[slot]
    # A link that leads nowhere is one too: opening it says so.
    return link if link.is_symlink() else None
