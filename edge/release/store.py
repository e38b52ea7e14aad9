"""The folders and links of an installation, and how they are changed.

Folders never change once they are there. A link is replaced in one step: at any moment, a power cut
included, it names the old or the new.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path

from edge.address import did_you_mean
from edge.durable import sync_folder
from edge.errors import ConfigError
from edge.installed import LINKS, Slot

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}")
OWN = ""
"""The name of the model that comes with the release: no link."""
_WATCHER = "watcher"


def called(name: str) -> str:
    """Return the name for a sentence, after what kind of thing it is."""
    return name or "that comes with the release"


class ReleaseStore:
    """The folders and links of one installation."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def shelf(self, slot: Slot) -> Path:
        """Return the folder in which all of a kind lie."""
        return self.prefix / f"{slot}s"

    def folder(self, slot: Slot, name: str) -> Path:
        return self.shelf(slot) / name

    def link(self, slot: Slot) -> Path:
        return self.prefix / LINKS[slot]

    def current(self, slot: Slot) -> str:
        """Return the name of what is in use; `OWN` where there is no link."""
        return _named(self.link(slot))

    def installed(self, slot: Slot) -> list[str]:
        """Return the names of all that is there, the newest first."""
        folders = [each for each in self.shelf(slot).glob("*") if each.is_dir()]
        known = [each for each in folders if NAME.fullmatch(each.name)]
        return [each.name for each in sorted(known, key=_changed_at, reverse=True)]

    def require(self, slot: Slot, name: str) -> None:
        """Raise ConfigError unless it is there."""
        known = self.installed(slot)
        if name != OWN and name not in known:
            raise ConfigError(
                f"no {slot} {name!r} is installed; there is {', '.join(known) or 'none'}"
                f"{did_you_mean(name, known)}"
            )

    def point(self, slot: Slot, name: str) -> None:
        """Have it used from the next start on."""
        if name == OWN:
            self.link(slot).unlink(missing_ok=True)
            sync_folder(self.prefix)
        else:
            self._set(self.link(slot), slot, name)

    def watcher(self) -> str:
        """Return the release that watches trials: never the one that is on trial."""
        return _named(self.prefix / _WATCHER)

    def point_to_watcher(self, release: str) -> None:
        self._set(self.prefix / _WATCHER, Slot.RELEASE, release)

    def _set(self, link: Path, slot: Slot, name: str) -> None:
        fresh = link.with_name(f"{link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path(f"{slot}s") / name)
        fresh.replace(link)
        sync_folder(self.prefix)

    def prune(self, slot: Slot, keep: int, needed: Collection[str]) -> list[str]:
        """Remove the oldest beyond `keep`, but nothing that is `needed`; return what went."""
        surplus = [name for name in self.installed(slot)[keep:] if name not in needed]
        for name in surplus:
            # Out of sight first: half a folder must not look like a whole one.
            doomed = self.folder(slot, f".{name}")
            shutil.rmtree(doomed, ignore_errors=True)  # what a kill has left of it before
            self.folder(slot, name).rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        return surplus


def _named(link: Path) -> str:
    return link.readlink().name if link.is_symlink() else OWN


def _changed_at(folder: Path) -> int:
    return folder.stat().st_mtime_ns
