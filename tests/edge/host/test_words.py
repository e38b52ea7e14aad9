from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from edge.host.words import Since, Weight, conditions, duration
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    CameraView,
    OnTrial,
    OutboxState,
    Pace,
    Strain,
    Telemetry,
    ThrottlingFlag,
    Vitals,
)
from tests.edge.samples import TELEMETRY

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def camera(**changed: object) -> CameraStatus:
    return replace(TELEMETRY.camera, **changed)  # type: ignore[arg-type]


def test_of_a_device_that_does_well_nothing_is_said() -> None:
    assert conditions(TELEMETRY) == []


@pytest.mark.parametrize(
    ("now", "text", "weight"),
    [
        (
            replace(TELEMETRY, broker=BrokerState(True, 0, "MQTT 5", refusal="it takes none")),
            "it takes none",
            Weight.FAULT,
        ),
        (
            replace(TELEMETRY, broker=BrokerState(True, 0, "MQTT 5", limits=("it keeps nothing",))),
            "it keeps nothing",
            Weight.HINT,
        ),
        (
            replace(TELEMETRY, camera=camera(state=CameraState.LOST, view=None)),
            "the camera gives no picture",
            Weight.FAULT,
        ),
        (
            replace(TELEMETRY, camera=camera(state=CameraState.LOST, view=None, trouble="401")),
            "the camera gives no picture (401); tried again",
            Weight.FAULT,
        ),
        (
            replace(TELEMETRY, camera=camera(state=CameraState.STARTING, view=None)),
            "waiting for the camera",
            Weight.HINT,
        ),
        (replace(TELEMETRY, camera=camera(view=CameraView.DARK)), "too dark", Weight.FAULT),
        (replace(TELEMETRY, camera=camera(view=CameraView.COVERED)), "covered", Weight.FAULT),
        (replace(TELEMETRY, camera=camera(view=CameraView.BLINDED)), "blinded", Weight.FAULT),
        (replace(TELEMETRY, camera=camera(slow=True, fps=1.5)), "(1.5 a second)", Weight.FAULT),
        (
            replace(TELEMETRY, camera=camera(rotation_wanted_deg=180)),
            "nobody is judged; set [camera] rotation_deg = 180",
            Weight.FAULT,
        ),
        (replace(TELEMETRY, paused_for_s=600.0), "goes on by itself in 10 min", Weight.HINT),
        (
            replace(
                TELEMETRY,
                broker=BrokerState(False, 0, "none", "the broker refuses the password"),
                outbox=OutboxState(rows=3),
            ),
            "the broker refuses the password; 3 documents wait here",
            Weight.FAULT,
        ),
        (replace(TELEMETRY, broker=BrokerState(False, 0, "none")), "not connected", Weight.HINT),
        (
            replace(TELEMETRY, outbox=OutboxState(rows=9, oldest_age_s=7200.0)),
            "9 documents wait, the oldest for 2 h",
            Weight.HINT,
        ),
        (replace(TELEMETRY, outbox=OutboxState(is_refused=True)), "the disk takes", Weight.FAULT),
        (replace(TELEMETRY, outbox=OutboxState(refused=2)), "outbox list", Weight.HINT),
        (replace(TELEMETRY, pace=Pace(4.0, (Strain.HEAT,))), "it is too hot", Weight.HINT),
        (
            replace(TELEMETRY, vitals=Vitals(throttling=[ThrottlingFlag.UNDER_VOLTAGE_OCCURRED])),
            "power supply was too weak",
            Weight.HINT,
        ),
        (
            replace(TELEMETRY, trial=OnTrial("release", "0.4.0-a", "0.3.0-b", NOON, 5.0)),
            "on trial: release 0.4.0-a",
            Weight.HINT,
        ),
    ],
)
def test_each_condition_is_said(now: Telemetry, text: str, weight: Weight) -> None:
    (condition,) = conditions(now)
    assert text in condition.text
    assert condition.weight is weight


def test_the_gravest_comes_first() -> None:
    lost = camera(state=CameraState.LOST, view=None)
    found = conditions(replace(TELEMETRY, paused_for_s=60.0, camera=lost))
    assert [each.weight for each in found] == [Weight.FAULT, Weight.HINT]


def test_since_when_is_known_while_only_figures_change_and_forgotten_when_it_is_over() -> None:
    since = Since()
    for minutes in (0, 10):
        paused = conditions(replace(TELEMETRY, paused_for_s=600.0 - 60 * minutes))
        ((_, first),) = since.note(paused, NOON + timedelta(minutes=minutes))
        assert first == NOON
    assert since.note([], NOON) == []
    ((_, again),) = since.note(paused, NOON + timedelta(hours=1))
    assert again == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2 h"), (200_000, "2 days")],
)
def test_a_duration_has_the_unit_that_people_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text
