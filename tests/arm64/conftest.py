"""Machines for arm64 and for this processor, on which a release was installed as on a Pi."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import pytest

from deploy.pack import pack
from tests.arm64.emulation import CPU, Emulation, fetched_qemu
from tests.arm64.userland import PYTHONS, Userland
from tests.needs import lacking
from tests.systemd.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SOURCES = "/usr/src/tensormask"
PYTHON = "/opt/tensormask/current/packages/bin/python"
JUDGE = "/srv/judge.py"
CLIP = "/srv/clip.mp4"
PICTURES = "/srv/pictures"
"""The clip's frames, decoded here."""
EMULATED = ("env", f"QEMU_CPU={CPU}")
"""The words before a command in a booted machine; services have it from systemd."""
SETTINGS = f"""
[mqtt]
host = "localhost"
[camera]
source = "{CLIP}"
loop = true
"""
ROOM = """
[Service]
TimeoutStartSec=10min
WatchdogSec=5min
"""
"""An emulated processor is ten times as slow, and more beside others: not the daemon's fault."""
_NO_MOUNTS = """
PrivateTmp=no
PrivateMounts=no
ProtectSystem=no
ProtectHome=no
ProtectControlGroups=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
ProtectProc=default
"""
LESS_SANDBOX = {
    "bookworm": "PrivateIPC=no\nPrivateUsers=no\n",
    "trixie": f"PrivateIPC=no\nPrivateUsers=no\nProtectHostname=no\n{_NO_MOUNTS}",
}
"""What an emulated systemd cannot do; `make systemd-test` has the unit whole."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A Debian release with TensorMask, on both processors."""

    userland: Userland
    """The emulated one."""
    arm: Machine
    here: Machine
    _reports: dict[str, Any] = field(default_factory=dict)

    @property
    def release(self) -> str:
        return self.userland.release

    def report(self, processor: str) -> Any:
        """Return what `judge.py` says on "arm" or "here"."""
        if processor not in self._reports:
            machine = {"arm": self.arm, "here": self.here}[processor]
            answer = machine.install(
                "env",
                "PYTHONPATH=/opt/tensormask/current",
                PYTHON,
                JUDGE,
                CLIP,
                PICTURES,
                timeout_s=1800,
            )
            self._reports[processor] = json.loads(answer.stdout)
        return self._reports[processor]


@pytest.fixture(scope="session")
def emulation() -> Iterator[Emulation]:
    if os.geteuid() != 0:
        lacking("nothing is emulated without root", "sudo make arm64")
    for program, package in (
        ("mmdebstrap", "mmdebstrap"),
        ("systemd-nspawn", "systemd-container"),
    ):
        if shutil.which(program) is None:
            lacking(f"no {program}", f"sudo apt-get install {package}")
    # Read by the emulator, whatever it runs.
    os.environ["QEMU_CPU"] = CPU
    with Emulation(fetched_qemu(BUILD / "arm64")) as emulation:
        yield emulation


@pytest.fixture(scope="session", params=os.environ.get("RELEASE", "").split() or [*PYTHONS])
def pair(
    request: pytest.FixtureRequest,
    emulation: Emulation,
    carphone: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    with ExitStack() as stack:
        machines = []
        for architecture in ("arm64", "amd64"):
            userland = Userland(request.param, architecture)
            folder = tmp_path_factory.mktemp(architecture)
            root = userland.made(BUILD / "arm64", emulation.within)
            name = f"tensormask-{os.getpid()}-{architecture}"
            machine = stack.enter_context(
                Machine(folder, name, lower=root, within=emulation.within)
            )
            room = ROOM + LESS_SANDBOX[userland.release]
            machine.write("/etc/systemd/system/tensormask.service.d/room.conf", room)
            install(machine, packed(userland, tmp_path_factory.mktemp("release")), carphone)
            machines.append(machine)
        arm, here = machines
        yield Pair(Userland(request.param, "arm64"), arm, here)


def packed(userland: Userland, folder: Path) -> Path:
    """Return the folder of a release with its wheels, as a device without internet gets it."""
    archive = pack(BUILD / "packs", userland.target)["file"]
    subprocess.run(["tar", "-C", folder, "-xf", archive], check=True)
    return folder


def install(machine: Machine, release: Path, clip: Path) -> None:
    machine.copy(release, SOURCES)
    machine.copy(clip, CLIP)
    with tempfile.TemporaryDirectory() as pictures:
        write_pictures(clip, Path(pictures))
        machine.copy(Path(pictures), PICTURES)
    machine.copy(Path(__file__).with_name("judge.py"), JUDGE)
    machine.write("/etc/tensormask/tensormask.toml", SETTINGS)
    machine.write(
        "/etc/systemd/system.conf.d/emulated.conf",
        f"[Manager]\nDefaultEnvironment=QEMU_CPU={CPU}\n",
    )
    offline = ("--wheels", f"{SOURCES}/wheels", "--without-packages")
    machine.install(f"{SOURCES}/deploy/install.sh", *offline, timeout_s=1800)


def write_pictures(clip: Path, folder: Path) -> None:
    capture = cv2.VideoCapture(str(clip))
    number = 0
    while (read := capture.read())[0]:
        cv2.imwrite(str(folder / f"{number:04}.png"), read[1])
        number += 1
