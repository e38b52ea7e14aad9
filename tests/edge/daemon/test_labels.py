"""People who pass are recorded in memory, labeled on the page, and put into the history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from edge.config import MqttSettings, PageSettings, Settings
from edge.daemon.labels import LabelDesk, open_labels
from edge.daemon.lookout import Glance
from edge.decide.policy import Decision
from edge.errors import ModelError
from edge.eyes import LabelWay, NetworkPair, read_qualification
from edge.history.database import FILE
from edge.observers import Observers
from edge.page.labeling import answer_labels
from edge.privacy.heads import FindFaces
from edge.qualify.known import qualifications
from edge.qualify.label_requests import (
    CountMissed,
    LabelVisit,
    ReadLabelPicture,
    ReadLabels,
    ReadLabelSheet,
    StartLabels,
    StepLabels,
)
from edge.qualify.labels import LABEL_FOR_S, Label
from edge.qualify.sheet import SheetAbout
from edge.records import MaskState, Verdict, Visit
from edge.telemetry import CameraReport, CameraState
from tests.edge.daemon.test_portraits import FACE, details, heads, seen
from tests.edge.samples import TELEMETRY
from tests.fakes import START, TurnedClock
from tests.waiting import until

NETWORKS = NetworkPair("a" * 64, "b" * 64)
AT_DOOR = StartLabels(LabelWay.DOOR, 10, "Ada")
FROM_PICTURES = StartLabels(LabelWay.PICTURES, 10, "Ada")


@dataclass
class Door:
    """A desk, and a loop before which people come."""

    folder: Path
    may_uncover: bool = True
    clock: TurnedClock = field(default_factory=TurnedClock)
    history: bool = True
    searches: int = 0
    error: str = ""

    def __post_init__(self) -> None:
        self.observers = {"door": Observers(), "hall": Observers()}
        self.desk = LabelDesk(
            SheetAbout("door-1", "Museum", "tensormask 1"),
            NETWORKS,
            self.observers,
            self.folder / FILE if self.history else None,
            self._search,
            may_uncover=self.may_uncover,
            clock=self.clock,
        )
        camera = TELEMETRY.camera
        self.telemetry = replace(
            TELEMETRY,
            cameras=tuple(
                CameraReport(name, "", camera, 1, 10.0, 0, {}, "usual") for name in self.observers
            ),
        )

    def _search(self) -> FindFaces:
        if self.error:
            raise ModelError(self.error)
        self.searches += 1
        return heads

    def come(self, track_id: int = 7) -> None:
        """Have somebody in sight, and wait until that is a picture."""
        recording = self.desk._recording
        assert recording is not None
        for second in (0, 0.3):
            self.observers["door"].show(*seen(second, track_id))
        until(
            lambda: (kept := recording.pictures._people.get(track_id)) and kept.pictures,
            "the picture is taken",
        )

    def pass_by(self, verdict: Verdict, track_id: int = 7, camera: str = "door") -> None:
        """Have somebody come and go, and wait until that is recorded."""
        before = self.desk.state().recorded
        self.observers[camera].show(*seen(0, track_id))
        visit = Visit(track_id, verdict, START, START + timedelta(seconds=2))
        decision = Decision(visits=(visit,))
        self.desk.take(Glance(decision=decision, camera=camera), self.telemetry)
        if camera == "door":
            until(lambda: self.desk.state().recorded > before, "it is recorded")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.desk.close()


def test_a_door_is_labeled_and_what_it_comes_to_is_kept(door: Door, tmp_path: Path) -> None:
    desk = door.desk
    assert desk.do(AT_DOOR) == ""
    for number, verdict in enumerate((Verdict.MASKED, Verdict.BARE), 1):
        door.pass_by(verdict, track_id=number)
        said, _ = answer_labels(desk, ReadLabels())
        assert b"bare" not in said, "what was judged is not said"
        assert b"masked" not in said
        assert desk.do(LabelVisit(number, Label.BARE)) == ""
    assert desk.do(CountMissed(MaskState.BARE)) == ""
    assert desk.do(StepLabels("finish")) == "end the recording first"
    assert desk.do(StepLabels("stop")) == ""
    assert desk.state().phase == "labeling"
    assert desk.do(StepLabels("finish")) == ""
    state = desk.state()
    assert state.phase == "done"
    assert state.result is not None
    assert not state.result.is_qualified
    assert "20 people must be judged" in state.result.why_unused
    (text,) = qualifications(tmp_path / FILE)
    found = read_qualification(text)
    assert found is not None
    assert (found.camera, found.networks) == ("door", NETWORKS)
    (bare,) = found.people
    assert (bare.masked, bare.bare, bare.shown) == (1, 1, 3)
    _, sheet = answer_labels(desk, ReadLabelSheet())
    assert b"NOT QUALIFIED" in sheet
    assert b"page Ada" in sheet
    assert b"<img" not in sheet
    assert desk.do(AT_DOOR) == "", "and again"
    assert answer_labels(desk, ReadLabelSheet())[1] == b""


def test_at_the_door_and_where_that_is_not_allowed_no_face_is_shown(
    door: Door, tmp_path: Path
) -> None:
    assert door.desk.do(AT_DOOR) == ""
    door.come()
    door.pass_by(Verdict.BARE)
    _, picture = answer_labels(door.desk, ReadLabelPicture(1, 0, is_uncovered=True))
    assert picture, "there is one, or nothing would be shown here"
    waits = door.desk.state().next
    assert waits is not None
    assert (waits.pictures, waits.faces) == (1, 0)
    assert details(picture, FACE) < 10
    locked = Door(tmp_path, may_uncover=False)
    assert "faces stay covered on this device" in locked.desk.do(FROM_PICTURES)
    assert locked.desk.state().phase == "off"
    assert locked.searches == 0


@pytest.mark.parametrize("end", ["finish", "discard"])
def test_who_was_shown_a_face_is_in_a_log_of_warnings(
    door: Door, caplog: pytest.LogCaptureFixture, end: Literal["finish", "discard"]
) -> None:
    caplog.set_level("WARNING", "edge.daemon.labels")
    assert door.desk.do(FROM_PICTURES) == ""
    door.come()
    door.pass_by(Verdict.BARE)
    waits = door.desk.state().next
    assert waits is not None
    assert waits.faces == waits.pictures == 1
    _, covered = answer_labels(door.desk, ReadLabelPicture(1))
    _, face = answer_labels(door.desk, ReadLabelPicture(1, 0, is_uncovered=True))
    assert details(covered, FACE) < 10
    assert details(face, FACE) > 30
    door.desk.do(LabelVisit(1, Label.BARE))
    door.desk.do(StepLabels("stop"))
    assert door.desk.do(StepLabels(end)) == ""
    why = "the door is not qualified" if end == "finish" else "all is discarded"
    assert caplog.messages == [
        "people are recorded in memory for 10 min to be labeled, by page Ada; their faces may be "
        "uncovered",
        f"labeling by page Ada is over, {why}: 1 visit recorded, 1 labeled, 1 with their face "
        "shown",
    ]
    shown = b'people whose face was shown for it</th><td class="number">1'
    assert (shown in door.desk.sheet()) is (end == "finish")


def test_pictures_of_who_is_still_in_sight_go_when_the_recording_ends(door: Door) -> None:
    assert door.desk.do(FROM_PICTURES) == ""
    door.come()
    door.desk.do(StepLabels("stop"))
    recording = door.desk._recording
    assert recording is not None
    until(lambda: not recording.pictures._people, "they are forgotten")
    visit = Visit(7, Verdict.BARE, START, START + timedelta(seconds=2))
    for _ in range(3):
        glance = Glance(decision=Decision(visits=(visit,)), camera="door")
        door.desk.take(glance, door.telemetry)
    assert not recording.ended, "and nothing more is taken in"
    assert door.desk.state().recorded == 0


def test_a_visit_that_ended_in_time_counts_though_its_turn_comes_later(door: Door) -> None:
    assert door.desk.do(AT_DOOR) == ""
    visit = Visit(7, Verdict.BARE, START, START + timedelta(seconds=2))
    door.desk.take(Glance(decision=Decision(visits=(visit,)), camera="door"), door.telemetry)
    door.clock.sleep(600)
    until(lambda: door.desk.state().recorded == 1, "it is recorded")


@pytest.mark.parametrize(
    ("page", "is_offered"),
    [
        (PageSettings(enabled=True), False),
        (PageSettings(enabled=True, may_show_faces=True), False),
        (PageSettings(enabled=True, heads="faces", may_show_faces=True), True),
    ],
)
def test_faces_are_uncovered_only_where_the_page_shows_them_too(
    page: PageSettings, is_offered: bool
) -> None:
    settings = Settings(mqtt=MqttSettings(host="broker"), page=page)
    desk = open_labels(settings, NETWORKS, {"": Observers()})
    assert desk is not None
    assert desk.state().may_uncover is is_offered


def test_only_the_camera_that_is_named_is_recorded(door: Door) -> None:
    assert door.desk.do(msgspec.structs.replace(AT_DOOR, camera="yard")) == (
        "there is no camera yard any more; load the page again"
    )
    assert door.desk.do(AT_DOOR) == ""
    door.pass_by(Verdict.BARE, camera="hall")
    door.pass_by(Verdict.BARE)
    assert door.desk.state().recorded == 1
    assert door.desk.state().camera == "door"


@pytest.mark.parametrize("end", ["discard", "timeout", "close"])
def test_all_is_dropped_in_the_end(door: Door, end: str, tmp_path: Path) -> None:
    desk = door.desk
    assert desk.do(AT_DOOR) == ""
    door.pass_by(Verdict.BARE)
    if end == "discard":
        assert desk.do(StepLabels("discard")) == ""
    elif end == "timeout":
        desk.do(StepLabels("stop"))
        door.clock.sleep(LABEL_FOR_S - 1)
        desk.take(Glance(), TELEMETRY)
        assert desk.state().phase == "labeling"
        door.clock.sleep(1)
        desk.take(Glance(), TELEMETRY)
    else:
        desk.close()
    assert desk.state().phase == "off"
    assert desk.picture(1, 0, is_uncovered=False) == b""
    assert "it was dropped, or the service was restarted" in desk.do(LabelVisit(1, Label.BARE))
    until(lambda: not door.observers["door"]._observers, "no frame is kept")
    assert [*tmp_path.iterdir()] == []


def test_nothing_is_taken_and_no_frame_kept_while_nobody_labels(door: Door) -> None:
    door.desk.take(Glance(), TELEMETRY)
    assert not door.observers["door"]._observers
    assert door.searches == 0


def test_what_cannot_be_done_is_said(door: Door, tmp_path: Path) -> None:
    desk = door.desk
    assert "nothing is recorded" in desk.do(StepLabels("finish"))
    door.error = "no detector here"
    assert desk.do(AT_DOOR) == "heads cannot be covered: no detector here"
    door.error = ""
    desk.do(AT_DOOR)
    assert desk.do(AT_DOOR) == "somebody is labeling already: end that first"
    assert desk.do(LabelVisit(1, Label.BARE)) == "there is no such person"
    desk.do(StepLabels("stop"))
    assert desk.do(StepLabels("finish")) == "nobody is labeled yet"
    off = Door(tmp_path, history=False).desk
    assert "[history] enabled is false" in off.state().refused
    assert "[history] enabled is false" in off.do(AT_DOOR)


def test_a_camera_that_sees_nobody_is_said(door: Door) -> None:
    door.desk.do(AT_DOOR)
    lost = replace(TELEMETRY.camera, state=CameraState.LOST)
    reports = tuple(
        replace(each, status=lost) if each.name == "door" else each
        for each in door.telemetry.cameras
    )
    door.desk.take(Glance(), replace(door.telemetry, cameras=reports))
    assert not door.desk.state().is_watching
    door.desk.take(Glance(), door.telemetry)
    assert door.desk.state().is_watching


def test_a_history_that_cannot_be_written_loses_no_label(door: Door, tmp_path: Path) -> None:
    desk = door.desk
    desk.do(AT_DOOR)
    door.pass_by(Verdict.BARE)
    desk.do(LabelVisit(1, Label.BARE))
    desk.do(StepLabels("stop"))
    (tmp_path / FILE).mkdir()
    assert FILE in desk.do(StepLabels("finish"))
    (tmp_path / FILE).rmdir()
    assert desk.do(StepLabels("finish")) == ""
