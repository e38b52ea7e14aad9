"""Who comes is said to a program that has connected, and judging waits for none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.daemon.lookout import Glance
from edge.daemon.visits import MOST, VisitsOutlet, open_visits
from edge.decide.policy import Decision, Standing
from edge.host.visits import EndedVisit, VisitNews, VisitReader, VisitsGoneError, socket_of
from edge.observers import Observers
from edge.pipeline import FrameOutcome
from edge.records import Verdict, Visit
from edge.telemetry import CameraReport, CameraState
from tests.edge.samples import TELEMETRY
from tests.fakes import START, frame_at

NOTHING = VisitNews(is_watching=True, in_sight=0)
LEFT = Visit(7, Verdict.MASKED, START, START, face_px=84.26)


def standing(track_id: int, *, is_lifeless: bool = False) -> Standing:
    return Standing(track_id, None, 0.5, 0.0, 0.0, 0, 0, False, is_lifeless)


def camera(name: str, state: CameraState = CameraState.RUNNING) -> CameraReport:
    return CameraReport(name, "", replace(TELEMETRY.camera, state=state), 1, 10.0, 0, {}, "usual")


def _drain(reader: VisitReader) -> None:
    while reader.take(1) is not None:
        pass


@pytest.fixture
def observers() -> Observers:
    return Observers()


@pytest.fixture
def outlet(tmp_path: Path, observers: Observers) -> Iterator[VisitsOutlet]:
    outlet = open_visits(tmp_path, {"": observers})
    outlet.start()
    yield outlet
    outlet.close()


@pytest.fixture
def reader(tmp_path: Path, outlet: VisitsOutlet) -> Iterator[VisitReader]:
    with closing(VisitReader(socket_of(tmp_path, {}))) as reader:
        yield reader


def test_a_reader_hears_at_once_how_it_is(outlet: VisitsOutlet, reader: VisitReader) -> None:
    outlet.take(Glance(), TELEMETRY)
    assert reader.take(1) == NOTHING
    outlet.take(Glance(), TELEMETRY)
    assert reader.take(0) is None, "nothing has changed"


def test_who_is_in_sight_and_who_has_left_is_said(
    outlet: VisitsOutlet, reader: VisitReader, observers: Observers
) -> None:
    outlet.take(Glance(), TELEMETRY)
    people = (standing(7), standing(8), standing(9, is_lifeless=True))
    observers.show(frame_at(0), FrameOutcome((), Decision(), people))
    outlet.take(Glance(), TELEMETRY)
    decision = Decision(visits=(LEFT, replace(LEFT, verdict=Verdict.UNKNOWN, face_px=0.0)))
    outlet.take(Glance(decision=decision), TELEMETRY)
    assert [reader.take(1) for _ in range(3)] == [
        NOTHING,
        VisitNews(is_watching=True, in_sight=2),
        VisitNews(
            is_watching=True,
            in_sight=2,
            ended=(
                EndedVisit(Verdict.MASKED, 84.3),
                EndedVisit(Verdict.UNKNOWN, 0.0),
            ),
        ),
    ]


def test_of_several_cameras_each_is_said_by_its_name(tmp_path: Path) -> None:
    door, hall = Observers(), Observers()
    outlet = open_visits(tmp_path, {"door": door, "hall": hall})
    outlet.start()
    telemetry = replace(TELEMETRY, cameras=(camera("door", CameraState.LOST), camera("hall")))
    with closing(VisitReader(socket_of(tmp_path, {}))) as reader:
        outlet.take(Glance(), telemetry)
        hall.show(frame_at(0), FrameOutcome((), Decision(), (standing(7),)))
        outlet.take(Glance(camera="door"), telemetry)
        outlet.take(Glance(decision=Decision(visits=(LEFT,)), camera="hall"), telemetry)
        assert [reader.take(1) for _ in range(4)] == [
            VisitNews(is_watching=False, in_sight=0, camera="door"),
            VisitNews(is_watching=True, in_sight=0, camera="hall"),
            VisitNews(is_watching=True, in_sight=1, camera="hall"),
            VisitNews(True, 1, (EndedVisit(Verdict.MASKED, 84.3),), "hall"),
        ]
        assert reader.take(0) is None
    outlet.close()


def test_a_camera_that_is_lost_and_a_pause_are_said(
    outlet: VisitsOutlet, reader: VisitReader
) -> None:
    lost = replace(TELEMETRY, camera=replace(TELEMETRY.camera, state=CameraState.LOST))
    outlet.take(Glance(), lost)
    outlet.take(Glance(), TELEMETRY)
    outlet.take(Glance(), replace(TELEMETRY, paused_for_s=60.0))
    heard = [reader.take(1) for _ in range(3)]
    assert [each and each.is_watching for each in heard] == [False, True, False]


def test_a_reader_that_does_not_read_is_not_waited_for(
    outlet: VisitsOutlet, reader: VisitReader, tmp_path: Path
) -> None:
    decision = Decision(visits=(LEFT,))
    for _ in range(20_000):
        outlet.take(Glance(decision=decision), TELEMETRY)
    with closing(VisitReader(socket_of(tmp_path, {}))) as another:
        outlet.take(Glance(), TELEMETRY)
        assert another.take(1) == NOTHING
    with pytest.raises(VisitsGoneError):
        _drain(reader)


def test_without_a_reader_no_frame_is_kept(
    outlet: VisitsOutlet, observers: Observers, tmp_path: Path
) -> None:
    def is_kept() -> bool:
        return bool(observers._observers)

    outlet.take(Glance(), TELEMETRY)
    assert not is_kept()
    with closing(VisitReader(socket_of(tmp_path, {}))):
        outlet.take(Glance(), TELEMETRY)
        assert is_kept()
    outlet.take(Glance(decision=Decision(visits=(LEFT,))), TELEMETRY)
    assert not is_kept()


def test_not_more_than_a_few_may_listen(
    outlet: VisitsOutlet, reader: VisitReader, tmp_path: Path
) -> None:
    readers = [reader]
    for _ in range(MOST):
        outlet.take(Glance(), TELEMETRY)
        readers.append(VisitReader(socket_of(tmp_path, {})))
    outlet.take(Glance(), TELEMETRY)
    with pytest.raises(VisitsGoneError, match="has ended or was restarted"):
        readers[-1].take(1)
    for each in readers[1:]:
        each.close()


def test_a_service_that_ends_is_said_and_leaves_no_socket(
    outlet: VisitsOutlet, reader: VisitReader, tmp_path: Path
) -> None:
    outlet.take(Glance(), TELEMETRY)
    assert reader.take(1) == NOTHING
    outlet.close()
    with pytest.raises(VisitsGoneError, match="has ended or was restarted"):
        reader.take(1)
    with pytest.raises(VisitsGoneError, match="does not say who comes"):
        VisitReader(socket_of(tmp_path, {}))


def test_a_folder_that_is_closed_stops_nothing(
    tmp_path: Path, observers: Observers, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    outlet = VisitsOutlet(tmp_path / "file" / "socket", {"": observers})
    outlet.start()
    outlet.take(Glance(), TELEMETRY)
    outlet.close()
    (said,) = caplog.records
    assert "no `tensormask qualify`" in said.message


def test_under_systemd_the_socket_is_in_memory(tmp_path: Path) -> None:
    runtime = {"RUNTIME_DIRECTORY": "/run/tensormask"}
    assert socket_of(tmp_path, runtime) == Path("/run/tensormask/visits.sock")
