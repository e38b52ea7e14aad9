"""The program itself with two cameras: clips, a stream that is not there, a kill in between."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.history.store import FILE, HistoryReader
from edge.people import PEOPLE, frames
from edge.publish.outbox.outbox import Outbox
from edge.records import Verdict
from edge.telemetry import Telemetry
from tests.edge.capture.fakes import write_clip
from tests.waiting import DEADLINE_S, until

ROOT = Path(__file__).resolve().parents[2]
FPS = 10
SAME = ("state", "duration_s", "bare_probability", "probability", "face_px", "track_id", "kind")
"""What the frames decide; the rest is the time of day."""
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four seconds before a door where two wear a mask and one does not, and in a hall where one
    does not."""
    folder = tmp_path_factory.mktemp("clips")
    who = {"door": PEOPLE, "hall": PEOPLE[-1:]}
    return {
        name: write_clip(folder / f"{name}.avi", [*frames(4 * FPS, FPS, people)], FPS)
        for name, people in who.items()
    }


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


class Box:
    """The program with its state in a folder, without a broker."""

    def __init__(self, folder: Path, cameras: str, broker_port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._outbox = folder / "outbox.sqlite"
        settings = folder / "tensormask.toml"
        settings.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n[outbox]\npath = "{self._outbox}"\n'
            f'[detector]\nplan = "usual"\n{cameras}'
        )
        self.log_path = folder / "log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", str(settings)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT), "RUNTIME_DIRECTORY": str(folder)},
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def telemetry(self) -> Telemetry | None:
        """What it says of itself now."""
        try:
            content = (self.folder / "telemetry.json").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(content, type=Telemetry)

    def frames(self, camera: str) -> int:
        telemetry = self.telemetry
        return 0 if telemetry is None else telemetry.of(camera).frames

    def documents(self) -> list[dict[str, Any]]:
        """Return all that waits for the broker, once the program has ended."""
        opened = Outbox(self._outbox)
        documents = [json.loads(row.payload) for row in opened.pending(100)]
        opened.close()
        return documents

    def visits(self) -> dict[str, Counter[tuple[Verdict, int]]]:
        """Return what people were counted as, and the class of their size, by camera."""
        found: dict[str, Counter[tuple[Verdict, int]]] = {}
        with HistoryReader(self.folder / FILE) as reader:
            for each in reader.people(*ALWAYS):
                of_camera = found.setdefault(each.place.camera, Counter())
                of_camera[each.verdict, each.size_px] += each.visits
        return found


@pytest.fixture
def start(tmp_path: Path, closed_port: int) -> Iterator[Callable[..., Box]]:
    started: list[Box] = []

    def begin(cameras: str, name: str = "box") -> Box:
        started.append(Box(tmp_path / name, cameras, closed_port))
        return started[-1]

    yield begin
    for box in started:
        box.process.kill()
        box.process.wait()


def section(name: str, source: object, more: str = "") -> str:
    return f'[[camera]]\nname = "{name}"\nsource = "{source}"\n{more}\n'


def decided(documents: Sequence[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [tuple(each[key] for key in SAME) for each in documents]


def test_two_cameras_decide_what_each_decides_alone(
    start: Callable[..., Box], clips: dict[str, Path]
) -> None:
    each_frame = "realtime = false"
    alone, visits_alone = {}, {}
    for name, clip in clips.items():
        box = start(f'[camera]\nsource = "{clip}"\n{each_frame}\n', f"alone-{name}")
        assert box.process.wait(DEADLINE_S) == 0, box.log
        alone[name] = box.documents()
        assert alone[name], "somebody is reported"
        (visits_alone[name],) = box.visits().values()
        assert all("camera" not in each for each in alone[name])
    both = start("".join(section(name, clip, each_frame) for name, clip in clips.items()))
    assert both.process.wait(DEADLINE_S) == 0, both.log
    documents = both.documents()
    assert [each["sequence"] for each in documents] == list(range(1, len(documents) + 1))
    for name in clips:
        of_this = [each for each in documents if each["camera"] == name]
        assert decided(of_this) == decided(alone[name])
    assert both.visits() == visits_alone


def test_a_stream_that_is_not_there_stops_no_clip_and_a_kill_loses_no_end(
    start: Callable[..., Box], clips: dict[str, Path], closed_port: int
) -> None:
    cameras = section("hall", f"rtsp://127.0.0.1:{closed_port}/live", 'zone = "hall, east"')
    cameras += section("door", clips["door"], 'loop = true\nzone = "entrance"')
    box = start(cameras)
    until(lambda: "camera hall: camera lost" in box.log, "the stream is lost")
    until(lambda: "camera door: violation confirmed" in box.log, "somebody is reported")
    seen = box.frames("door")
    until(lambda: box.frames("door") > seen + 2 * FPS, "the door goes on")
    telemetry = box.telemetry
    assert telemetry is not None
    assert [(name, str(status.state)) for name, status in telemetry.each_camera] == [
        ("hall", "lost"),
        ("door", "running"),
    ]
    box.process.send_signal(signal.SIGKILL)
    box.process.wait()
    again = start(cameras)
    until(lambda: "the program was cut off before it saw the end" in again.log, "its end")
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(DEADLINE_S) == 0, again.log
    documents = again.documents()
    assert {(each["camera"], each["zone"]) for each in documents} == {("door", "entrance")}
    begun = {each["event_id"] for each in documents if each["state"] == "confirmed"}
    assert {each["event_id"] for each in documents if each["state"] == "ended"} == begun
    assert any(each["interrupted"] for each in documents)


def test_both_cameras_get_their_turn_on_a_slow_machine(
    start: Callable[..., Box], clips: dict[str, Path]
) -> None:
    cameras = "".join(section(name, clips["door"], "loop = true") for name in ("one", "two"))
    box = start(cameras)
    only = min(os.sched_getaffinity(0))
    os.sched_setaffinity(box.process.pid, {only})
    until(lambda: min(box.frames("one"), box.frames("two")) > 4 * FPS, "both are judged")
    one, two = box.frames("one"), box.frames("two")
    assert min(one, two) > 0.6 * max(one, two)
    box.process.send_signal(signal.SIGTERM)
    assert box.process.wait(DEADLINE_S) == 0, box.log
