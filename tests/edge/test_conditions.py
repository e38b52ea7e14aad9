from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.conditions import (
    KINDS,
    OF_THE_CONNECTION,
    RUNNING,
    Code,
    Severity,
    condition,
    conditions,
    health_codes,
)
from edge.config import parse_settings
from edge.software import OnTrial
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    CameraView,
    Certificate,
    ClockState,
    OutboxState,
    Pace,
    PageState,
    SignalState,
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


POSTER = ((0.1, 0.2), (0.3, 0.2), (0.3, 0.5), (0.1, 0.5))
DAY = timedelta(days=1)


def certificate(ends_at: datetime) -> Telemetry:
    return replace(TELEMETRY, at=NOON, certificates=(Certificate("[mqtt] file", ends_at),))


@pytest.mark.parametrize(
    ("now", "code", "text"),
    [
        (
            replace(TELEMETRY, broker=BrokerState(True, 0, "MQTT 5", refusal="it takes none")),
            Code.BROKER_REFUSED,
            "it takes none",
        ),
        (
            replace(TELEMETRY, signal=SignalState("all off", trouble="a pin is busy")),
            Code.SIGNAL_FAILING,
            "the lamps, the sound or the relay at the door do not work: a pin is busy",
        ),
        (
            replace(TELEMETRY, broker=BrokerState(True, 0, "MQTT 5", limits=("it keeps nothing",))),
            Code.BROKER_LIMITED,
            "it keeps nothing",
        ),
        (
            replace(TELEMETRY, camera=camera(state=CameraState.LOST, view=None)),
            Code.CAMERA_LOST,
            "the camera gives no picture",
        ),
        (
            replace(
                TELEMETRY, camera=camera(state=CameraState.LOST, view=None, trouble="busy (404)")
            ),
            Code.CAMERA_LOST,
            "the camera gives no picture: busy (404)",
        ),
        (
            replace(
                TELEMETRY,
                camera=camera(
                    state=CameraState.LOST, view=None, trouble="wrong password", refuses=True
                ),
            ),
            Code.CAMERA_REFUSED,
            "the camera gives no picture: wrong password",
        ),
        (
            replace(TELEMETRY, camera=camera(state=CameraState.STARTING, view=None)),
            Code.CAMERA_STARTING,
            "waiting for the camera's first picture",
        ),
        (
            replace(TELEMETRY, camera=camera(view=CameraView.DARK)),
            Code.VIEW_DARK,
            "too dark: nobody can be seen",
        ),
        (
            replace(TELEMETRY, camera=camera(view=CameraView.COVERED)),
            Code.VIEW_COVERED,
            "the camera is covered, or out of focus altogether",
        ),
        (
            replace(TELEMETRY, camera=camera(view=CameraView.BLINDED)),
            Code.VIEW_BLINDED,
            "the camera is blinded: nobody can be seen",
        ),
        (
            replace(TELEMETRY, camera=camera(slow=True, fps=1.5)),
            Code.CAMERA_SLOW,
            "the camera gives too few pictures to follow people (1.5 a second)",
        ),
        (
            replace(TELEMETRY, camera=camera(rotation_wanted_deg=180)),
            Code.CAMERA_TURNED,
            "the camera is mounted upside down or on its side: nobody is judged",
        ),
        (
            replace(TELEMETRY, camera=camera(lifeless_places=(POSTER,))),
            Code.FACE_LIFELESS,
            "a face has not moved for 30 s or longer, a poster or a screen: nobody is reported "
            "there",
        ),
        (
            replace(TELEMETRY, paused_for_s=600.0),
            Code.PAUSED,
            "paused: judging goes on by itself in 10 min",
        ),
        (
            replace(TELEMETRY, broker=BrokerState(False, 0, "none", "it refuses the password")),
            Code.BROKER_AWAY,
            "it refuses the password",
        ),
        (
            replace(TELEMETRY, broker=BrokerState(False, 0, "none")),
            Code.BROKER_CONNECTING,
            "not connected to the broker yet",
        ),
        (
            replace(TELEMETRY, outbox=OutboxState(rows=9, oldest_age_s=7200.0)),
            Code.MESSAGES_QUEUED,
            "9 messages queued, the oldest for 2 h",
        ),
        (
            replace(TELEMETRY, outbox=OutboxState(is_refused=True)),
            Code.DISK_UNWRITABLE,
            "the disk is full or broken: messages are kept in memory only",
        ),
        (
            replace(TELEMETRY, outbox=OutboxState(refused=1)),
            Code.MESSAGES_REJECTED,
            "the broker has rejected 1 message",
        ),
        (
            replace(TELEMETRY, pace=Pace(4.0, (Strain.HEAT,))),
            Code.TOO_HOT,
            "the box is too hot: only 4 pictures a second are judged",
        ),
        (
            replace(TELEMETRY, pace=Pace(2.5, (Strain.MEMORY,))),
            Code.MEMORY_SHORT,
            "memory is short: only 2.5 pictures a second are judged",
        ),
        (
            replace(TELEMETRY, pace=Pace(4.0, (Strain.POWER,))),
            Code.POWER_WEAK,
            "the power supply is too weak: only 4 pictures a second are judged",
        ),
        (
            replace(TELEMETRY, vitals=Vitals(throttling=[ThrottlingFlag.UNDER_VOLTAGE_OCCURRED])),
            Code.UNDER_VOLTAGE,
            "under-voltage since boot: the power supply is too weak",
        ),
        (
            replace(TELEMETRY, clock=ClockState(0, None, is_synchronised=False)),
            Code.CLOCK_UNSYNCHRONISED,
            "the clock is not set from the network: the times in messages may be wrong",
        ),
        (
            certificate(NOON + 30 * DAY),
            Code.CERTIFICATE_EXPIRING,
            "the certificate [mqtt] file ends on 2026-02-01",
        ),
        (
            certificate(NOON),
            Code.CERTIFICATE_EXPIRED,
            "the certificate [mqtt] file ended on 2026-01-02",
        ),
        (
            replace(TELEMETRY, page=PageState("http://127.0.0.1:8080", "its port is taken")),
            Code.PAGE_DOWN,
            "the page is not served: its port is taken",
        ),
        (
            replace(TELEMETRY, trial=OnTrial("release", "0.4.0-a", "0.3.0-b", NOON, 5.0)),
            Code.ON_TRIAL,
            "on trial: release 0.4.0-a",
        ),
    ],
)
def test_each_condition_has_its_code_and_sentence(now: Telemetry, code: Code, text: str) -> None:
    (found,) = conditions(now)
    assert (found.code, found.text) == (code, text)
    assert found.severity is KINDS[code].severity


def test_the_place_of_a_poster_is_named_as_the_settings_take_it() -> None:
    (found,) = conditions(replace(TELEMETRY, camera=camera(lifeless_places=(POSTER,))))
    tables = tomllib.loads(found.fix[found.fix.index("[detector] ") + len("[detector] ") :])
    needed = {"mqtt": {"host": "none"}, "camera": {"source": "none"}}
    assert parse_settings(needed | {"detector": tables}, "test").detector.excluded == (POSTER,)


def test_a_certificate_that_lasts_is_not_worth_a_word() -> None:
    assert conditions(certificate(NOON + 31 * DAY)) == []


def test_each_code_has_an_entry_and_names_what_it_says() -> None:
    assert set(KINDS) == set(Code)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in Code)


def test_a_table_of_devices_has_words_for_each_fault_that_health_names() -> None:
    faults = [c for c, kind in RUNNING.items() if kind.severity is Severity.FAULT]
    assert [c for c in faults if not KINDS[c].short] == [Code.BROKER_AWAY]


def test_the_reference_names_what_health_names_and_its_severity() -> None:
    text = (Path(__file__).parents[2] / "docs/mqtt.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| ([a-z, ]+) \|", text, re.MULTILINE)
    told: dict[str, str] = {}
    for codes, severities in rows:
        names, grave = codes.replace("`", "").split(", "), severities.split(", ")
        if set(grave) <= set(Severity):
            told |= dict(zip(names, grave * (1 if len(grave) > 1 else len(names)), strict=True))
    named = {c: kind.severity for c, kind in RUNNING.items() if c not in OF_THE_CONNECTION}
    assert told == named


def test_what_is_left_open_in_a_sentence_must_be_given() -> None:
    with pytest.raises(KeyError):
        condition(Code.CAMERA_TURNED)


def test_the_fix_of_a_turned_camera_ends_with_the_command() -> None:
    found = condition(Code.CAMERA_TURNED, rotation_deg=270)
    assert "[camera] rotation_deg = 270, then: sudo systemctl restart tensormask" in found.fix


def test_faults_come_first() -> None:
    lost = camera(state=CameraState.LOST, view=None)
    found = conditions(replace(TELEMETRY, paused_for_s=60.0, camera=lost))
    assert [each.severity for each in found] == [Severity.FAULT, Severity.HINT]


def test_health_names_each_code_once_and_not_that_the_broker_was_away() -> None:
    away = BrokerState(False, 0, "none", "it hangs up", limits=("no QoS 1", "keeps nothing"))
    found = health_codes(conditions(replace(TELEMETRY, broker=away, camera=camera(slow=True))))
    assert found == [Code.CAMERA_SLOW, Code.BROKER_LIMITED]
