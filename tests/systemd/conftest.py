from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.needs import refuse_without_machines
from tests.processes import made_once
from tests.systemd.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
SOURCES = "/usr/src/tensormask"
INSTALLED_FROM = (
    "LICENSE",
    "README.md",
    "deploy",
    "docs",
    "edge",
    "pyproject.toml",
    "requirements-pi.txt",
    "systemd",
    "tests/systemd/probe.py",
)
FPS = 5
FRAMES = 4 * FPS
"""Of the clip, which is judged for as long as a machine is up, beside all other tests."""
_WITHOUT_BROKER = """
[mqtt]
host = ""
[camera]
source = "/srv/clip.avi"
loop = true
"""
_PATIENCE = """
[Service]
WatchdogSec=6s
RestartSec=200ms
"""
"""Shortened, so that the tests need not wait; everything else is the unit that is installed."""


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine on which deploy/install.sh has been run, with a broker and a clip."""
    with installed(tmp_path_factory) as machine:
        yield machine


@contextmanager
def installed(folders: pytest.TempPathFactory, limits: bool = False) -> Iterator[Machine]:
    """A booted machine of one's own, with what one installation has left for all of them."""
    refuse_without_machines("sudo make systemd-test")
    folder = folders.mktemp("machine")
    written = made_once("installed", partial(_install, folders.mktemp("installed")))
    name = f"tensormask-{os.getpid()}-{folder.name}"
    with Machine(folder, name, limits, written=written) as machine:
        machine.boot()
        machine.run("systemctl", "start", "mosquitto.service")
        yield machine


def _install(folder: Path, written: Path) -> None:
    """Keep in `written` what deploy/install.sh leaves on a machine with a broker and a clip."""
    clip = folder.with_suffix(".avi")
    write_clip(clip)
    with Machine(folder, f"tensormask-{os.getpid()}-{folder.name}") as machine:
        for part in INSTALLED_FROM:
            machine.copy(ROOT / part, f"{SOURCES}/{part}")
        machine.copy(clip, "/srv/clip.avi")
        machine.write("/etc/tensormask/tensormask.toml", _WITHOUT_BROKER)
        machine.install(f"{SOURCES}/deploy/install.sh", "--broker", "localhost")
        machine.write("/etc/systemd/system/tensormask.service.d/patience.conf", _PATIENCE)
        machine.save(written)


def write_clip(path: Path) -> None:
    """Bars that move now and then: no face, but work for the detector."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (320, 240))
    columns = np.arange(320)
    for number in range(FRAMES):
        # Where all of them moved, each machine would take a tenth of a processor.
        bars = ((columns + 80 * (number // (FRAMES // 2))) % 160).astype(np.uint8)
        writer.write(np.broadcast_to(bars[None, :, None], (240, 320, 3)).copy())
    writer.release()
