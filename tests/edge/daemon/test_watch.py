from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from edge.capture.camera import Camera, Frames, Patience
from edge.conditions import Code, Severity, conditions
from edge.config import MqttSettings, Settings
from edge.daemon.budget import Budget
from edge.daemon.handover import GATHER_S, ROOM, Handover
from edge.daemon.lookout import FrameJudge, Glance, Lookout
from edge.daemon.watch import STUCK_S, ParallelWatch
from edge.decide.policy import Decision
from edge.errors import CameraError, CameraLostError
from edge.host.health import Stopwatch
from edge.host.systemd import Notifier
from edge.pipeline import STEPS, FrameOutcome
from edge.publish.outbox.outbox import Outbox
from edge.records import Frame, Verdict, Visit
from edge.telemetry import CameraState, Pace
from tests.edge.daemon.test_service import NotingPublisher, ScriptedJudge, built_of
from tests.fakes import START, TurnedClock, frame_at
from tests.waiting import until

PATIENCE = Patience(open_s=5, stall_s=5)
SETTINGS = Settings(mqtt=MqttSettings(host="broker"))


def visit(number: int = 1) -> Decision:
    left = START + timedelta(seconds=number)
    return Decision((), (Visit(number, Verdict.MASKED, START, left),))


@dataclass
class Calm:
    """Nothing holds the cameras back, or those whose names are here are paused."""

    pace: Pace = field(default_factory=Pace)
    paused: frozenset[str] = frozenset()

    def is_paused_at(self, camera: str) -> bool:
        return camera in self.paused


class Endless:
    """A source that gives its frame again and again, as often as it is asked; then `then`."""

    def __init__(self, frames: int | None = None, then: Exception | None = None) -> None:
        self.left = frames
        self.then = then
        self.ended = False
        self.dropped = 0
        self.silent_s = 0.0
        self._number = 0

    def read(self, timeout_s: float) -> Frame | None:
        threading.Event().wait(0.002)
        if self.left is not None:
            if self.left == 0:
                if self.then is not None:
                    raise self.then
                self.ended = True
                return None
            self.left -= 1
        self._number += 1
        return frame_at(self._number / 10)

    def close(self, timeout_s: float = 0) -> bool:
        return True


def lookout(name: str, frames: Frames, judge: FrameJudge, patience: Patience = PATIENCE) -> Lookout:
    camera = Camera(lambda: frames, patience, name=name)
    return Lookout(camera, judge, Stopwatch(STEPS), Budget(SETTINGS, 4, 0.0), name=name)


@pytest.fixture
def watching() -> Iterator[Callable[..., ParallelWatch]]:
    """Begins a watch, and ends it with the test."""
    begun: list[ParallelWatch] = []

    def begin(*lookouts: Lookout, orders: Calm | None = None) -> ParallelWatch:
        watch = ParallelWatch(lookouts)
        begun.append(watch)
        watch.start(orders or Calm())
        return watch

    yield begin
    for watch in begun:
        watch.close()


def glances_until(
    watch: ParallelWatch, is_enough: Callable[[Sequence[Glance]], bool]
) -> list[Glance]:
    taken: list[Glance] = []

    def enough() -> bool:
        taken.append(watch.look(Calm()))
        return is_enough(taken)

    until(enough, "what the cameras bring")
    return taken


def test_what_each_camera_decides_arrives_once_and_in_its_order(
    watching: Callable[..., ParallelWatch],
) -> None:
    rows = {name: [visit(number) for number in range(1, 30)] for name in ("door", "hall", "yard")}
    watch = watching(
        *(lookout(name, Endless(40), ScriptedJudge(row)) for name, row in rows.items())
    )
    taken: list[Glance] = []
    while not watch.ended:
        taken.append(watch.look(Calm()))
    taken.extend(watch.end_visits())
    for name in rows:
        ids = [v.track_id for each in taken if each.camera == name for v in each.decision.visits]
        assert ids == list(range(1, 30))


def test_a_lost_camera_stops_no_other(watching: Callable[..., ParallelWatch]) -> None:
    gone = Endless(5, CameraError("unplugged"))
    watch = watching(
        lookout("door", gone, ScriptedJudge([])), lookout("hall", Endless(), ScriptedJudge([]))
    )
    until(lambda: watch.camera_states[0] is CameraState.LOST, "the door's camera is lost")
    before = watch.states()[1].report.frames
    glances_until(watch, lambda _: watch.states()[1].report.frames > before + 20)
    door, hall = watch.states()
    assert (door.status.trouble, hall.status.state) == ("unplugged", CameraState.RUNNING)
    assert watch.is_going, "an outage in hand is no hang"


def test_a_camera_that_only_a_new_process_gets_back_waits_while_another_sees(
    watching: Callable[..., ParallelWatch],
) -> None:
    impatient = Patience(open_s=5, stall_s=5, restart_s=0.0)
    gone = Endless(3, CameraError("unplugged"))
    other = Endless()
    watch = watching(
        lookout("door", gone, ScriptedJudge([]), impatient),
        lookout("hall", other, ScriptedJudge([])),
    )
    until(lambda: watch.camera_states[0] is CameraState.LOST, "the door's camera is lost")
    glances_until(watch, lambda taken: len(taken) > 20)
    other.left, other.then = 0, CameraError("the network is gone")
    with pytest.raises(CameraLostError, match="unplugged"):
        glances_until(watch, lambda _: False)


def test_a_failure_in_one_thread_ends_the_watch_loudly(
    watching: Callable[..., ParallelWatch],
) -> None:
    class Broken(ScriptedJudge):
        def process(self, frame: Frame) -> FrameOutcome:
            raise RuntimeError("a bug")

    watch = watching(
        lookout("door", Endless(), Broken([])), lookout("hall", Endless(), ScriptedJudge([]))
    )
    with pytest.raises(RuntimeError, match="a bug"):
        glances_until(watch, lambda _: False)


def test_a_thread_that_hangs_is_named_and_the_watch_does_not_go_on() -> None:
    hang = threading.Event()

    class Hanging(ScriptedJudge):
        def process(self, frame: Frame) -> FrameOutcome:
            hang.wait()
            return super().process(frame)

    clock = TurnedClock()
    watch = ParallelWatch(
        [lookout("door", Endless(), Hanging([])), lookout("hall", Endless(), ScriptedJudge([]))],
        clock,
    )
    watch.start(Calm())
    until(lambda: watch.states()[1].report.frames > 0, "the hall is judged")
    assert watch.is_going
    clock.now_s += STUCK_S + 1
    until(lambda: [each.report.is_stuck for each in watch.states()] == [True, False], "named")
    assert not watch.is_going
    hang.set()
    until(lambda: watch.is_going, "the door goes on")
    watch.close()


def test_systemd_hears_nothing_while_one_thread_hangs_and_health_names_its_camera(
    tmp_path: Path,
) -> None:
    hang, clock, outbox = threading.Event(), TurnedClock(), Outbox(tmp_path / "outbox.sqlite")

    class Hanging(ScriptedJudge):
        def process(self, frame: Frame) -> FrameOutcome:
            if frame.number > 100:  # from its second frame on
                hang.wait()
            return super().process(frame)

    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.setblocking(False)
        camera = Camera(Endless, PATIENCE, clock)
        built = built_of(
            camera,
            ScriptedJudge([]),
            outbox,
            NotingPublisher(),
            clock,
            notifier=Notifier(address, 1),
        )
        watch = ParallelWatch(
            [
                lookout("door", Endless(), Hanging([])),
                lookout("hall", Endless(), ScriptedJudge([])),
            ],
            clock,
        )
        built.watch = watch
        watch.start(built.device)
        until(lambda: CameraState.STARTING not in watch.camera_states, "both give frames")
        for _ in range(3):
            clock.now_s += 2
            built.run_once()
        assert heard(systemd) == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
        clock.now_s += STUCK_S
        for _ in range(3):
            clock.now_s += 2
            built.run_once()
        assert heard(systemd) == []
        telemetry = built.device.telemetry
        assert telemetry is not None
        stuck = [each for each in conditions(telemetry) if each.code is Code.JUDGING_STUCK]
        assert [(each.camera, each.severity) for each in stuck] == [("door", Severity.FAULT)]
        hang.set()
        until(lambda: watch.is_going, "it goes on")
        clock.now_s += 2
        built.run_once()
        assert heard(systemd) == ["WATCHDOG=1"]
    watch.close()
    outbox.close()


def heard(systemd: socket.socket) -> list[str]:
    """Return the first line of each message that has come."""
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(systemd.recv(1000).decode().splitlines()[0])
    return found


def test_a_paused_camera_judges_nobody_and_the_other_does(
    watching: Callable[..., ParallelWatch],
) -> None:
    watch = watching(
        lookout("door", Endless(), ScriptedJudge([])),
        lookout("hall", Endless(), ScriptedJudge([])),
        orders=Calm(paused=frozenset({"door"})),
    )
    glances_until(watch, lambda _: watch.states()[1].report.frames > 20)
    assert watch.states()[0].report.frames == 0


def test_people_in_sight_are_reported_when_the_service_stops(
    watching: Callable[..., ParallelWatch],
) -> None:
    watch = watching(
        lookout("door", Endless(), ScriptedJudge([], visit(7))),
        lookout("hall", Endless(), ScriptedJudge([], visit(8))),
    )
    glances_until(watch, lambda taken: len(taken) > 5)
    left = {
        each.camera: [v.track_id for v in each.decision.visits]
        for each in watch.end_visits()
        if each.decision.visits
    }
    assert left == {"door": [7], "hall": [8]}


def test_turns_that_decide_nothing_become_one() -> None:
    handover = Handover(["door"])
    frames = [frame_at(0.1), frame_at(0.2)]
    for frame in frames:
        handover.put(Glance(frame, watched_s=0.1, camera="door"))
    handover.put(Glance(None, watched_s=0.1, camera="door"))
    taken = handover.take(0)
    assert taken is not None
    assert (taken.frame, round(taken.watched_s, 3)) == (frames[1], 0.3)
    assert handover.take(0) is None


def test_the_loop_comes_round_for_a_decision_and_not_for_every_frame() -> None:
    handover, frames = Handover(["door", "hall"]), 400
    taken: list[Glance] = []

    def take_all() -> None:
        while not any(each.decision.visits for each in taken):
            glance = handover.take(5)
            assert glance is not None
            taken.append(glance)

    loop = threading.Thread(target=take_all)
    loop.start()
    began_s = time.monotonic()
    for _ in range(frames):
        handover.put(Glance(None, watched_s=0.1, camera="door"))
        handover.put(Glance(None, watched_s=0.1, camera="hall"))
    passed_s = time.monotonic() - began_s
    handover.put(Glance(None, visit(), camera="door"))
    loop.join(5)
    assert len(taken) <= 2 * (passed_s / GATHER_S + 2)
    handover.close()
    while (glance := handover.take(0)) is not None:
        taken.append(glance)
    assert round(sum(each.watched_s for each in taken), 3) == 2 * frames * 0.1


def test_cameras_take_turns_however_much_one_brings() -> None:
    handover = Handover(["door", "hall"])
    for number in range(3):
        handover.put(Glance(None, visit(number + 1), camera="door"))
    handover.put(Glance(None, visit(9), camera="hall"))
    names = [taken.camera for _ in range(4) if (taken := handover.take(0)) is not None]
    assert names == ["door", "hall", "door", "door"]


def test_a_row_of_decisions_has_a_bound_and_loses_none() -> None:
    handover = Handover(["door"])
    count = 3 * ROOM

    def bring() -> None:
        for number in range(1, count + 1):
            handover.put(Glance(None, visit(number), camera="door"))

    bringing = threading.Thread(target=bring)
    bringing.start()
    bringing.join(0.1)
    assert bringing.is_alive(), "it waits for the loop"
    ids: list[int] = []
    while len(ids) < count:
        taken = handover.take(5)
        assert taken is not None
        ids.append(taken.decision.visits[0].track_id)
    bringing.join()
    assert ids == list(range(1, count + 1))
