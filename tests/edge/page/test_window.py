from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config import ClassifierSettings, DetectorSettings, ZonePolicy, ZoneSettings
from edge.decide.policy import Decision, Standing
from edge.history.records import AlertAcknowledgement
from edge.history.requests import Acknowledge, HistoryRequest, SetRule
from edge.observers import Observers
from edge.page.drawn import AreaBook
from edge.page.drawn_zones import ZoneBook
from edge.page.history import PageHistory
from edge.page.scene import LINGER_S
from edge.page.window import QUIET_S, About, Window
from edge.page.wire import Draw, DrawnZone, Hush, NextScene, PageReport, TryNotifications, Undo
from edge.pipeline import FrameOutcome
from edge.records import Box, Frame, MaskState, Sighting
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    NotifierState,
    SignalState,
    Telemetry,
)
from tests.edge.notify.samples import event_id, violation
from tests.edge.samples import TELEMETRY
from tests.fakes import TurnedClock, frame_at, reading_at

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def seen(frame: Frame, left: float = 64, size: float = 64) -> FrameOutcome:
    sighting = Sighting(3, reading_at(left, 36, size), frame.captured_at, frame.monotonic_s)
    standing = Standing(3, MaskState.BARE, 0.97, 0.6, 1.0, 3, 3, is_reported=False)
    return FrameOutcome((sighting,), Decision(), (standing,))


NOBODY = FrameOutcome((), Decision())


@dataclass
class Stage:
    """A window, and the road that it looks at."""

    folder: Path
    clock: TurnedClock = field(default_factory=TurnedClock)
    observers: Observers = field(default_factory=Observers)
    covered: list[Sequence[Box]] = field(default_factory=list)
    now: Telemetry = TELEMETRY
    muted: list[float | None] = field(default_factory=list)
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    fixed: tuple[ZoneSettings, ...] = ()
    """Zones of the settings."""
    noted: list[HistoryRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = AreaBook(self.detector, self.folder)
        self.zones = ZoneBook(self.fixed, self.folder)
        self.window = Window(
            About("door-1", "Museum", "north", "0.3.0", {"masked": 0.9}),
            self.observers,
            self.take_picture,
            ClassifierSettings(),
            lambda: self.now,
            PageHistory(self.clock),
            self.book,
            self.zones,
            4.0,
            self.clock,
            mute=self.mute,
            journal=self,
        )

    def note_now(self, request: HistoryRequest) -> str:
        self.noted.append(request)
        return "" if isinstance(request, Acknowledge) else "the disk is full"

    def said_of(self, events: Collection[str]) -> dict[str, AlertAcknowledgement]:
        now = self.clock.utc()
        return {
            each: AlertAcknowledgement(each, now, "page", "forgotten", "none") for each in events
        }

    def mute(self, for_s: float | None) -> str:
        self.muted.append(for_s)
        return "" if for_s is None else "it does not answer"

    def take_picture(self, frame: Frame, boxes: Sequence[Box]) -> bytes:
        self.covered.append(boxes)
        return b"a picture"

    def ask(self, request: Any) -> dict[str, Any]:
        document, _ = self.window.answer(request)
        content: dict[str, Any] = json.loads(document)
        return content


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_nothing_is_looked_at_until_somebody_asks_and_when_nobody_does_any_more(
    stage: Stage,
) -> None:
    stage.window.tick()
    assert not stage.window.is_looking
    stage.window._observer = stage.observers.join(1)
    stage.observers.show(frame_at(0), NOBODY)
    _, picture = stage.window.answer(NextScene(0))
    assert picture == b"a picture"
    stage.clock.sleep(QUIET_S - 1)
    stage.window.tick()
    assert stage.window.is_looking
    stage.clock.sleep(2)
    stage.window.tick()
    assert not stage.window.is_looking


def test_a_scene_says_who_is_there_in_fractions_of_the_picture(stage: Stage) -> None:
    stage.window._observer = stage.observers.join(1)
    frame = frame_at(0)
    stage.observers.show(frame, seen(frame))
    scene = stage.ask(NextScene(41))
    assert (scene["number"], scene["width_px"], scene["height_px"]) == (42, 640, 360)
    (person,) = scene["people"]
    assert (person["left"], person["top"], person["width"]) == (0.1, 0.1, 0.1)
    assert (person["label"], person["note"]) == ("No mask 97 %", "for 0.6 of 1.0 s")
    assert (scene["outside"], scene["picture"]["view"]) == ([], "clear")
    assert [list(boxes) for boxes in stage.covered] == [[Box(64, 36, 128, 100)]]


def test_between_two_scans_people_are_shown_and_covered_where_they_were(stage: Stage) -> None:
    stage.window._observer = stage.observers.join(8)
    frame = frame_at(0)
    stage.observers.show(frame, seen(frame))
    stage.ask(NextScene(0))
    for late_s, people in ((LINGER_S / 2, 1), (LINGER_S + 0.1, 0)):
        stage.clock.sleep(1)
        stage.observers.show(frame_at(late_s), NOBODY)
        assert len(stage.ask(NextScene(0))["people"]) == people
    assert [len(boxes) for boxes in stage.covered] == [1, 1, 0]


def test_no_more_pictures_are_made_than_the_settings_say(stage: Stage) -> None:
    stage.window._observer = stage.observers.join(8)
    for number in range(4):
        stage.observers.show(frame_at(number / 15), NOBODY)
    stage.ask(NextScene(0))
    assert stage.window._observer.take(0) is not None
    assert len(stage.covered) == 1


def test_a_report_says_what_is_wrong_and_since_when(stage: Stage) -> None:
    refused = BrokerState(False, 0, "none", "the broker refuses the password")
    stage.now = replace(TELEMETRY, broker=refused)
    stage.window.tick()
    stage.clock.sleep(600)
    stage.window.tick()
    report = stage.ask(PageReport())
    assert (report["device"], report["zone"]) == ("door-1", "north")
    (trouble,) = report["troubles"]
    assert (trouble["text"], trouble["severity"]) == ("The broker refuses the password", "fault")
    assert "tensormask doctor" in trouble["fix"]
    assert trouble["since"] < report["now"]
    stage.now = TELEMETRY
    stage.window.tick()
    assert stage.ask(PageReport())["troubles"] == []


def test_an_area_is_drawn_refused_and_taken_back(stage: Stage) -> None:
    assert stage.ask(PageReport())["area_origin"] == "whole"
    assert stage.ask(Draw((LEFT,), ())) == {"error": ""}
    report = stage.ask(PageReport())
    assert (report["area_origin"], report["can_undo"]) == ("drawn", True)
    assert len(report["area"]["regions"]) == 1
    assert "nothing would be watched" in stage.ask(Draw((LEFT,), (LEFT,)))["error"]
    assert stage.ask(Undo()) == {"error": ""}
    assert stage.ask(PageReport())["area_origin"] == "whole"


def test_a_test_of_notifications_is_asked_for_where_there_are_any(stage: Stage) -> None:
    assert stage.ask(PageReport())["notifiers"] == []
    assert "no notifications are set up" in stage.ask(TryNotifications())["error"]
    answers = ["", "a test was sent just now; wait 5 s"]
    stage.window.test_notifications = lambda: answers.pop(0)
    stage.now = replace(TELEMETRY, notifiers=(NotifierState("desk", "ntfy", 2),))
    assert stage.ask(TryNotifications()) == {"error": ""}
    assert stage.ask(TryNotifications())["error"].startswith("a test was sent just now")
    (desk,) = stage.ask(PageReport())["notifiers"]
    assert (desk["name"], desk["waiting"]) == ("desk", 2)


def test_names_are_drawn_with_their_polygons(stage: Stage) -> None:
    assert stage.ask(Draw((LEFT,), (), ("Door",))) == {"error": ""}
    area = stage.ask(PageReport())["area"]
    assert (len(area["regions"]), area["region_names"], area["excluded_names"]) == (1, ["Door"], [])


def test_a_frame_that_has_waited_is_not_shown_as_live(stage: Stage) -> None:
    stage.window._observer = stage.observers.join(4)
    stage.observers.show(frame_at(0), NOBODY)
    stage.ask(NextScene(0))
    stage.observers.show(frame_at(1), NOBODY)
    stage.clock.sleep(QUIET_S + 0.1)
    stage.window.tick()
    assert stage.ask(NextScene(0))["number"] == 0


def test_a_frame_of_a_stream_that_was_held_up_is_shown(stage: Stage) -> None:
    """It is judged now, and there is none that is newer."""
    stage.clock.sleep(110)  # a frame's clock begins at 100
    stage.window._observer = stage.observers.join(4)
    stage.observers.show(frame_at(0), NOBODY)
    scene = stage.ask(NextScene(0))
    assert scene["at"] == frame_at(0).captured_at.isoformat(timespec="milliseconds")


def test_a_lost_camera_is_reported_with_its_cause_and_the_time_of_its_last_frame(
    stage: Stage,
) -> None:
    stage.window.tick()
    last_at = stage.clock.utc()
    stage.clock.sleep(60)
    trouble = "rtsp://127.0.0.1:554: connection refused"
    gone = CameraStatus(CameraState.LOST, 1, None, None, False, trouble)
    stage.now = replace(TELEMETRY, camera=gone)
    stage.window.tick()
    report = stage.ask(PageReport())
    camera = report["camera"]
    assert (camera["state"], camera["view"], camera["fps"]) == ("lost", None, None)
    assert datetime.fromisoformat(camera["last_frame_at"]) == last_at
    (found,) = report["troubles"]
    assert found["code"] == "camera-lost"
    assert found["text"] == f"The camera gives no picture: {trouble}"
    assert "cable" in found["fix"]
    stage.now = TELEMETRY
    report = stage.ask(PageReport())
    assert (report["camera"]["state"], report["troubles"]) == ("running", []), "of one moment"


def test_a_camera_that_refuses_the_password_is_not_a_matter_of_its_cable(stage: Stage) -> None:
    trouble = "http://camera: it rejects the user and password in the address (401)"
    lost = CameraStatus(CameraState.LOST, 1, None, None, False, trouble, refuses=True)
    stage.now = replace(TELEMETRY, camera=lost)
    (found,) = stage.ask(PageReport())["troubles"]
    assert found["text"] == f"The camera gives no picture: {trouble}"
    assert found["fix"].startswith(
        "Correct [camera] source, then: sudo systemctl restart tensormask"
    )


GATE = DrawnZone("Gate", LEFT, ZonePolicy.COUNT)


def test_zones_are_drawn_and_undone_with_the_area(stage: Stage) -> None:
    assert stage.ask(Draw((LEFT,), (), zones=(GATE,))) == {"error": ""}
    report = stage.ask(PageReport())
    assert [(each["name"], each["policy"]) for each in report["area"]["zones"]] == [
        ("Gate", "count")
    ]
    assert not report["area"]["are_zones_fixed"]
    assert [each.name for each in stage.zones.take() or ()] == ["Gate"]
    assert stage.ask(Draw((), (), zones=())) == {"error": ""}
    assert stage.ask(Undo()) == {"error": ""}
    area = stage.ask(PageReport())["area"]
    assert (len(area["regions"]), len(area["zones"])) == (1, 1)


def test_a_page_that_knows_no_zones_leaves_them_as_they_are(stage: Stage) -> None:
    stage.ask(Draw((), (), zones=(GATE,)))
    assert stage.ask(Draw((LEFT,), ())) == {"error": ""}
    assert len(stage.ask(PageReport())["area"]["zones"]) == 1


def test_nothing_changes_where_a_zone_is_refused(stage: Stage) -> None:
    said = stage.ask(Draw((LEFT,), (), zones=(GATE, GATE)))
    assert said == {"error": "two zones are called Gate: rename one of them"}
    area = stage.ask(PageReport())["area"]
    assert (area["regions"], area["zones"]) == ([], [])


def test_of_area_and_zones_one_may_be_in_the_settings_and_the_other_drawn(tmp_path: Path) -> None:
    there = (msgspec.convert({"name": "Gate", "polygon": LEFT}, ZoneSettings),)
    stage = Stage(tmp_path / "zones", fixed=there)
    shown = DrawnZone("Gate", LEFT)
    assert stage.ask(PageReport())["area"]["are_zones_fixed"]
    assert stage.ask(Draw((LEFT,), (), zones=(shown,))) == {"error": ""}
    said = stage.ask(Draw((LEFT,), (), zones=()))["error"]
    assert said.startswith("the settings name the zones, [[zone]]: change them there")
    assert stage.ask(Undo()) == {"error": ""}
    assert stage.ask(PageReport())["area"]["regions"] == []
    stage = Stage(tmp_path / "area", detector=DetectorSettings(regions=(LEFT,)))
    assert stage.ask(Draw((LEFT,), (), zones=(GATE,))) == {"error": ""}
    assert "the settings name the area" in stage.ask(Draw((), (), zones=(GATE,)))["error"]
    assert stage.ask(Undo()) == {"error": ""}
    assert stage.ask(PageReport())["area"]["zones"] == []


def test_zones_that_cannot_be_read_are_reported_until_others_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "zones.json").write_bytes(b"{")
    stage = Stage(tmp_path)
    stage.window.tick()
    (found,) = stage.ask(PageReport())["troubles"]
    assert (found["code"], found["severity"]) == ("zones-damaged", "fault")
    assert stage.ask(Draw((), (), zones=(GATE,))) == {"error": ""}
    stage.window.tick()
    assert stage.ask(PageReport())["troubles"] == []


def test_an_area_that_cannot_be_read_is_reported_until_another_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "area.json").write_bytes(b"\xff")
    stage = Stage(tmp_path)
    stage.window.tick()
    (found,) = stage.ask(PageReport())["troubles"]
    assert (found["code"], found["severity"]) == ("area-damaged", "fault")
    assert stage.ask(Draw((LEFT,), ())) == {"error": ""}
    stage.window.tick()
    assert stage.ask(PageReport())["troubles"] == []


def test_a_pause_says_when_it_ends_by_itself_and_what_ends_it_now(stage: Stage) -> None:
    stage.now = replace(TELEMETRY, paused_for_s=600)
    stage.window.tick()
    report = stage.ask(PageReport())
    (found,) = report["troubles"]
    assert (found["code"], found["severity"], report["paused_for_s"]) == ("paused", "hint", 600)
    assert found["text"] == "Paused: judging goes on by itself in 10 min"
    assert found["fix"].startswith("The command resume ends the pause at once")


def test_the_sound_at_the_door_is_muted_and_what_hinders_it_is_said(stage: Stage) -> None:
    assert stage.ask(PageReport())["signal"] is None
    stage.now = replace(TELEMETRY, signal=SignalState("red", 60.0))
    told = stage.ask(PageReport())["signal"]
    assert told == {"shows": "red", "muted_for_s": 60.0, "trouble": ""}
    assert stage.ask(Hush(is_muted=True)) == {"error": ""}
    assert stage.ask(Hush(is_muted=False)) == {"error": "it does not answer"}
    assert stage.muted == [None, 0.0]


def test_what_people_say_is_written_down_with_where_they_said_it(stage: Stage) -> None:
    event = "019ab11c-92d2-7f3a-8d1e-52c0b0a4e6d7"
    assert stage.ask(Acknowledge(event, "exempt", by=" ward 3 ")) == {"error": ""}
    assert stage.ask(SetRule(False)) == {"error": "the disk is full"}
    assert stage.noted == [Acknowledge(event, "exempt", by="page ward 3"), SetRule(False, "page")]


def test_the_report_says_what_was_done_about_the_alerts_that_it_lists(stage: Stage) -> None:
    stage.window.history.note(Decision(violations=(violation(1),)), 1.0)
    report = stage.ask(PageReport())
    assert report["can_acknowledge"] is True
    assert report["acknowledged"][event_id(1)]["reason"] == "forgotten"


def test_where_nothing_is_written_down_that_is_said(stage: Stage) -> None:
    stage.window.journal = None
    assert "[history] enabled is false" in stage.ask(SetRule(True))["error"]
    report = stage.ask(PageReport())
    assert (report["can_acknowledge"], report["acknowledged"]) == (False, {})
