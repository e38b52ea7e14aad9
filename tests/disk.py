"""A small file system of its own, in memory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.processes import MARK


class SmallDisk:
    """It fills up, and it can be made read-only."""

    def __init__(self, folder: Path, size: str) -> None:
        """Make `folder` and mount it there. Raises CalledProcessError where nobody may."""
        folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", os.environ.get(MARK, "tmpfs"), folder],
            check=True,
            capture_output=True,
        )
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all the room there is."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def make_room(self) -> None:
        self._filler.unlink()

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)
