"""The box: the product's own recorder, outbox and sender of hours, in a process that is killed.

It says on a pipe how far it is, a line each: `S {…}` what its history has when it starts, `T n`:
turn `n` is over, `C n`: and all is committed, `D n`: the receiver has all violations, `E`: the end.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from deploy.receiver.documents import Delivered, Unreadable, read
from deploy.receiver.store import DocumentStore
from edge.clock import Moment, SteppedClock
from edge.config import OutboxSettings
from edge.daemon.hours import HourSender
from edge.daemon.lookout import Glance
from edge.daemon.recorder import Recorder
from edge.daemon.violations import ViolationReporter
from edge.decide.policy import Decision
from edge.history.records import SEEING, RunAbout, WatchState
from edge.history.store import FILE, HistoryReader
from edge.publish.mailbox import Entrusted, Mailbox
from edge.publish.messages import ModelIdentity, Origin
from edge.publish.outbox.outbox import Outbox
from edge.records import Violation, ViolationState, Visit
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    CameraView,
    ClockState,
    OutboxState,
    Pace,
    Telemetry,
    Vitals,
)
from tools.month.world import DOOR, HALL, MINUTE, ONLY, STAY, STEP_S, Passer, World

DEVICE = "month-1"
ORIGIN = Origin(DEVICE, "Museum", "door", ModelIdentity(name="m", version="1", sha256="0f" * 32))
ALWAYS = datetime.fromisoformat("2000-01-01T00:00Z"), datetime.fromisoformat("2100-01-01T00:00Z")
_VIEWS = {
    WatchState.DARK: CameraView.DARK,
    WatchState.BLINDED: CameraView.BLINDED,
    WatchState.COVERED: CameraView.COVERED,
}


class Totals(msgspec.Struct, frozen=True):
    """What a history has in all."""

    visits: int
    watched_s: float
    """With all that the camera did."""
    alerts: int


@dataclass(frozen=True, slots=True)
class Folders:
    """Of one box: what outlives a power cut, and what does not."""

    disk: Path
    memory: Path


class WorldClock:
    """The clocks of the box in a turn of the world."""

    def __init__(self, world: World, turn: int) -> None:
        self._world = world
        self.turn = turn

    def utc(self) -> datetime:
        return self._world.clock(self.turn)[0]

    def monotonic_s(self) -> float:
        return float(self.turn * STEP_S)

    def sleep(self, duration_s: float) -> None:
        raise AssertionError("the world goes on by itself")

    @property
    def is_right(self) -> bool:
        return self._world.clock(self.turn)[1]


class ReceiverWay(Mailbox):
    """The way to the receiver's own store, without the broker: it may deliver twice, and lose an
    acknowledgement."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._store = DocumentStore()

    def deliver_payload(self, topic: str, payload: bytes) -> bool:
        """Return whether it is acknowledged; it is stored in any case."""
        message = Delivered(topic, payload, False, datetime.now().astimezone())
        reading = read(message, pictures=False)
        assert not isinstance(reading, Unreadable), reading.reason
        times = 2 if self._chance.random() < 0.02 else 1
        self._store.write([(message, reading)] * times)
        return self._chance.random() > 0.02

    def wake(self) -> None:
        for message in self.due([], 99):
            while not self.deliver_payload(message.topic, message.payload):
                pass
            if isinstance(message, Entrusted):
                self.settle(message)


class SimulatedBox:
    """One run of the program, from its first turn until it is killed or the world is over."""

    def __init__(self, world: World, folders: Folders, run: str, first: int, pipe: int) -> None:
        self._world = world
        self._path = folders.disk / FILE
        self._clock = clock = WorldClock(world, first)
        self._pipe = pipe
        self._first = first
        is_right = lambda: clock.is_right  # noqa: E731
        self._recorder = Recorder(
            self._path,
            400,
            RunAbout("0", "", "m", "d", "s"),
            folders.memory,
            clock=clock,
            run=run,
        )
        self._receiver = ReceiverWay(random.Random(run))
        moment = lambda: Moment(clock.utc(), clock.is_right, run, clock.monotonic_s())  # noqa: E731
        self._outbox = Outbox(folders.disk / "outbox.sqlite", OutboxSettings(), moment)
        self._reporter = ViolationReporter(
            self._outbox,
            lambda: None,
            ORIGIN,
            "tensormask",
            {},
            is_right,
            {ONLY: "", DOOR: "", HALL: ""},
        )
        self._hours = HourSender(
            self._path, ORIGIN, "tensormask", self._receiver, self._receiver.wake, clock, is_right
        )
        self._stepped = SteppedClock(clock)
        self._begun: dict[int, Violation] = {}
        self._telemetry = a_telemetry()

    def live(self) -> None:
        self._recorder.begin()
        self._recorder.tend()
        self._say(f"S {msgspec.json.encode(totals(self._path)).decode()}")
        self._reporter.end_left_open()
        written_at = self._recorder.state.written_at
        for turn in range(self._first, self._world.turns + 1):
            self._clock.turn = turn
            self._turn(turn)
            if self._recorder.state.written_at != written_at:
                written_at = self._recorder.state.written_at
                self._say(f"C {turn}")
            else:
                self._say(f"T {turn}")
            if turn % MINUTE == 0 and not self._world.is_offline(turn):
                self._deliver(turn)
        self._recorder.end()
        self._say("E")

    def _turn(self, turn: int) -> None:
        """Do what the loop does: first what is on disk before all else, then the outlets."""
        self._note_clock_and_camera(turn)
        for camera in self._world.cameras(turn):
            self._glance(turn, camera)
        self._recorder.tend()

    def _glance(self, turn: int, camera: str) -> None:
        violations = tuple(self._violations(turn, camera))
        self._reporter.take(violations, None, camera)
        now = self._clock.utc()
        is_required = self._world.rule_is_on(now)
        visits = tuple(
            Visit(each.number, each.verdict, now, now, each.face_px, each.zone, is_required)
            for each in self._world.seen(turn)
            if each.camera == camera
        )
        watch = self._world.watch(turn, camera)
        glance = Glance(
            decision=Decision(violations, visits),
            watched_s=STEP_S if watch in SEEING else 0.0,
            camera=camera,
            watch=watch,
            turn_s=float(STEP_S),
        )
        self._recorder.take(glance, self._telemetry)

    def _note_clock_and_camera(self, turn: int) -> None:
        self._stepped.look()
        steps, is_right = self._stepped.steps, self._clock.is_right
        clock = ClockState(steps, self._stepped.last_step_s, is_right)
        watch = self._world.watch(turn)
        state = CameraState.LOST if watch is WatchState.LOST else CameraState.RUNNING
        camera = replace(
            self._telemetry.camera, state=state, view=_VIEWS.get(watch, CameraView.CLEAR)
        )
        if (clock, camera) != (self._telemetry.clock, self._telemetry.camera):
            self._telemetry = replace(self._telemetry, clock=clock, camera=camera)

    def _violations(self, turn: int, camera: str) -> Iterator[Violation]:
        for each in self._world.seen(turn):
            if each.camera == camera and (begun := self._begun.pop(each.number, None)) is not None:
                ended_at = begun.confirmed_at + timedelta(seconds=STAY * STEP_S)
                yield replace(
                    begun,
                    state=ViolationState.ENDED,
                    ended_at=ended_at,
                    duration_s=begun.duration_s + STAY * STEP_S,
                )
        for each in self._world.alerted(turn):
            if each.camera != camera:
                continue
            self._begun[each.number] = begun = a_violation(each, self._clock.utc())
            yield begun

    def _deliver(self, turn: int) -> None:
        """What the publisher does while it is connected."""
        while documents := self._outbox.pending(100):
            for each in documents:
                if self._receiver.deliver_payload(each.topic, each.payload):
                    self._outbox.acknowledge([each.sequence])
        self._hours.send_due()
        self._say(f"D {turn}")

    def _say(self, line: str) -> None:
        os.write(self._pipe, f"{line}\n".encode())


def a_violation(visitor: Passer, at: datetime) -> Violation:
    return Violation(
        event_id=event_id(visitor),
        state=ViolationState.CONFIRMED,
        track_id=visitor.number,
        started_at=at - timedelta(seconds=1.5),
        confirmed_at=at,
        ended_at=None,
        duration_s=1.5,
        bare_probability=0.98,
        face_px=visitor.face_px,
        probability=0.98,
        zone=visitor.zone,
    )


def event_id(visitor: Passer) -> str:
    """Return the same for the same person, in the form of a UUID version 7."""
    return f"00000000-0000-7000-8000-{visitor.number:012x}"


def totals(path: Path) -> Totals:
    """Return what a history has in all."""
    with closing(HistoryReader(path)) as reader:
        return Totals(
            sum(each.visits for each in reader.people(*ALWAYS)),
            sum(each.seconds for each in reader.watched(*ALWAYS)),
            len(reader.alerts(*ALWAYS)),
        )


def a_telemetry() -> Telemetry:
    return Telemetry(
        uptime_s=0.0,
        frames=0,
        fps=10.0,
        latencies={},
        dropped_frames=0,
        camera=CameraStatus(CameraState.RUNNING, 0, CameraView.CLEAR, 10.0, slow=False),
        outbox=OutboxState(),
        broker=BrokerState(connected=True, reconnects=0, protocol="MQTT 5"),
        vitals=Vitals(),
        rss_bytes=0,
        pace=Pace(),
        clock=ClockState(0, None),
        paused_for_s=None,
    )
