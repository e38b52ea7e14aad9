"""The network that a box hangs in: a namespace for it, and one for everybody else.

The camera, the visitors' browsers and the attackers are in the street, one cable away from the box.
Nothing listens outside these two namespaces, and neither has a way out.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Self

from tests.fleet.boxes import ip

BOX = "10.79.0.10"
CAMERA = "10.79.0.1"
VISITOR = "10.79.0.2"
ATTACKERS = tuple(f"10.79.0.{number}" for number in range(100, 110))
_number = count(1)


class Street:
    """The two namespaces; `box` and `street` are their names below /run/netns."""

    def __init__(self) -> None:
        name = f"tm{os.getpid()}-{next(_number)}"
        self.box, self.street = f"{name}-box", f"{name}-street"
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        for space in (self.box, self.street):
            ip("netns", "add", space)
            self._ending.callback(ip, "netns", "del", space, check=False)
            ip("-n", space, "link", "set", "lo", "up")
        cable = ("link", "add", "cable0", "type", "veth", "peer", "name", "host0")
        ip("-n", self.street, *cable, "netns", self.box)
        ip("-n", self.box, "addr", "add", f"{BOX}/24", "dev", "host0")
        for address in (CAMERA, VISITOR, *ATTACKERS):
            ip("-n", self.street, "addr", "add", f"{address}/24", "dev", "cable0")
        ip("-n", self.box, "link", "set", "host0", "up")
        ip("-n", self.street, "link", "set", "cable0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def within(self, space: str) -> tuple[str, ...]:
        """Return the words before a command that run it in one of the two."""
        return ("nsenter", f"--net=/run/netns/{space}", "--")

    def program(self, folder: Path, space: str, program: str) -> Path:
        """Return a script that runs `program` in one of the two, for who starts a path."""
        script = folder / f"{Path(program).name}-{space}"
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.within(space))} {program} "$@"\n')
        script.chmod(0o755)
        return script
