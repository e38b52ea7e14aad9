"""The program itself, as a process, with a camera in the network that stops giving frames."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge.capture.clip import Clip
from edge.config import CameraSettings
from edge.publish.outbox.outbox import Outbox
from edge.records import Pixels
from tests.edge.capture.fakes import write_clip
from tests.edge.capture.rtsp_server import RtspServer, encoded_frames, serving
from tests.waiting import DEADLINE_S, Stopwatch, until

ROOT = Path(__file__).resolve().parents[2]
FPS = 20


class Program:
    """`tensormask run`, its log and its outbox."""

    def __init__(
        self,
        folder: Path,
        source: str,
        broker_port: int,
        camera: str = "",
        within: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`within` are the words before the command that put it elsewhere."""
        self.outbox = folder / "outbox.sqlite"
        self._log_path = folder / "log"
        settings = folder / "tensormask.toml"
        settings.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n[detector]\nname = "res10"\n'
            f'[outbox]\npath = "{self.outbox}"\n[camera]\nsource = "{source}"\n{camera}'
        )
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*within, sys.executable, "-m", "edge", "run", "--config", str(settings)],
                cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment or {}),
                stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def wait_for(self, words: str) -> None:
        until(lambda: words in self.log or self.process.poll() is not None, f"{words!r}")
        assert words in self.log

    def stop(self) -> float:
        """Ask it to end, as systemd does; return how many seconds that took."""
        stopwatch = Stopwatch()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE_S)
        return stopwatch.elapsed_s

    def documents(self) -> list[dict[str, object]]:
        opened = Outbox(self.outbox)
        documents = [json.loads(row.payload) for row in opened.pending(100)]
        opened.close()
        return documents


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts the program, and kills it where it is still there at the end of the test."""
    started: list[Program] = []

    def start(source: str, broker_port: int, camera: str = "", **where: Any) -> Program:
        started.append(Program(tmp_path, source, broker_port, camera, **where))
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
    program.wait_for(f"camera lost: rtsp://127.0.0.1:{camera.port}: it gave no frame for 4 s")
    assert camera.silent_since is not None
    assert camera.silent_since.elapsed_s < 5
    program.wait_for("camera is back")
    program.stop()
    assert program.process.returncode == 0


def test_all_is_on_disk_within_five_seconds_though_camera_and_broker_hang(
    run: Callable[..., Program], camera: RtspServer, mute: socket.socket
) -> None:
    source = f"rtsp://127.0.0.1:{camera.port}/live"
    program = run(source, mute.getsockname()[1], "open_timeout_s = 60.0\nstall_s = 60.0\n")
    program.wait_for("violation confirmed")
    until(lambda: camera.silent_since is not None, "the camera's silence")
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
    assert last.endswith("no picture since the start; exiting, for a restart")


IN_BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
"""The words before a command that have it ignore SIGINT, as a script's shell does after `&`."""


def signals(pid: int, which: str) -> set[int]:
    """Return the signals of a process that are caught (SigCgt) or ignored (SigIgn)."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(re.search(rf"{which}:\s*(\w+)", status)[1], 16)  # type: ignore[index]
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


@pytest.mark.parametrize(("within", "caught"), [((), {signal.SIGINT}), (IN_BACKGROUND, set())])
def test_an_interrupt_ends_the_program_unless_it_was_started_to_ignore_it(
    run: Callable[..., Program],
    carphone: Path,
    closed_port: int,
    within: Sequence[str],
    caught: set[int],
) -> None:
    program = run(str(carphone), closed_port, "loop = true\n", within=within)
    until(lambda: signal.SIGTERM in signals(program.process.pid, "SigCgt"), "its handlers")
    assert signals(program.process.pid, "SigCgt") & {signal.SIGINT} == caught
    assert signals(program.process.pid, "SigIgn") & {signal.SIGINT} == {signal.SIGINT} - caught
    if caught:
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait(DEADLINE_S) == 0
    else:
        program.stop()
        assert program.process.returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("text.mp4", b"no clip", "text.mp4: no video that can be read; choose another file"),
        ("folder", None, "folder: no pictures in this folder"),
    ],
)
@pytest.mark.parametrize("realtime", ["true", "false"])
def test_a_file_that_can_never_be_watched_is_a_wrong_configuration(
    run: Callable[..., Program],
    closed_port: int,
    tmp_path: Path,
    name: str,
    content: bytes | None,
    reason: str,
    realtime: str,
) -> None:
    source = tmp_path / name
    if content is None:
        source.mkdir()
    else:
        source.write_bytes(content)
    program = run(str(source), closed_port, f"realtime = {realtime}\n")
    assert program.process.wait(DEADLINE_S) == 78
    assert program.log.splitlines()[-1].startswith(f"tensormask: [camera] source: {reason}")


_DEAD_NAME_SERVER = """
mount --make-rprivate /
ip link set dev lo up
ip link add near type veth peer name far
ip address add 192.0.2.1/24 dev near
ip link set dev near up
ip link set dev far up
ip neighbour add 192.0.2.9 lladdr 02:00:00:00:00:09 dev near
mount --bind "$0" /etc/resolv.conf
exec "$@"
"""


@pytest.fixture
def without_names(tmp_path: Path) -> list[str]:
    """The words before a command that put it where no name server answers, for a minute."""
    answers = tmp_path / "resolv.conf"
    answers.write_text("nameserver 192.0.2.9\noptions timeout:30 attempts:2\n")
    within = ["unshare", "--mount", "--net", "sh", "-ec", _DEAD_NAME_SERVER, str(answers)]
    if shutil.which("ip") is None or subprocess.run([*within, "true"], check=False).returncode:
        pytest.skip("a network of its own needs root and iproute2")
    return within


def test_a_network_without_names_is_an_outage_like_any_other(
    run: Callable[..., Program], closed_port: int, without_names: list[str], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(DEADLINE_S)
        program = run(
            "rtsp://camera.example/live",
            closed_port,
            "open_timeout_s = 1.0\n",
            within=without_names,
            environment={
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
                "WATCHDOG_USEC": "2000000",
            },
        )
        program.wait_for("camera lost: rtsp://camera.example:554: its name was not resolved within")
        # It used to end by itself after six seconds, twice what an opening may take.
        lost_s = time.monotonic()
        while time.monotonic() - lost_s < 12:
            assert systemd.recv(4096)
            assert program.process.poll() is None, program.log
    assert program.stop() < 5
    assert program.process.returncode == 0


def test_a_status_is_kept_though_a_call_of_another_thread_hangs() -> None:
    script = """
import atexit, sys, threading
import edge.cli
from edge.__main__ import main
atexit.register(print, "taken down")
edge.cli.main = lambda: print("done") or 71
if "hangs" in sys.argv:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.exit(main())
"""
    for hangs, said in (("hangs", "done\n"), ("", "done\ntaken down\n")):
        command = [sys.executable, "-c", script, hangs]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stdout, ended.stderr) == (71, said, "")
