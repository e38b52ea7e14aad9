"""A real Home Assistant of some version, started, killed and asked at will."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.broker.conftest import free_port
from tests.needs import lacking

HERE = Path(__file__).resolve().parent
ROOTS = HERE.parents[2] / "build" / "home-assistant"
RELEASES = {"2026.2.3": "trixie", "2026.11.0": "forky"}
"""Versions of Home Assistant, and the Debian release whose Python each needs."""


def root_of(version: str) -> Path:
    """Return a userland with this version; it is laid once, in two minutes."""
    root = ROOTS / version
    if not root.exists():
        if shutil.which("mmdebstrap") is None:
            lacking("no mmdebstrap", "sudo apt-get install mmdebstrap")
        command = [HERE / "root.sh", root, RELEASES[version], version]
        subprocess.run([str(word) for word in command], check=True)
    return root


class HomeAssistant:
    """Its configuration outlives it, in a folder."""

    def __init__(self, root: Path, folder: Path, broker_port: int, protocol: str = "5") -> None:
        self._root = root
        self._folder = folder
        self._broker_port = broker_port
        self._protocol = protocol
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(exist_ok=True)
        shutil.copy(HERE / "program.py", folder)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def begin(self) -> None:
        """Start it, without waiting until it is there."""
        numbers = (str(self._broker_port), str(free_port()))
        program = ("/opt/venv/bin/python", "/work/program.py", "/work/config")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(HERE / "inside.sh"), str(self._root), str(self._folder)),
                    *(*program, *numbers, self._protocol),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def wait(self) -> None:
        """Return when it has started."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"Home Assistant does not start:\n{self.log[-4000:]}"
        assert json.loads(line) == "started"

    def start(self) -> None:
        self.begin()
        self.wait()

    def ask(self, *order: str) -> Any:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"Home Assistant has ended:\n{self.log[-4000:]}"
        is_done, answer = json.loads(line)
        assert is_done, answer
        return answer

    def states(self) -> dict[str, dict[str, Any]]:
        return dict(self.ask("states"))

    def state(self, entity_id: str) -> str | None:
        found = self.states().get(entity_id)
        return None if found is None else str(found["state"])

    def image(self, entity_id: str) -> bytes:
        return base64.b64decode(self.ask("image", entity_id) or b"")

    def write(self, name: str, text: str) -> str:
        """Put a file where it can read it; return where."""
        (self._folder / name).write_text(text)
        return f"/work/{name}"

    def stop(self) -> None:
        """End it in order: it writes down what it knows."""
        if self._process is not None:
            self._process.communicate(timeout=60)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
