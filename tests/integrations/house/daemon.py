"""The real service, `tensormask run`, before a drawn street."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.waiting import DEADLINE_S

ROOT = Path(__file__).resolve().parents[3]
DEVICE = "door-1"
USUAL: Mapping[str, Mapping[str, object]] = {
    "mqtt": {"host": "127.0.0.1", "keepalive_s": 5},
    "device": {"id": DEVICE, "site": "Museum", "zone": "north entrance"},
    "commands": {"allowed": ["pause", "resume", "restart", "snapshot"], "per_minute": 60},
    "snapshots": {"pictures": "pixelated"},
    "health": {"interval_s": 2},
    "home_assistant": {"enabled": True},
    "tracker": {"still_missed_s": 1.5},
    "log": {"level": "debug"},
}


class Service:
    """Its state outlives it, in a folder."""

    def __init__(self, folder: Path, source: str, broker_port: int) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._always: Mapping[str, Mapping[str, object]] = {
            "mqtt": {"port": broker_port},
            "camera": {"source": source},
            "outbox": {"path": str(folder / "outbox.sqlite")},
        }
        self.config = folder / "tensormask.toml"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure()

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def configure(self, **sections: Mapping[str, object]) -> None:
        """Write the usual settings, with these sections' keys in place of theirs."""
        lines = ["# tensormask settings 5"]
        for name in {**USUAL, **self._always, **sections}:
            keys = {**USUAL.get(name, {}), **self._always.get(name, {}), **sections.get(name, {})}
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        self.config.write_text("\n".join([*lines, ""]))

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", str(self.config)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )

    @property
    def has_ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(DEADLINE_S)
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "edge", "forget", "--config", str(self.config)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
