"""Real parts in namespaces of their own: two networks with a cable between, a camera, a device.

The harness is in the broker's network; the device and its camera are in the other. None of it needs
rights, and all of it vanishes with the harness, however that ends; only its folder stays.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import cv2

from tests.clips import carphone
from tools.soak import scene
from tools.soak.ledger import waiting_documents

BROKER, DEVICE = "10.77.0.1", "10.77.0.2"
PORT = 1883
DEVICE_PORT = 1884
"""By way of the proxy."""
CAMERA_PORT = 8080
FPS = 10.0
STOP_WITHIN_S = 5.0
_ROOT = Path(__file__).resolve().parents[2]
_INSIDE = "TENSORMASK_SOAK_INSIDE"
_UNSHARE = ["unshare", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child",
            "--mount-proc"]  # fmt: skip
_BASICS = f"""
[mqtt]
host = "{BROKER}"
port = {DEVICE_PORT}
keepalive_s = 5
[device]
id = "soak"
[detector]
name = "res10"
every_s = 0.1
full_every_s = 0.2
threads = 1
[classifier]
threads = 1
looks_per_frame = 8
[tracker]
max_missed_s = 0.4
still_missed_s = 0.4
[policy]
confirm_s = 0.0
min_looks = 2
"""
"""Each visit, of about a second, is a violation soon after it has begun."""


def move_into_namespaces(module: str, arguments: Sequence[str]) -> None:
    """Run the module again as the first process of namespaces of its own; there, just return."""
    if os.environ.get(_INSIDE):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else a first process ignores it
        return
    os.environ[_INSIDE] = "yes"
    os.execvp(_UNSHARE[0], [*_UNSHARE, sys.executable, "-m", module, *arguments])


def empty_folder(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path.resolve()


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = 20.0) -> None:
    """Raises TimeoutError."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"waited {deadline_s:g} s in vain: {what}")
        time.sleep(0.01)


class Cable:
    """A cable from here to a network of its own, where the device lives."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        mine = Path("/proc/self/ns/net").readlink()
        theirs = Path(f"/proc/{self._holder.pid}/ns/net")
        wait_until(lambda: theirs.readlink() != mine, "a network for the device")
        self.enter = ["nsenter", f"--net={theirs}", "--"]
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "cable", "type", "veth", "peer", "name", "far", "netns",
            str(self._holder.pid))  # fmt: skip
        _ip("addr", "add", f"{BROKER}/24", "dev", "cable")
        _ip("link", "set", "cable", "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{DEVICE}/24", "dev", "far"),
            ("link", "set", "far", "up"),
        ):
            subprocess.run([*self.enter, "ip", *words], check=True)

    def unplug(self) -> None:
        _ip("link", "set", "cable", "down")

    def plug_in(self) -> None:
        _ip("link", "set", "cable", "up")

    def swallow_answers(self) -> bool:
        """The device is heard, but hears nothing: what the broker sends goes to nobody.

        Returns False where the cable is unplugged, which also ends it.
        """
        nobody = "02:00:00:00:00:01"
        words = ["neigh", "replace", DEVICE, "lladdr", nobody, "nud", "permanent", "dev", "cable"]
        return (
            subprocess.run(["ip", *words], stderr=subprocess.DEVNULL, check=False).returncode == 0
        )

    def let_answers_through(self) -> None:
        words = ["neigh", "del", DEVICE, "dev", "cable"]
        subprocess.run(["ip", *words], stderr=subprocess.DEVNULL, check=False)


class SoakProcess:
    """A part that is killed and started again, or frozen for a while."""

    def __init__(self, command: Sequence[str], log: BinaryIO | None = None) -> None:
        """Start it; `log`: where its output goes, to ours unless given."""
        self._command = command
        self._log = log
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, cwd=_ROOT, stdout=self._log, stderr=self._log
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class SoakCamera(SoakProcess):
    """`tools.soak.camera` in the device's network."""

    settings = f'[camera]\nsource = "http://127.0.0.1:{CAMERA_PORT}/"\nopen_timeout_s = 3.0\n'

    def __init__(self, folder: Path, network: Cable) -> None:
        pictures = folder / "scene"
        pictures.mkdir()
        faces = scene.cut_out_faces(carphone())
        for number, pixels in enumerate(scene.pictures(faces, FPS, round(6 * FPS))):
            cv2.imwrite(str(pictures / f"{number:03}.jpg"), pixels)
        super().__init__([*network.enter, sys.executable, "-m", "tools.soak.camera",
                          str(CAMERA_PORT), str(pictures), str(FPS)])  # fmt: skip


class WallClock:
    """The device's wall clock; see stepped_clock.c."""

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "stepped_clock.so", folder / "clock"
        source = Path(__file__).with_name("stepped_clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source)],
                       check=True)  # fmt: skip
        self._file.write_bytes(bytes(8))
        self.has_battery = True
        """Else it begins with each start of the device where it did with the last."""
        self._saved_s = time.time()
        self.environment = {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(self._file)}

    def step_to(self, ahead_s: float) -> None:
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", round(ahead_s * 1e9)))

    def boot(self) -> None:
        """The device starts."""
        if not self.has_battery:
            self.step_to(self._saved_s - time.time())


class FaultyCalls:
    """What of the device's writing fails; see faulty_disk.c."""

    def __init__(self, folder: Path, below: Path) -> None:
        library, self.file = folder / "faulty_disk.so", folder / "faulty"
        source = Path(__file__).with_name("faulty_disk.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"],
                       check=True)  # fmt: skip
        self.file.write_bytes(bytes(6))
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAULTY_DISK": str(self.file),
            "FAULTY_DISK_BELOW": str(below),
        }

    def fail(self, *, syncs: int = 0, writes: int = 0) -> None:
        """How many of 255 calls fail; 255: all of them."""
        with self.file.open("r+b", buffering=0) as file:
            file.write(bytes((syncs, writes)))


class SoakDevice:
    """The daemon, started again whenever it ends, as systemd would."""

    def __init__(
        self,
        folder: Path,
        network: Cable,
        state: Path,
        settings: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` are TOML sections beside the basic ones."""
        self.log_path = folder / "device.log"
        self._outbox = state / "outbox.sqlite"
        self._state = state
        config = folder / "tensormask.toml"
        config.write_text(_BASICS + settings)
        self._command = [*network.enter, sys.executable, "-m", "edge", "run", "--config",
                         str(config)]  # fmt: skip
        self._environment = {**os.environ, "STATE_DIRECTORY": str(state), **(environment or {})}
        self.on_disk: dict[int, bytes] = {}
        """What waited in the outbox whenever the process had been killed."""
        self.kills = 0
        self.stops_s: list[float] = []
        self.ended_itself: Counter[int] = Counter()
        self._process: subprocess.Popen[bytes] | None = None
        self.before_start: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        self.before_start()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=_ROOT, env=self._environment, stdout=log, stderr=log
            )

    def supervise(self) -> None:
        if self._process is not None and (status := self._process.poll()) is not None:
            self.ended_itself[status] += 1
            self.start()

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            self.kills += 1
        self._process = None
        self._look_at_disk()

    def kill_while_it_writes(self, chance: random.Random) -> None:
        """Kill within milliseconds of a line in the log: people are mostly judged several at once,
        so that the next message is then being written."""
        size = self.log_path.stat().st_size
        end_s = time.monotonic() + 2
        while self.log_path.stat().st_size == size and time.monotonic() < end_s:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.01))
        self.kill()

    def stop(self) -> None:
        """End in order."""
        assert self._process is not None
        begun_s = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(4 * STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self.stops_s.append(time.monotonic() - begun_s)
        self._look_at_disk()

    def waiting(self) -> dict[int, bytes]:
        return waiting_documents(self._outbox) if self._outbox.exists() else {}

    def set_aside(self) -> list[str]:
        return [path.name for path in self._state.glob("*.damaged-*")]

    def _look_at_disk(self) -> None:
        self.on_disk.update(self.waiting())


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
