from __future__ import annotations

import base64
import json
import logging
import math
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.capture.camera import Camera, Patience
from edge.classify.card import CardThresholds
from edge.config import (
    CommandSettings,
    HealthSettings,
    MqttSettings,
    PolicySettings,
    Polygons,
    Settings,
    SnapshotSettings,
    ZoneSettings,
)
from edge.daemon.budget import Budget
from edge.daemon.device import Device
from edge.daemon.lookout import FrameJudge, Glance, Lookout
from edge.daemon.outlets import Outlet
from edge.daemon.service import Service
from edge.daemon.watch import SingleWatch
from edge.decide.identity import EventIds
from edge.decide.policy import Decision, ViolationPolicy
from edge.detect.area import Area
from edge.detect.cadence import PacedDetection
from edge.detect.detection import FaceDetection
from edge.errors import CameraError, ConfigError, MissingPackageError, PictureError
from edge.host.health import Stopwatch, read_vitals
from edge.host.load import CALM_S
from edge.host.systemd import Notifier
from edge.look import Attention
from edge.pipeline import STEPS, FrameOutcome, Pipeline
from edge.plan import FULL, SeeingPlan, Work
from edge.privacy.picture import Photographer
from edge.publish.answers import Received
from edge.publish.messages import ModelIdentity, Origin, Versions
from edge.publish.outbox.outbox import Outbox
from edge.records import (
    Face,
    Frame,
    MaskReading,
    Pixels,
    Sighting,
    Verdict,
    Violation,
    ViolationState,
    Visit,
)
from edge.telemetry import BrokerState, Telemetry, Vitals
from edge.track import Tracker
from tests.disk import SmallDisk
from tests.fakes import (
    START,
    FixedDetector,
    ListedFrames,
    SetClock,
    TurnedClock,
    blank,
    face_at,
    face_read,
    frame_at,
    reading_at,
)

ORIGIN = Origin("door-1", "site", "zone", ModelIdentity(name="m", version="1", sha256="0" * 64))
EVENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def violation(state: ViolationState) -> Violation:
    ended_at = START + timedelta(seconds=9) if state is ViolationState.ENDED else None
    return Violation(EVENT_ID, state, 1, START, START, ended_at, 1.5, 0.97, 60, 0.97)


NOTHING = Decision()
PATIENCE = Patience(open_s=5, stall_s=5)


class ScriptedJudge:
    """Decides what a list says, frame by frame."""

    def __init__(self, decisions: Sequence[Decision], at_the_end: Decision = NOTHING) -> None:
        self._decisions = list(decisions)
        self._at_the_end = at_the_end

    def process(self, frame: Frame) -> FrameOutcome:
        return FrameOutcome((), self._decisions.pop(0) if self._decisions else NOTHING)

    def finish(self) -> Decision:
        decision, self._at_the_end = self._at_the_end, NOTHING
        return decision

    bridged_s = 0.0
    rotation_wanted_deg: int | None = None
    lifeless_places: Polygons = ()
    work = Work()

    def limit_to(self, area: Area) -> None:
        self.area = area

    def divide_into(self, zones: Sequence[ZoneSettings]) -> None:
        self.zones = tuple(zones)

    def follow(self, plan: SeeingPlan) -> None:
        self.plan = plan


@dataclass
class NotingPublisher:
    """Notes what it is given."""

    state: BrokerState = field(default_factory=lambda: BrokerState(True, 0, "MQTT 5"))
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


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite")
    yield opened
    opened.close()


VERSIONS = Versions(program="1", runtime="r 1", python="3", opencv="4")
SETTINGS = Settings(mqtt=MqttSettings(host="broker"))
NOBODY = Notifier()


def built_of(
    camera: Camera,
    judge: FrameJudge,
    outbox: Outbox,
    publisher: NotingPublisher,
    clock: TurnedClock,
    settings: Settings = SETTINGS,
    notifier: Notifier = NOBODY,
    photographer: Photographer | None = None,
    clock_is_right: Callable[[], bool] = lambda: True,
    vitals: Callable[[], Vitals] = Vitals,
    outlets: Sequence[Outlet] = (),
    lamps: Outlet | None = None,
) -> Service:
    device = Device(
        settings, ORIGIN, VERSIONS, outbox, publisher, notifier,
        {} if photographer is None else {"": photographer}, None,
        None, None, None, clock, clock_is_right, vitals,
    )  # fmt: skip
    budget = Budget(settings, 4, clock.monotonic_s())
    lookout = Lookout(camera, judge, Stopwatch(STEPS, clock), budget, clock)
    return Service(SingleWatch(lookout), device, outlets=outlets, lamps=lamps)


def service(
    outbox: Outbox,
    judge: ScriptedJudge,
    entries: Sequence[Frame | Exception | None],
    notifier: Notifier = NOBODY,
    outlets: Sequence[Outlet] = (),
) -> tuple[Service, NotingPublisher, TurnedClock]:
    clock, publisher = TurnedClock(), NotingPublisher()
    camera = Camera(lambda: ListedFrames(entries, clock), PATIENCE, clock)
    built = built_of(camera, judge, outbox, publisher, clock, notifier=notifier, outlets=outlets)
    return built, publisher, clock


def test_a_violation_is_in_the_outbox_before_the_publisher_is_woken(
    outbox: Outbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
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
    named = [line.partition("; ")[2] for line in caplog.messages if line.startswith("violation")]
    assert named == [f"message {n} of event {EVENT_ID}" for n in (1, 2)]


class NotingOutlet:
    """Notes what it is given, beside what the publisher notes."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.snapshots: list[bytes | None] = []

    def start(self) -> None:
        self.calls.append("start")

    def take(self, glance: Glance, telemetry: Telemetry) -> None:
        self.calls.extend(each.state for each in glance.decision.violations)
        self.snapshots.extend([glance.snapshot] if glance.decision.violations else [])
        self.frames = telemetry.frames

    def close(self) -> None:
        self.calls.append("close")


def test_an_outlet_gets_all_that_is_decided_also_at_the_end(outbox: Outbox) -> None:
    outlet = NotingOutlet()
    confirmed = Decision((violation(ViolationState.CONFIRMED),))
    ended = Decision((violation(ViolationState.ENDED),))
    judge = ScriptedJudge([confirmed], ended)
    built, _, _ = service(outbox, judge, [frame_at(0), frame_at(1)], outlets=[outlet])
    built.run()
    assert outlet.calls == ["start", ViolationState.CONFIRMED, ViolationState.ENDED, "close"]
    assert outlet.frames == 1  # of the telemetry, which is taken once a second


def killed_while_told(state: Path, after: Path) -> None:
    """Confirm a violation, and leave in `after` what a kill leaves then."""
    outbox = Outbox(state / "outbox.sqlite")
    confirmed = Decision((violation(ViolationState.CONFIRMED),))
    built, _, _ = service(outbox, ScriptedJudge([confirmed]), [frame_at(0), frame_at(1)])
    built.run_once()
    shutil.copytree(state, after)
    outbox.close()


def documents_in(outbox: Outbox) -> list[dict[str, Any]]:
    return [json.loads(document.payload) for document in outbox.pending(99)]


def test_what_a_kill_leaves_open_is_ended_at_the_next_start_and_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_while_told(tmp_path / "state", tmp_path / "after")
    for _ in range(3):
        outbox = Outbox(tmp_path / "after" / "outbox.sqlite")
        built, _, _ = service(outbox, ScriptedJudge([]), [frame_at(0)])
        built.run()
    outbox = Outbox(tmp_path / "after" / "outbox.sqlite")
    confirmed, ended = documents_in(outbox)
    outbox.close()
    expected = {"sequence": 2, "state": "ended", "interrupted": True}
    at = {"at": confirmed["at"], "ended_at": confirmed["confirmed_at"]}
    assert ended == {**confirmed, **expected, **at}
    assert "message 2 of event " + EVENT_ID in caplog.text


def test_who_is_still_there_after_a_kill_is_an_event_of_its_own(tmp_path: Path) -> None:
    killed_while_told(tmp_path / "state", tmp_path / "after")
    outbox = Outbox(tmp_path / "after" / "outbox.sqlite")
    second = replace(violation(ViolationState.CONFIRMED), event_id=EVENT_ID[:-1] + "0")
    ended = replace(violation(ViolationState.ENDED), event_id=second.event_id)
    judge = ScriptedJudge([Decision((second,))], Decision((ended,)))
    built, _, _ = service(outbox, judge, [frame_at(0)])
    built.run()
    outbox = Outbox(tmp_path / "after" / "outbox.sqlite")
    assert [(d["event_id"], d["state"], d["interrupted"]) for d in documents_in(outbox)] == [
        (EVENT_ID, "confirmed", False),
        (EVENT_ID, "ended", True),
        (second.event_id, "confirmed", False),
        (second.event_id, "ended", False),
    ]
    assert outbox.left_open() == []
    outbox.close()


def test_people_are_counted_when_they_leave(outbox: Outbox) -> None:
    visits = tuple(Visit(n, verdict, START, START) for n, verdict in enumerate(Verdict))
    built, publisher, _ = service(outbox, ScriptedJudge([Decision((), visits)]), [frame_at(0)])
    built.run()
    name, payload = publisher.states[-1]
    assert name == "compliance"
    day = json.loads(payload)["last_day"]
    assert [day[name] for name in ("seen", *Verdict)] == [4, 1, 1, 1, 1]


def test_health_is_published_at_its_interval(outbox: Outbox) -> None:
    # A frame each 0.5 s: waiting in vain takes that long.
    entries = [entry for n in range(200) for entry in (frame_at(n, striped()), None)]
    built, publisher, _ = service(outbox, ScriptedJudge([]), entries)
    built.run()
    reports = [json.loads(payload) for name, payload in publisher.states if name == "health"]
    assert [round(report["uptime_s"]) for report in reports] == [0, 30, 60, 90]
    assert reports[-1]["frames"] == 180
    assert reports[-1]["camera"]["state"] == "running"
    assert set(reports[-1]["latency_ms"]) == {"total"}


def test_a_lost_camera_is_survived_and_reported(outbox: Outbox) -> None:
    clock = TurnedClock()
    openings = [
        ListedFrames([frame_at(0), CameraError("unplugged")], clock),
        ListedFrames([frame_at(1)] * 3, clock),
    ]
    publisher = NotingPublisher()
    camera = Camera(lambda: openings.pop(0), PATIENCE, clock)
    built = built_of(camera, ScriptedJudge([]), outbox, publisher, clock)
    built.run()
    assert publisher.calls == ["start", "close"]
    assert clock.now_s == pytest.approx(1.0)


@dataclass
class Filmed:
    """A camera that films at 10 frames a second until it is unplugged."""

    clock: TurnedClock
    until_s: float
    ended: bool = False
    dropped: int = 0
    silent_s: float = 0.0

    def read(self, timeout_s: float) -> Frame | None:
        number = math.floor(10 * self.clock.now_s + 1.001)
        self.clock.sleep(number / 10 - self.clock.now_s)
        if number / 10 > self.until_s:
            raise CameraError("unplugged")
        return Frame(number, striped(), self.clock.utc(), self.clock.monotonic_s())

    def close(self, timeout_s: float = 0) -> bool:
        return True


class AlwaysBare:
    def classify(self, frame: Frame, faces: Sequence[Face]) -> tuple[MaskReading, ...]:
        return tuple(face_read(face, 0.99) for face in faces)


@pytest.mark.parametrize(
    ("in_vain", "away_s", "people"), [(0, 1, 1), (1, 3, 1), (2, 7, 1), (3, 15, 2)]
)
def test_a_camera_that_blinks_ends_no_visit_and_one_that_stays_away_ends_all(
    outbox: Outbox, in_vain: int, away_s: float, people: int
) -> None:
    clock = TurnedClock()
    openings: list[Filmed | Exception] = [Filmed(clock, 5), *[CameraError("busy")] * in_vain]
    openings.append(Filmed(clock, math.inf))

    def opened() -> Filmed:
        opening = openings.pop(0)
        if isinstance(opening, Exception):
            raise opening
        return opening

    detection = FaceDetection(FixedDetector([face_at(90, 90)]), SETTINGS.detector)
    judge = Pipeline(
        PacedDetection(detection, SETTINGS.detector),
        Tracker(SETTINGS.tracker),
        Attention(AlwaysBare(), SETTINGS.classifier),
        ViolationPolicy(SETTINGS.policy, CardThresholds(bare=0.5, masked=0.5), EventIds()),
    )
    built = built_of(
        Camera(opened, PATIENCE, clock), judge, outbox, NotingPublisher(), clock, SETTINGS
    )

    def documents() -> list[dict[str, Any]]:
        return [json.loads(row.payload) for row in outbox.pending(10)]

    while clock.now_s < 5 + away_s:
        built.run_once()
    assert [each["state"] for each in documents()] == ["confirmed", "ended"][:people]
    while clock.now_s < 10 + away_s:
        built.run_once()
    assert [each["state"] for each in documents()].count("confirmed") == people
    ((visit,),) = (each.decision.visits for each in built.watch.end_visits())
    assert visit.track_id == people


def test_on_a_full_disk_violations_are_still_there_to_be_published_and_health_says_so(
    small_disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(small_disk.folder / "outbox.sqlite")
    small_disk.fill()
    caplog.set_level("INFO")
    judge = ScriptedJudge([Decision((violation(ViolationState.CONFIRMED),))])
    built, publisher, clock = service(outbox, judge, [frame_at(0), frame_at(1)])
    built.run_once()
    clock.sleep(31)
    built.run_once()
    assert [json.loads(document.payload)["state"] for document in outbox.pending(9)] == [
        "confirmed"
    ]
    name, payload = publisher.states[-2]
    assert name == "health"
    health = json.loads(payload)["outbox"]
    assert (health["state"], health["rows"], health["in_memory"]) == ("refused", 1, 1)
    outbox.close()
    (line,) = [line for line in caplog.messages if line.startswith("violation")]
    assert line.endswith(f" of event {EVENT_ID}, in memory")


def test_stop_ends_the_loop_in_order(outbox: Outbox) -> None:
    built, publisher, _ = service(outbox, ScriptedJudge([]), [None] * 1000)
    built.stop()
    built.run()
    assert publisher.calls == ["start", "close"]


def test_a_judge_that_fails_ends_the_service_but_not_before_it_says_stopped(
    outbox: Outbox,
) -> None:
    class FailingJudge(ScriptedJudge):
        def process(self, frame: Frame) -> FrameOutcome:
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
        built, _, clock = service(outbox, ScriptedJudge([]), entries, Notifier(address, 0.4))
        for _ in range(6):
            built.run_once()
        assert clock.now_s == pytest.approx(2.0)
        told = [systemd.recv(1000).decode() for _ in range(5)]
    assert told[0].startswith("READY=1\nSTATUS=camera running")
    assert all(line.startswith("WATCHDOG=1\nSTATUS=camera ") for line in told[1:])
    assert "camera running" in told[1]
    assert "camera lost" in told[-1]


def test_the_start_is_over_with_the_first_frame_and_not_before(
    outbox: Outbox, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(5)
        built, _, _ = service(
            outbox, ScriptedJudge([]), [*[None] * 5, frame_at(0)], Notifier(address, 10)
        )
        for _ in range(6):
            built.run_once()
        told = [systemd.recv(1000).decode().splitlines()[0] for _ in range(3)]
    assert told == ["EXTEND_TIMEOUT_USEC=30000000"] * 2 + ["READY=1"]


@pytest.mark.parametrize(
    ("error", "ends_with"),
    [
        (MissingPackageError("no picamera2"), MissingPackageError),
        (PictureError("no video"), ConfigError),
    ],
)
def test_what_can_never_work_ends_the_start(
    outbox: Outbox, tmp_path: Path, error: Exception, ends_with: type[Exception]
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(0.1)
        built, publisher, _ = service(outbox, ScriptedJudge([]), [error], Notifier(address, 10))
        with pytest.raises(ends_with):
            built.run()
        assert systemd.recv(1000) == b"STOPPING=1\nSTATUS=stopping"
        with pytest.raises(TimeoutError):
            systemd.recv(1000)
    assert publisher.calls == ["start", "close"]


def test_a_start_is_over_when_the_camera_is_lost_and_tried_again(
    outbox: Outbox, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(5)
        built, _, _ = service(
            outbox, ScriptedJudge([]), [CameraError("unplugged")], Notifier(address, 10)
        )
        built.run_once()
        assert systemd.recv(1000).startswith(b"READY=1\nSTATUS=camera lost")


def test_a_dead_publisher_does_not_keep_the_outbox_from_being_closed(tmp_path: Path) -> None:
    class DeadPublisher(NotingPublisher):
        def publish_state(self, name: str, payload: bytes) -> None:
            raise RuntimeError("the publishing thread has died")

    clock, publisher = TurnedClock(), DeadPublisher()
    outbox = Outbox(tmp_path / "outbox.sqlite")
    camera = Camera(lambda: ListedFrames([frame_at(0)], clock), PATIENCE, clock)
    with pytest.raises(RuntimeError, match="has died"):
        built_of(camera, ScriptedJudge([]), outbox, publisher, clock).run()
    assert publisher.calls == ["start", "close"]
    Outbox(tmp_path / "outbox.sqlite").close()  # raises while the first one has it


def test_health_tells_a_change_at_once(outbox: Outbox, small_disk: SmallDisk) -> None:
    clock, publisher = TurnedClock(), NotingPublisher()
    settings = Settings(mqtt=MqttSettings(host="broker"), health=HealthSettings(interval_s=86_400))
    seen = [entry for n in range(8) for entry in (frame_at(n / 2, striped()), None)]
    openings = [
        ListedFrames([*seen, CameraError("unplugged")], clock),
        ListedFrames(seen, clock),
    ]
    camera = Camera(lambda: openings.pop(0), PATIENCE, clock)
    full = Outbox(small_disk.folder / "outbox.sqlite")
    judge = ScriptedJudge([NOTHING] * 4 + [Decision((violation(ViolationState.CONFIRMED),))])
    built = built_of(camera, judge, full, publisher, clock, settings)
    for _ in range(4):
        built.run_once()
    small_disk.fill()
    while not built.watch.ended:
        built.run_once()
    full.close()
    told = [
        (report["camera"]["state"], report["outbox"]["state"], round(report["uptime_s"]))
        for report in reports(publisher, "health")
    ]
    assert told == [
        ("running", "on_disk", 0),
        ("running", "refused", 3),
        ("lost", "refused", 4),
        ("running", "refused", 5),
    ]


def reports(publisher: NotingPublisher, name: str) -> list[dict[str, Any]]:
    return [json.loads(payload) for kind, payload in publisher.states if kind == name]


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
    camera = Camera(lambda: ListedFrames(entries, clock), PATIENCE, clock)
    built = built_of(
        camera,
        ScriptedJudge(decisions, at_the_end),
        outbox,
        publisher,
        clock,
        settings,
        photographer=photographer,
    )
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


def test_the_picture_is_taken_once_for_all_that_it_goes_to(outbox: Outbox) -> None:
    searched: list[Frame] = []

    def find_faces(frame: Frame) -> tuple[()]:
        searched.append(frame)
        return ()

    outlet, clock = NotingOutlet(), TurnedClock()
    photographer = Photographer(SnapshotSettings(pictures="pixelated"), find_faces)
    camera = Camera(lambda: ListedFrames([frame_at(0), frame_at(1)], clock), PATIENCE, clock)
    confirmed = Decision((violation(ViolationState.CONFIRMED),))
    ended = Decision((violation(ViolationState.ENDED),))
    built = built_of(
        camera, ScriptedJudge([confirmed], ended), outbox, NotingPublisher(), clock,
        photographer=photographer, outlets=[outlet],
    )  # fmt: skip
    built.run_once()
    document = json.loads(outbox.pending(1)[0].payload)
    built.run()
    taken, none = outlet.snapshots
    assert base64.b64decode(document["snapshot"]) == taken
    assert none is None
    assert len(searched) == 1


def test_the_lamps_do_not_wait_for_the_picture(outbox: Outbox) -> None:
    lamps, clock = NotingOutlet(), TurnedClock()

    def find_faces(frame: Frame) -> tuple[()]:
        lamps.calls.append("a picture is made")
        return ()

    photographer = Photographer(SnapshotSettings(pictures="pixelated"), find_faces)
    frames = [frame_at(0), frame_at(1), frame_at(2)]
    camera = Camera(lambda: ListedFrames(frames, clock), PATIENCE, clock)
    confirmed = Decision((violation(ViolationState.CONFIRMED),))
    built = built_of(
        camera, ScriptedJudge([NOTHING, confirmed]), outbox, NotingPublisher(), clock,
        photographer=photographer, lamps=lamps,
    )  # fmt: skip
    built.run()
    assert lamps.calls == ["start", ViolationState.CONFIRMED, "a picture is made", "close"]


def test_the_plan_that_the_box_can_afford_is_followed_and_reported(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    judge = ScriptedJudge([])
    built, publisher, clock = service(outbox, judge, [frame_at(20 * n) for n in range(20)])
    for number in range(20):
        judge.work = Work(frames=100 * number, full=100 * number, looks=100 * number)
        built.run_once()
        clock.sleep(20)
    plans = [each["plan"] for each in reports(publisher, "health")]
    assert list(dict.fromkeys(plans)) == ["usual", "thorough", "full"]
    assert judge.plan is FULL
    assert [each for each in caplog.messages if each.startswith("plan")] == [
        "plan thorough instead of usual: see [detector] cpu_share",
        "plan full instead of thorough: see [detector] cpu_share",
    ]


def test_a_camera_that_hangs_upside_down_is_said_at_once_and_once(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    judge = ScriptedJudge([])
    frames = [frame_at(n, striped()) for n in range(9)]
    built, publisher, clock = service(outbox, judge, frames)
    for wanted_deg in (None, None, 180, 180, 180, None, None):
        judge.rotation_wanted_deg = wanted_deg
        built.run_once()
        clock.sleep(1)
    told = [each["camera"]["rotation_wanted_deg"] for each in reports(publisher, "health")]
    assert told == [None, 180, None]
    assert [each for each in caplog.messages if each.startswith("camera-turned")] == [
        "camera-turned: the camera is mounted upside down or on its side: nobody is judged",
        "camera-turned: over",
    ]


def test_the_place_of_a_poster_is_proposed_until_it_is_excluded(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    judge = ScriptedJudge([])
    built, publisher, clock = service(outbox, judge, [frame_at(n, striped()) for n in range(9)])
    poster = ((0.1, 0.2), (0.3, 0.2), (0.3, 0.5), (0.1, 0.5))
    for places in ((), (poster,), (poster,), ()):
        judge.lifeless_places = places
        built.run_once()
        clock.sleep(1)
    told = [each["conditions"] for each in reports(publisher, "health")]
    assert told == [[], ["face-lifeless"], []]
    (said, over) = [each for each in caplog.messages if each.startswith("face-lifeless")]
    assert said.startswith("face-lifeless: a face has not moved for 30 s")
    assert over.startswith("face-lifeless: over ([[0.1, 0.2], ")


def test_in_a_pause_nothing_is_judged_and_no_time_is_watched(outbox: Outbox) -> None:
    # A frame each 0.5 s.
    entries = [entry for n in range(100) for entry in (frame_at(n / 2, striped()), None)]
    late = [Decision((violation(ViolationState.CONFIRMED),))]
    built, publisher, clock = commanded(outbox, entries, [NOTHING] * 14 + late)
    while clock.now_s < 5:
        built.run_once()
    publisher.commands.append(command("pause", '{"request_id":"a","duration_s":20}'))
    while clock.now_s < 20:
        built.run_once()
    assert outbox.state().rows == 0
    assert [report["paused_for_s"] for report in reports(publisher, "health")] == [None, 20.0]
    watched = [
        json.loads(p)["last_hour"]["watched_s"] for n, p in publisher.states if n != "health"
    ]
    assert watched[-1] == pytest.approx(5, abs=0.6)
    while clock.now_s < 30:
        built.run_once()
    assert outbox.state().rows == 1, "the pause ends by itself"
    assert [answer["outcome"] for answer in publisher.responses] == ["done"]
    assert [report["paused_for_s"] for report in reports(publisher, "health")] == [None, 20.0, None]


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


def striped() -> Pixels:
    picture = blank()
    picture[:, ::80] = 20
    return picture


def test_only_what_the_camera_sees_is_watched(outbox: Outbox) -> None:
    def half_seconds(first: int, seconds: int, pixels: Pixels) -> list[Frame | None]:
        return [
            entry
            for n in range(first, first + 2 * seconds)
            for entry in (frame_at(n / 2, pixels), None)
        ]

    clock, publisher = TurnedClock(), NotingPublisher()
    openings = [
        [*half_seconds(0, 20, striped()), *half_seconds(40, 20, blank(grey=0)), *[None] * 20],
        half_seconds(100, 20, striped()),
    ]
    camera = Camera(lambda: ListedFrames(openings.pop(0), clock), PATIENCE, clock)
    built_of(camera, ScriptedJudge([]), outbox, publisher, clock).run()
    assert clock.now_s == pytest.approx(20 + 20 + 4.5 + 1 + 20)
    # Darkness lasts 4 s until it counts, and so does the light after it.
    watched_s = reports(publisher, "compliance")[-1]["last_hour"]["watched_s"]
    assert watched_s == pytest.approx(20 + 4 + 16, abs=1)


@dataclass
class Walk:
    """A bare face that is in sight for some time, filmed at 10 frames a second."""

    clock: SetClock
    seconds: float
    acts: dict[float, Callable[[], None]]
    """What happens to the clock at which second."""
    ended: bool = False
    dropped: int = 0
    silent_s: float = 0.0

    def read(self, timeout_s: float) -> Frame | None:
        number = math.floor(10 * self.clock.now_s + 1.001)
        self.clock.sleep(number / 10 - self.clock.now_s)
        self.acts.get(number / 10, lambda: None)()
        self.ended = number / 10 > self.seconds
        if self.ended:
            return None
        return Frame(number, blank(), self.clock.utc(), self.clock.monotonic_s())

    def close(self, timeout_s: float = 0) -> bool:
        return True


class BareFace:
    """Sees one bare face in each frame, and really decides."""

    def __init__(self) -> None:
        self._policy = ViolationPolicy(
            PolicySettings(), CardThresholds(bare=0.5, masked=0.5), EventIds()
        )

    def process(self, frame: Frame) -> FrameOutcome:
        sighting = Sighting(1, reading_at(9, 9, bare=0.99), frame.captured_at, frame.monotonic_s)
        return FrameOutcome((sighting,), self._policy.update([sighting], []))

    bridged_s = 10.0
    rotation_wanted_deg = None
    lifeless_places = ()
    work = Work()

    def limit_to(self, area: Area) -> None:
        raise NotImplementedError

    def divide_into(self, zones: Sequence[ZoneSettings]) -> None:
        raise NotImplementedError

    def follow(self, plan: SeeingPlan) -> None:
        raise NotImplementedError

    def finish(self) -> Decision:
        return self._policy.update([], [1])


def documents_of_a_walk(
    tmp_path: Path, acts: Callable[[SetClock, list[bool]], dict[float, Callable[[], None]]]
) -> tuple[list[dict[str, Any]], NotingPublisher]:
    """Return the violation's two documents, of five seconds in which `acts` turn the clock."""
    clock, right = SetClock(), [False]
    publisher = NotingPublisher()
    settings = Settings(mqtt=MqttSettings(host="broker"), health=HealthSettings(interval_s=1))
    walk = Walk(clock, 5.0, acts(clock, right))
    outbox = Outbox(tmp_path / "outbox.sqlite")
    camera = Camera(lambda: walk, PATIENCE, clock)
    built_of(
        camera, BareFace(), outbox, publisher, clock, settings, clock_is_right=lambda: right[0]
    ).run()
    opened_again = Outbox(tmp_path / "outbox.sqlite")
    documents = [json.loads(row.payload) for row in opened_again.pending(10)]
    opened_again.close()
    assert [document["state"] for document in documents] == ["confirmed", "ended"]
    return documents, publisher


HOURS_S = 3600.0 * 24 * 45


@pytest.mark.parametrize("by_s", [HOURS_S, -HOURS_S, 3600.0, -2.0])
@pytest.mark.parametrize("at_s", [0.5, 3.0])
def test_a_clock_that_is_set_in_between_changes_no_duration(
    tmp_path: Path, by_s: float, at_s: float
) -> None:
    def acts(clock: SetClock, right: list[bool]) -> dict[float, Callable[[], None]]:
        def set_it() -> None:
            clock.set_by_s, right[0] = by_s, True

        return {at_s: set_it}

    (confirmed, ended), publisher = documents_of_a_walk(tmp_path, acts)
    assert confirmed["duration_s"] == pytest.approx(1.0, abs=0.11)
    assert ended["duration_s"] == pytest.approx(4.9, abs=0.01)
    for document, until in ((confirmed, "confirmed_at"), (ended, "ended_at")):
        passed = datetime.fromisoformat(document[until]) - datetime.fromisoformat(
            document["started_at"]
        )
        assert passed.total_seconds() == pytest.approx(document["duration_s"], abs=0.002)
    same = ("event_id", "started_at", "confirmed_at", "clock_synchronised")
    assert [confirmed[key] for key in same] == [ended[key] for key in same]
    # Set before it was confirmed: all its times are right. Set after it: none, and both say so.
    assert confirmed["clock_synchronised"] is (at_s < 1)
    health = reports(publisher, "health")[-1]
    assert health["clock_synchronised"] is True
    assert health["clock"] == {"steps": 1, "last_step_s": pytest.approx(by_s)}
    assert health["uptime_s"] == pytest.approx(5, abs=1)


def test_a_clock_that_runs_is_not_said_to_be_set(tmp_path: Path) -> None:
    _, publisher = documents_of_a_walk(tmp_path, lambda clock, right: {})
    assert reports(publisher, "health")[-1]["clock"] == {"steps": 0, "last_step_s": None}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_hot_box_judges_fewer_frames_and_says_why(
    outbox: Outbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    temperature = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    write(temperature.with_name("type"), "cpu-thermal")
    write(temperature, "64000")
    write(tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled", "0")
    write(tmp_path / "proc/meminfo", "MemTotal: 900000 kB\nMemAvailable: 500000 kB\n")
    clock, publisher = SetClock(), NotingPublisher()
    walk = Walk(clock, 1e9, {})
    settings = Settings(mqtt=MqttSettings(host="broker"), health=HealthSettings(interval_s=1))
    camera = Camera(lambda: walk, PATIENCE, clock)
    built = built_of(
        camera,
        ScriptedJudge([]),
        outbox,
        publisher,
        clock,
        settings,
        vitals=lambda: read_vitals(tmp_path),
    )

    def after(seconds: float) -> tuple[float, dict[str, Any], float]:
        until_s = clock.now_s + seconds
        while clock.now_s < until_s:
            built.run_once()
        report = reports(publisher, "health")[-1]
        return report["fps"], report["pace"], report["temperature_c"]

    assert after(20) == (pytest.approx(10, abs=0.5), {"max_fps": None, "reasons": []}, 64.0)
    write(temperature, "76000")
    fps, pace, temperature_c = after(20)
    assert pace == {"max_fps": 4.0, "reasons": ["heat"]}
    assert temperature_c == 76.0
    assert fps == pytest.approx(1 / 0.3, abs=0.3)  # every third frame is the first after 0.25 s
    write(temperature, "81000")
    assert after(20)[1] == {"max_fps": 2.0, "reasons": ["heat"]}
    write(temperature, "60000")
    assert after(CALM_S / 2)[1] == {"max_fps": 2.0, "reasons": ["heat"]}
    assert after(CALM_S)[:2] == (pytest.approx(10, abs=0.5), {"max_fps": None, "reasons": []})
    assert [each for each in caplog.messages if each.startswith("too-hot")] == [
        "too-hot: the box is too hot: only 4 pictures a second are judged",
        "too-hot: over",
    ]
