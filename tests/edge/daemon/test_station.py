from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.advice import AdviceBoard
from edge.config import parse_settings
from edge.daemon.lookout import Glance
from edge.daemon.station import StationOutlet, open_station
from edge.decide.policy import Decision
from edge.observers import Observers
from edge.pipeline import FrameOutcome
from edge.records import Advice, Frame
from edge.telemetry import Telemetry
from tests.edge.samples import TELEMETRY
from tests.fakes import frame_at
from tests.waiting import until

OUTCOME = FrameOutcome((), Decision())
FAULT_S = 20.0
"""The time of a frame at which the program has a fault."""


class Echo:
    """Advises by the time of the frame, once the camera is known."""

    def take(self, frame: Frame, outcome: FrameOutcome, telemetry: Telemetry | None) -> Advice:
        if telemetry is None:
            return Advice.CLOSED
        if frame.number == round(FAULT_S * 1000):
            raise RuntimeError("a fault")
        return Advice.GO if frame.number else Advice.EMPTY


@pytest.fixture
def observers() -> Observers:
    return Observers()


@pytest.fixture
def outlet(observers: Observers) -> Iterator[StationOutlet]:
    outlet = StationOutlet(Echo(), observers, AdviceBoard())
    outlet.start()
    yield outlet
    outlet.close()


def shows(outlet: StationOutlet, observers: Observers, seconds: float, advice: Advice) -> None:
    """Judge such frames until the board says so."""

    def is_said() -> bool:
        observers.show(frame_at(seconds), OUTCOME)
        return outlet.board.now().advice is advice

    until(is_said, advice)


def test_each_judged_frame_is_an_advice(outlet: StationOutlet, observers: Observers) -> None:
    outlet.take(Glance(), TELEMETRY)
    shows(outlet, observers, 0, Advice.EMPTY)
    shows(outlet, observers, 1, Advice.GO)


def test_a_fault_of_the_program_closes_it_and_not_for_good(
    outlet: StationOutlet, observers: Observers, caplog: pytest.LogCaptureFixture
) -> None:
    outlet.take(Glance(), TELEMETRY)
    shows(outlet, observers, 1, Advice.GO)
    shows(outlet, observers, FAULT_S, Advice.CLOSED)
    shows(outlet, observers, 2, Advice.GO)
    assert [each.message for each in caplog.records] == [
        "the person before the camera cannot be advised"
    ]


def test_it_is_closed_when_the_service_stops(outlet: StationOutlet, observers: Observers) -> None:
    outlet.take(Glance(), TELEMETRY)
    shows(outlet, observers, 1, Advice.GO)
    outlet.close()
    assert outlet.board.now().advice is Advice.CLOSED


def test_turns_without_a_judged_frame_confirm_nothing(
    outlet: StationOutlet, observers: Observers
) -> None:
    """So it is when the camera is silent, or in a pause."""
    outlet.take(Glance(), TELEMETRY)
    shows(outlet, observers, 1, Advice.GO)

    def is_closed() -> bool:
        outlet.take(Glance(), TELEMETRY)
        return outlet.board.now().advice is Advice.CLOSED

    until(is_closed, "closed")


def test_without_a_station_nothing_is_computed(observers: Observers) -> None:
    assert open_station(parse_settings({"mqtt": {"host": "broker"}}, "test"), observers) is None
