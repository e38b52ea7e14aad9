from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.broker import Received
from edge.camera import Camera
from edge.config import CommandSettings, MqttSettings, Settings, SnapshotSettings
from edge.decide import Decision
from edge.errors import CameraError, OutboxError
from edge.messages import ModelIdentity, Origin
from edge.pipeline import Outcome
from edge.records import Frame, Verdict, Violation, ViolationState, Visit
from edge.service import Service, Stopwatch
from edge.snapshot import Photographer
from edge.spool import Outbox, OutboxState
from edge.systemd import Notifier
from tests.fakes import START, ListedFrames, TurnedClock, frame_at

ORIGIN = Origin("door-1", "site", "zone", ModelIdentity(name="m", version="1", sha256="0" * 64))
EVENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def violation(state: ViolationState) -> Violation:
    ended_at = START + timedelta(seconds=9) if state is ViolationState.ENDED else None
    return Violation(EVENT_ID, state, 1, START, START, ended_at, 1.5, 0.97, 60)


NOTHING = Decision()


class ScriptedJudge:
    """Decides what a list says, frame by frame."""

    def __init__(self, decisions: Sequence[Decision], at_the_end: Decision = NOTHING) -> None:
        self._decisions = list(decisions)
        self._at_the_end = at_the_end

    def process(self, frame: Frame) -> Outcome:
        return Outcome((), self._decisions.pop(0) if self._decisions else NOTHING)

    def finish(self) -> Decision:
        decision, self._at_the_end = self._at_the_end, NOTHING
        return decision


@dataclass
class NotingPublisher:
    """Notes what it is told."""

    connected: bool = True
    reconnects: int = 0
    protocol: str = "MQTT 5"
    calls: list[str] = field(default_factory=list)
    states: list[tuple[str, bytes]] = field(default_factory=list)
    commands: list[Received] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)

    def start(self) -> None:
        self.calls.append("start")

    def wake(self) -> None:
        self.calls.append("wake")

    def publish_state(self, name: str, payload: bytes) -> None:
        self.states.append((name, payload))

    def take_commands(self) -> Iterator[Received]:
        while self.commands:
            yield self.commands.pop(0)

    def respond(self, payload: bytes) -> None:
        self.responses.append(json.loads(payload))

    def close(self, timeout_s: float = 0) -> None:
        self.calls.append("close")


class FullDisk:
    def append(self, topic: str, encode: Callable[[int], bytes]) -> int:
        raise OutboxError("the disk is full")

    def state(self) -> OutboxState:
        raise OutboxError("the disk does not answer")

    def close(self) -> None:
        pass


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    yield opened
    opened.close()


def service(
    outbox: Outbox | FullDisk,
    judge: ScriptedJudge,
    entries: Sequence[Frame | Exception | None],
    watchdog_s: float | None = None,
    notify_socket: str = "",
) -> tuple[Service, NotingPublisher, TurnedClock]:
    clock = TurnedClock()
    publisher = NotingPublisher()
    camera = Camera(lambda: ListedFrames(entries, clock), 5.0, clock)
    settings = Settings(mqtt=MqttSettings(host="broker"))
    built = Service(
        settings, ORIGIN, camera, judge, Stopwatch(clock), outbox, publisher,
        Notifier(notify_socket), watchdog_s, clock,
    )  # fmt: skip
    return built, publisher, clock


def test_a_violation_is_in_the_outbox_before_the_publisher_is_woken(
    outbox: Outbox, tmp_path: Path
) -> None:
    confirmed = Decision((violation(ViolationState.CONFIRMED),))
    ended = Decision((violation(ViolationState.ENDED),))
    built, publisher, _ = service(
        outbox, ScriptedJudge([Decision(), confirmed], ended), [frame_at(0), frame_at(1)]
    )
    built.run()
    opened_again = Outbox(tmp_path / "outbox.sqlite")
    rows = opened_again.pending(10)
    opened_again.close()
    assert [row.topic for row in rows] == ["tensormask/door-1/violation"] * 2
    documents = [json.loads(row.payload) for row in rows]
    assert [(d["state"], d["event_id"], d["sequence"]) for d in documents] == [
        ("confirmed", EVENT_ID, 1),
        ("ended", EVENT_ID, 2),
    ]
    assert publisher.calls == ["start", "wake", "wake", "close"]


def test_people_are_counted_when_they_leave(outbox: Outbox) -> None:
    visits = tuple(Visit(n, verdict, START, START) for n, verdict in enumerate(Verdict))
    built, publisher, _ = service(outbox, ScriptedJudge([Decision((), visits)]), [frame_at(0)])
    built.run()
    name, payload = publisher.states[-1]
    assert name == "compliance"
    day = json.loads(payload)["last_day"]
    assert (day["seen"], day["masked"], day["bare"], day["unknown"]) == (3, 1, 1, 1)


def test_health_is_published_at_its_interval(outbox: Outbox) -> None:
    # A frame each 0.5 s: waiting in vain takes that long.
    entries = [entry for n in range(200) for entry in (frame_at(n), None)]
    built, publisher, _ = service(outbox, ScriptedJudge([]), entries)
    built.run()
    reports = [json.loads(payload) for name, payload in publisher.states if name == "health"]
    assert [round(report["uptime_s"]) for report in reports] == [0, 30, 60, 90]
    assert reports[-1]["frames"] == 180
    assert reports[-1]["camera"] == {"state": "running", "outages": 0}
    assert set(reports[-1]["latency_ms"]) == {"total"}


def test_a_lost_camera_is_survived_and_reported(outbox: Outbox) -> None:
    clock = TurnedClock()
    openings = [
        ListedFrames([frame_at(0), CameraError("unplugged")], clock),
        ListedFrames([frame_at(1)] * 3, clock),
    ]
    publisher = NotingPublisher()
    built = Service(
        Settings(mqtt=MqttSettings(host="broker")), ORIGIN,
        Camera(lambda: openings.pop(0), 5.0, clock), ScriptedJudge([]), Stopwatch(clock), outbox,
        publisher, Notifier(), None, clock,
    )  # fmt: skip
    built.run()
    assert publisher.calls == ["start", "close"]
    assert clock.now_s == pytest.approx(1.0)


def test_a_full_disk_does_not_end_the_service(
    caplog: pytest.LogCaptureFixture,
) -> None:
    judge = ScriptedJudge([Decision((violation(ViolationState.CONFIRMED),))])
    built, publisher, _ = service(FullDisk(), judge, [frame_at(0), frame_at(1)])
    built.run()
    assert "is lost: the disk is full" in caplog.text
    assert publisher.calls[-1] == "close"


def test_stop_ends_the_loop_in_order(outbox: Outbox) -> None:
    built, publisher, _ = service(outbox, ScriptedJudge([]), [None] * 1000)
    built.stop()
    built.run()
    assert publisher.calls == ["start", "close"]


def test_a_judge_that_fails_ends_the_service_but_not_before_it_says_stopped(
    outbox: Outbox,
) -> None:
    class FailingJudge(ScriptedJudge):
        def process(self, frame: Frame) -> Outcome:
            raise RuntimeError("a bug")

    built, publisher, _ = service(outbox, FailingJudge([]), [frame_at(0)])
    with pytest.raises(RuntimeError, match="a bug"):
        built.run()
    assert publisher.calls == ["start", "close"]


def test_the_watchdog_is_fed_while_frames_are_judged_and_in_a_known_outage(
    outbox: Outbox, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(5)
        entries = [frame_at(0), None, None, CameraError("unplugged")]
        built, _, clock = service(outbox, ScriptedJudge([]), entries, 0.4, address)
        for _ in range(6):
            built.run_once()
        assert clock.now_s == pytest.approx(2.0)
        told = [systemd.recv(1000).decode() for _ in range(5)]
    assert all(line.startswith("WATCHDOG=1\nSTATUS=camera ") for line in told)
    assert "camera running" in told[1]
    assert "camera lost" in told[-1]


def commanded(
    outbox: Outbox,
    entries: Sequence[Frame | Exception | None],
    decisions: Sequence[Decision] = (),
    at_the_end: Decision = NOTHING,
) -> tuple[Service, NotingPublisher, TurnedClock]:
    """A service that obeys, and takes pictures in which no face is found."""
    clock = TurnedClock()
    publisher = NotingPublisher()
    settings = Settings(
        mqtt=MqttSettings(host="broker"),
        commands=CommandSettings(allowed=("pause", "resume", "restart"), per_minute=600),
    )
    photographer = Photographer(SnapshotSettings(pictures="pixelated"), lambda frame: ())
    built = Service(
        settings, ORIGIN, Camera(lambda: ListedFrames(entries, clock), 5.0, clock),
        ScriptedJudge(decisions, at_the_end), Stopwatch(clock), outbox, publisher, Notifier(), None,
        clock, photographer,
    )  # fmt: skip
    return built, publisher, clock


def command(name: str, payload: str = '{"request_id":"a"}') -> Received:
    return Received(f"tensormask/door-1/command/{name}", payload.encode())


def test_a_confirmed_violation_has_a_picture_and_its_end_has_none(outbox: Outbox) -> None:
    confirmed = Decision((violation(ViolationState.CONFIRMED),))
    ended = Decision((violation(ViolationState.ENDED),))
    built, _, _ = commanded(outbox, [frame_at(0), frame_at(1)], [confirmed, ended])
    for _ in range(2):
        built.run_once()
    documents = [json.loads(row.payload) for row in outbox.pending(10)]
    jpeg = base64.b64decode(documents[0]["snapshot"])
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (270, 480, 3)
    assert documents[1]["snapshot"] is None


def test_in_a_pause_nothing_is_judged_and_no_time_is_watched(outbox: Outbox) -> None:
    # A frame each 0.5 s.
    entries = [entry for n in range(100) for entry in (frame_at(n / 2), None)]
    late = [Decision((violation(ViolationState.CONFIRMED),))]
    built, publisher, clock = commanded(outbox, entries, [NOTHING] * 14 + late)
    while clock.now_s < 5:
        built.run_once()
    publisher.commands.append(command("pause", '{"request_id":"a","duration_s":20}'))
    while clock.now_s < 20:
        built.run_once()
    assert outbox.state().rows == 0
    reports = [json.loads(payload) for name, payload in publisher.states if name == "health"]
    assert [report["paused_for_s"] for report in reports] == [None, 20.0]
    watched = [
        json.loads(p)["last_hour"]["watched_s"] for n, p in publisher.states if n != "health"
    ]
    assert watched[-1] == pytest.approx(5, abs=0.6)
    while clock.now_s < 30:
        built.run_once()
    assert outbox.state().rows == 1, "the pause ends by itself"
    assert [answer["outcome"] for answer in publisher.responses] == ["done"]
    reports = [json.loads(payload) for name, payload in publisher.states if name == "health"]
    assert [report["paused_for_s"] for report in reports] == [None, 20.0, None]


def test_a_pause_ends_all_visits(outbox: Outbox) -> None:
    ended = Decision((violation(ViolationState.ENDED),))
    built, publisher, _ = commanded(outbox, [frame_at(0), frame_at(1)], at_the_end=ended)
    publisher.commands.append(command("pause"))
    for _ in range(2):
        built.run_once()
    assert [json.loads(row.payload)["state"] for row in outbox.pending(10)] == ["ended"]


def test_a_restart_ends_the_service_in_order_after_the_answer(outbox: Outbox) -> None:
    built, publisher, clock = commanded(outbox, [None] * 1000)
    clock.now_s = 60.0
    publisher.commands.append(command("restart"))
    built.run()
    assert [answer["outcome"] for answer in publisher.responses] == ["done"]
    assert publisher.calls == ["start", "close"]
    assert clock.now_s == pytest.approx(60.5)
