from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.broker.conftest import free_port
from tests.clips import carphone

SETTINGS = """
[mqtt]
host = "127.0.0.1"
port = {broker}
[camera]
source = "{source}"
loop = true
[device]
id = "door-1"
site = "Museum"
zone = "north entrance"
[page]
enabled = true
port = {port}
{page}
"""


@dataclass
class Daemon:
    """`tensormask run` on a clip, with a page."""

    folder: Path
    page: str = ""
    source: Path = field(default_factory=carphone)
    broker_port: int = field(default_factory=free_port)
    """By default nobody is there."""

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "log"
        self.settings = self.folder / "tensormask.toml"
        self.settings.touch(0o600)
        self.settings.write_text(
            SETTINGS.format(
                broker=self.broker_port, source=self.source, port=self.port, page=self.page
            )
        )
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", str(self.settings)],
                env=os.environ | {"STATE_DIRECTORY": str(self.folder / "state")},
                stdout=log,
                stderr=log,
            )
        until_s = time.monotonic() + 30
        while "the page is at" not in self.log.read_text():
            assert time.monotonic() < until_s, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pages(self) -> list[int]:
        """Return the processes of its page."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        # The thread that started it is its parent, too.
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            pids += [int(pid) for pid in (task / "children").read_text().split()]
        return sorted(set(pids))


Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Daemon] = []

    def begin(page: str = "", source: Path | None = None) -> Daemon:
        started.append(Daemon(tmp_path, page, source or carphone()))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.kill()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def certificate() -> Callable[[Path], tuple[Path, Path]]:
    """Makes a certificate for this machine, signed by itself, and its key."""

    def make(folder: Path) -> tuple[Path, Path]:
        own, key = folder / "own.crt", folder / "own.key"
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ),
                *("-nodes", "-days", "2"),
                *("-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", own),
            ],
            check=True,
            capture_output=True,
        )
        key.chmod(0o600)
        return own, key

    return make
