"""People who pass are recorded in memory, labeled on the page, and put into the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.daemon.labels import LabelDesk
from edge.daemon.lookout import Glance
from edge.daemon.portraits import PeoplePictures
from edge.decide.policy import Decision
from edge.errors import ModelError
from edge.eyes import LabelWay, NetworkPair, read_qualification
from edge.history.database import FILE
from edge.observers import Judged, Observers
from edge.page.labeling import answer_labels
from edge.pipeline import FrameOutcome
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
from edge.records import Box, Face, Frame, MaskState, Pixels, Sighting, Verdict, Visit
from edge.telemetry import CameraReport, CameraState
from tests.edge.samples import TELEMETRY
from tests.fakes import START, TurnedClock, blank, frame_at, reading_at
from tests.waiting import until

NETWORKS = NetworkPair("a" * 64, "b" * 64)
AT_DOOR = StartLabels(LabelWay.DOOR, 10, "Ada")
FROM_PICTURES = StartLabels(LabelWay.PICTURES, 10, "Ada")
FACE = Box(300, 100, 360, 160)
BESIDE = Box(380, 110, 430, 160)


def scene() -> Pixels:
    """Two heads of noise in an even room: even cells have none of it."""
    pixels = blank()
    noise = np.random.default_rng(3)
    for box in (FACE, BESIDE):
        rows, columns = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
        pixels[rows, columns] = noise.integers(0, 255, pixels[rows, columns].shape)
    return pixels


def seen(at_s: float, track_id: int = 7, box: Box = FACE) -> tuple[Frame, FrameOutcome]:
    frame = frame_at(at_s, scene())
    reading = replace(reading_at(0, 0), face=Face(box, 0.9))
    sighting = Sighting(track_id, reading, frame.captured_at, frame.monotonic_s)
    return frame, FrameOutcome((sighting,), Decision(), ())


def heads(frame: Frame) -> Sequence[Box]:
    """Find both, the first not as exactly as the road did."""
    return FACE.moved(3, -4), BESIDE


def details(jpeg: bytes, box: Box) -> float:
    """Return how much finer than the cells of a cover what is shown at `box` is."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    # The picture begins two and a half faces to the left of the face, and one and a half above.
    left, top = FACE.left - 2.5 * FACE.width, FACE.top - 1.5 * FACE.height
    ratio = 360 / (6 * FACE.width)
    inside = box.moved(-left, -max(0.0, top)).scaled(ratio, ratio)
    part = picture[int(inside.top) : int(inside.bottom), int(inside.left) : int(inside.right)]
    return float(np.median(np.abs(np.diff(part.astype(float), axis=1))))


def taken(*frames: tuple[Frame, FrameOutcome], uncovers: bool = True) -> PeoplePictures:
    pictures = PeoplePictures(heads, uncovers=uncovers)
    for frame, outcome in frames:
        pictures.note(Judged(frame, outcome))
    return pictures


def test_all_heads_are_covered_and_only_the_persons_own_may_be_uncovered() -> None:
    (picture,) = taken(seen(0)).of(7)
    assert details(picture.covered, FACE) < 10
    assert details(picture.covered, BESIDE) < 10
    assert details(picture.uncovered, FACE) > 30
    assert details(picture.uncovered, BESIDE) < 10
    assert max(map(len, (picture.covered, picture.uncovered))) <= 20_000


def test_where_faces_stay_covered_no_uncovered_picture_is_made() -> None:
    (picture,) = taken(seen(0), uncovers=False).of(7)
    assert picture.uncovered == b""


def test_of_a_person_the_two_pictures_with_the_largest_face_are_kept() -> None:
    boxes = [FACE, FACE.scaled(1.2, 1.2), FACE.scaled(1.25, 1.25), FACE.scaled(1.6, 1.6)]
    pictures = taken(*(seen(number, box=box) for number, box in enumerate(boxes)))
    assert len(pictures.of(7)) == 2
    sizes = [
        size
        for size, _ in taken(*(seen(n, box=b) for n, b in enumerate(boxes)))._people[7].pictures
    ]
    assert sizes == [pytest.approx(96), pytest.approx(75)]
    assert pictures.of(7) == (), "they are taken once"


def test_pictures_of_people_who_leave_without_a_visit_are_forgotten() -> None:
    pictures = taken(seen(0), seen(31, track_id=8))
    assert pictures.of(7) == ()
    assert pictures.of(8) != ()


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
    door.pass_by(Verdict.BARE)
    until(lambda: door.desk.state().next is not None, "it waits")
    _, picture = answer_labels(door.desk, ReadLabelPicture(1, 0, is_uncovered=True))
    assert not picture or details(picture, FACE) < 10
    locked = Door(tmp_path, may_uncover=False)
    assert "faces stay covered on this device" in locked.desk.do(FROM_PICTURES)
    assert locked.desk.state().phase == "off"
    assert locked.searches == 0


def test_a_face_that_is_shown_is_in_the_log_and_on_the_sheet(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edge.daemon.labels")
    assert door.desk.do(FROM_PICTURES) == ""
    door.observers["door"].show(*seen(0))
    recording = door.desk._recording
    assert recording is not None
    until(lambda: 7 in recording.pictures._people, "the picture is taken")
    door.pass_by(Verdict.BARE)
    _, covered = answer_labels(door.desk, ReadLabelPicture(1))
    _, face = answer_labels(door.desk, ReadLabelPicture(1, 0, is_uncovered=True))
    assert details(covered, FACE) < 10
    assert details(face, FACE) > 30
    door.desk.do(LabelVisit(1, Label.BARE))
    door.desk.do(StepLabels("stop"))
    assert door.desk.do(StepLabels("finish")) == ""
    assert caplog.messages == [
        "people are recorded in memory for 10 min to be labeled, by page Ada; their faces may be "
        "uncovered",
        "labeling is over, the door is not qualified: 1 visit recorded, 1 labeled, 1 with their "
        "face shown",
    ]
    assert b'people whose face was shown for it</th><td class="number">1' in door.desk.sheet()


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
