"""The program itself, as a process, with a camera in the network that stops giving frames."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.capture.clip import Clip
from edge.config import CameraSettings
from edge.publish.outbox.outbox import Outbox
from edge.records import Pixels
from tests.edge.capture.fakes import write_clip
from tests.edge.capture.rtsp_server import RtspServer, encoded_frames, serving

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
FPS = 20


class Program:
    """`tensormask run`, its log and its outbox."""

    def __init__(self, folder: Path, source: str, broker_port: int, camera: str = "") -> None:
        self.outbox = folder / "outbox.sqlite"
        self._log_path = folder / "log"
        settings = folder / "tensormask.toml"
        settings.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n[detector]\nname = "res10"\n'
            f'[outbox]\npath = "{self.outbox}"\n[camera]\nsource = "{source}"\n{camera}'
        )
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", str(settings)],
                cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def wait_for(self, words: str) -> None:
        end_s = time.monotonic() + DEADLINE_S
        while words not in self.log:
            assert time.monotonic() < end_s, f"no {words!r} in\n{self.log}"
            assert self.process.poll() is None, self.log
            time.sleep(0.02)

    def stop(self) -> float:
        """Ask it to end, as systemd does; return how many seconds that took."""
        begun_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE_S)
        return time.monotonic() - begun_s

    def documents(self) -> list[dict[str, object]]:
        opened = Outbox(self.outbox)
        documents = [json.loads(row.payload) for row in opened.pending(100)]
        opened.close()
        return documents


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts the program, and kills it where it is still there at the end of the test."""
    started: list[Program] = []

    def start(source: str, broker_port: int, camera: str = "") -> Program:
        started.append(Program(tmp_path, source, broker_port, camera))
        return started[-1]

    yield start
    for program in started:
        program.process.kill()
        program.process.wait()


@pytest.fixture(scope="module")
def bare_face(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Three seconds of a real bare-faced man, as a network camera sends them."""
    clip = Clip(carphone, CameraSettings())
    pictures: list[Pixels] = []
    while len(pictures) < 3 * FPS and clip.advance() is not None:
        if (pixels := clip.pixels()) is not None:
            pictures.append(pixels)
    clip.close()
    path = tmp_path_factory.mktemp("camera") / "clip.avi"
    return encoded_frames(write_clip(path, pictures, fps=FPS, codec="XVID"))


@pytest.fixture
def camera(bare_face: list[bytes]) -> Iterator[RtspServer]:
    """A camera that falls silent after three seconds, without hanging up."""
    with serving(bare_face, falls_silent=True, every_s=1 / FPS) as server:
        yield server


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """Where a connection is accepted, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE_S)
        yield listening


def test_a_stalled_camera_is_lost_within_five_seconds_and_comes_back(
    run: Callable[..., Program], camera: RtspServer, closed_port: int
) -> None:
    source = f"rtsp://127.0.0.1:{camera.port}/live"
    program = run(source, closed_port, "open_timeout_s = 5.0\n")
    program.wait_for("camera lost: no frame for 4 s")
    assert camera.silent_since_s is not None
    assert time.monotonic() - camera.silent_since_s < 5
    program.wait_for("camera is back")
    program.stop()
    assert program.process.returncode == 0


def test_all_is_on_disk_within_five_seconds_though_camera_and_broker_hang(
    run: Callable[..., Program], camera: RtspServer, mute: socket.socket
) -> None:
    source = f"rtsp://127.0.0.1:{camera.port}/live"
    program = run(source, mute.getsockname()[1], "open_timeout_s = 60.0\nstall_s = 60.0\n")
    program.wait_for("violation confirmed")
    while camera.silent_since_s is None:
        time.sleep(0.02)
    assert program.stop() < 5
    assert program.process.returncode == 0
    confirmed, ended = program.documents()
    assert (confirmed["state"], ended["state"]) == ("confirmed", "ended")
    assert confirmed["event_id"] == ended["event_id"]


def test_a_camera_that_hangs_in_opening_does_not_hold_the_program(
    run: Callable[..., Program], mute: socket.socket, closed_port: int
) -> None:
    source = f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live"
    program = run(source, closed_port, "open_timeout_s = 60.0\n")
    connection, _ = mute.accept()
    assert program.stop() < 5
    connection.close()
    assert program.process.returncode == 0


def test_a_camera_that_does_not_come_ends_the_program_with_a_status_of_its_own(
    run: Callable[..., Program], closed_port: int
) -> None:
    program = run("/dev/video99", closed_port, "restart_after_s = 2.0\n")
    assert program.process.wait(DEADLINE_S) == 71
    last = program.log.splitlines()[-1]
    assert last.startswith("tensormask: lost for 3 s: /dev/video99: no such device")
    assert last.endswith("not one picture since the start; ending, to begin anew")
