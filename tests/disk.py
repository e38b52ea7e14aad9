"""A small file system of its own, in memory."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.processes import MARK


class SmallDisk:
    """It fills up, its inodes run out, and it can be made read-only."""

    def __init__(self, folder: Path, size: str, inodes: int = 0) -> None:
        """Make `folder` and mount it there. Raises CalledProcessError where nobody may."""
        folder.mkdir()
        subprocess.run(
            [
                "mount",
                "-t",
                "tmpfs",
                "-o",
                f"size={size},nr_inodes={inodes}",
                os.environ.get(MARK, "tmpfs"),
                folder,
            ],
            check=True,
            capture_output=True,
        )
        self.folder = folder
        self.is_read_only = self.lacks_inodes = False
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all the room there is."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    @property
    def is_full(self) -> bool:
        return self._filler.exists()

    def make_room(self) -> None:
        self._filler.unlink()

    def use_up_inodes(self) -> None:
        """Leave none for another file; what is there can still grow."""
        self.lacks_inodes = True
        with suppress(OSError):
            for number in range(100_000):
                (self.folder / f"filler-{number}").touch()

    def give_inodes_back(self) -> None:
        for file in self.folder.glob("filler-*"):
            file.unlink()
        self.lacks_inodes = False

    def remount(self, how: str) -> None:
        """Raises CalledProcessError where it is to be `ro`, and somebody writes."""
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)
        self.is_read_only = how == "ro"
