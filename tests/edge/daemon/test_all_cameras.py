"""What several cameras come to together."""

from __future__ import annotations

import pytest

from edge.daemon.all_cameras import counts_of
from edge.daemon.lookout import LookoutState
from edge.decide.compliance import ComplianceCounter
from edge.records import Verdict, Visit
from edge.telemetry import CameraReport
from tests.edge.samples import TELEMETRY
from tests.fakes import START


def counting(name: str, zones: tuple[str, ...], *visited: str) -> LookoutState:
    """Return a camera, and in which places those were who passed it."""
    counter = ComplianceCounter(0)
    counter.divide_into(zones)
    for number, zone in enumerate(visited):
        counter.add(Visit(number, Verdict.MASKED, START, START, 60, zone), 1)
    report = CameraReport(name, "", TELEMETRY.camera, 0, 0.0, 0, {}, "")
    return LookoutState(report, counter.totals(1))


def places(*cameras: LookoutState) -> list[tuple[str, int]]:
    """Return the places of all of them and who was there, once they add up to the whole."""
    together, _ = counts_of(cameras)
    for window in ("last_hour", "last_day", "since_start"):
        seen = [getattr(each, window).masked for each in together.places]
        assert not seen or sum(seen) == getattr(together, window).masked
    return [(each.zone, each.since_start.masked) for each in together.places]


GATE = counting("gate", ("Gate",), "Gate", "Gate", "")
HALL = counting("hall", ("Hall", "Gate"), "Hall", "Gate")
YARD = counting("yard", (), "", "", "", "")
LANE = counting("lane", (), "", "")


@pytest.mark.parametrize(
    ("cameras", "expected"),
    [
        ((GATE,), [("Gate", 2), ("", 1)]),
        ((GATE, HALL), [("Gate", 3), ("Hall", 1), ("", 1)]),
        ((GATE, YARD), [("Gate", 2), ("", 5)]),
        ((YARD, GATE), [("Gate", 2), ("", 5)]),
        ((YARD, LANE, GATE, HALL), [("Gate", 3), ("Hall", 1), ("", 7)]),
        ((YARD, LANE), []),
    ],
)
def test_the_places_of_all_cameras_add_up_to_the_whole_and_the_last_is_in_no_zone(
    cameras: tuple[LookoutState, ...], expected: list[tuple[str, int]]
) -> None:
    assert places(*cameras) == expected
