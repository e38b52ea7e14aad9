from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import Browser, BrowserContext

from edge.config import load_settings
from edge.host.web import trouble_with
from edge.page.wire import SOCKET
from tests.broker.conftest import free_port
from tests.clips import carphone
from tests.waiting import DEADLINE_S

CAMERA = """[camera]
source = "{source}"
loop = true
"""
SETTINGS = """
[mqtt]
host = "127.0.0.1"
port = {broker}
{cameras}
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
    """`tensormask run` on a clip, and its page."""

    folder: Path
    page: str = ""
    source: Path | str = field(default_factory=carphone)
    broker_port: int = field(default_factory=free_port)
    """By default nobody is there."""
    waits: bool = True
    """For the page to answer."""
    cameras: str = CAMERA

    def __post_init__(self) -> None:
        self.server: subprocess.Popen[bytes] | None = None
        self.state = self.folder / "state"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "log"
        self.settings = self.folder / "tensormask.toml"
        self.settings.touch(0o600)
        self.settings.write_text(
            SETTINGS.format(
                broker=self.broker_port,
                cameras=self.cameras.format(source=self.source),
                port=self.port,
                page=self.page,
            )
        )
        self.start()

    def start(self) -> None:
        """Start both; what runs already goes on."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", str(self.settings)],
                env=os.environ | {"STATE_DIRECTORY": str(self.state)},
                stdout=log,
                stderr=log,
            )
        url = load_settings(self.settings).page.url
        until_s = time.monotonic() + DEADLINE_S
        while self.waits and (trouble := trouble_with(url)):
            assert time.monotonic() < until_s, trouble + self.log.read_text()
            # It ends where it is to be served otherwise than before.
            if self.server is None or self.server.poll() is not None:
                with self.log.open("ab") as log:
                    self.server = self.serve(log)
            time.sleep(0.05)

    def serve(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a page of this daemon, as systemd does on a device."""
        command = [sys.executable, "-m", "edge.page", "--daemon", str(self.state / SOCKET)]
        return subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        """Stop the service in order; the page goes on."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(DEADLINE_S) == 0, self.log.read_text()

    def kill(self) -> None:
        for process in (self.process, self.server):
            if process is not None:
                process.kill()
                process.wait()


Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Daemon] = []

    def begin(page: str = "", source: Path | str | None = None) -> Daemon:
        started.append(Daemon(tmp_path, page, source or carphone()))
        return started[-1]

    yield begin
    for daemon in started:
        daemon.kill()


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One for all the tests that leave it as it is: to start it takes seconds."""
    daemon = Daemon(tmp_path_factory.mktemp("unchanged"))
    yield daemon
    daemon.kill()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(1000 * DEADLINE_S)
    yield opened
    opened.close()
