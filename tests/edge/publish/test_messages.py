from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from msgspec import structs

from edge.decide.compliance import ComplianceCounter
from edge.history.hours import HourOfHistory, VisitsOfHour, WatchOfHour
from edge.history.records import AlertAcknowledgement, Place, WatchState
from edge.publish.messages import (
    MESSAGES,
    AvailabilityState,
    BrokerHealth,
    CameraHealth,
    CameraPresence,
    ClockHealth,
    CommandName,
    CommandOutcome,
    DroppedHealth,
    HealthMessage,
    LatencyHealth,
    Message,
    ModelIdentity,
    OneCameraHealth,
    Origin,
    OutboxCondition,
    OutboxHealth,
    PaceHealth,
    ReportedPeriod,
    ReportMessage,
    ResponseMessage,
    Versions,
    acknowledgement_message,
    availability_message,
    compliance_message,
    encode,
    every_field,
    hour_message,
    presence_message,
    release_message,
    timestamp,
    topic,
    violation_message,
)
from edge.publish.schemas import as_text, generate, path_of
from edge.records import Verdict, Violation, ViolationState, Visit
from edge.software import OnTrial, Settled, Software
from edge.telemetry import (
    CameraState,
    CameraView,
    Strain,
    ThrottlingFlag,
)

NOON = datetime(2026, 11, 23, 12, 0, 0, 5_999, tzinfo=UTC)
ORIGIN = Origin("door-1", "Museum", "north", ModelIdentity(name="m", version="1", sha256="0f" * 32))
CONFIRMED = Violation(
    event_id="019aaf2c-4a83-7cc3-98c4-dc0c0c07398f",
    state=ViolationState.CONFIRMED,
    track_id=7,
    started_at=NOON - timedelta(seconds=1.5),
    confirmed_at=NOON,
    ended_at=None,
    duration_s=1.50004,
    bare_probability=0.961249,
    face_px=71.53,
    probability=0.961249,
)
ENDED = Violation(
    event_id=CONFIRMED.event_id,
    state=ViolationState.ENDED,
    track_id=7,
    started_at=CONFIRMED.started_at,
    confirmed_at=NOON,
    ended_at=NOON + timedelta(seconds=10),
    duration_s=11.5,
    bare_probability=1.0,
    face_px=80.0,
    probability=1.0,
)


def some_compliance() -> Message:
    counter = ComplianceCounter(0.0)
    counter.divide_into(["Gate"])
    for verdict in (Verdict.MASKED, Verdict.MASKED, Verdict.BARE, Verdict.UNKNOWN):
        counter.add(Visit(1, verdict, NOON, NOON), 5.0)
    return compliance_message(ORIGIN, counter.totals(100.0), NOON, True, "1f0c5a2e")


def some_health(**changes: Any) -> HealthMessage:
    given: dict[str, Any] = {
        "device_id": "door-1",
        "site": "",
        "zone": "",
        "at": timestamp(NOON),
        "clock_synchronised": False,
        "model": ORIGIN.model,
        "versions": Versions(program="0.1", runtime="litert 2", python="3.11", opencv="4.14"),
        "uptime_s": 10.5,
        "fps": 14.9,
        "latency_ms": {"detect": LatencyHealth(p50=10.0, p95=12.0)},
        "frames": 100,
        "dropped_frames": 3,
        "camera": CameraHealth(
            state=CameraState.RUNNING, outages=0, view=CameraView.CLEAR, fps=15.0, slow=False
        ),
        "outbox": OutboxHealth(
            rows=0,
            oldest_age_s=None,
            dropped=0,
            set_aside=0,
            set_aside_at=None,
            state=OutboxCondition.ON_DISK,
            bytes=0,
            in_memory=0,
            live=0,
            dropped_by=DroppedHealth(rows=0, bytes=0, age=0, memory=0),
        ),
        "broker": BrokerHealth(reconnects=0, protocol="MQTT 5"),
        "temperature_c": 51.0,
        "throttling": [ThrottlingFlag.UNDER_VOLTAGE_OCCURRED],
        "rss_bytes": 180_000_000,
        "available_bytes": 512_000_000,
        "pace": PaceHealth(max_fps=4.0, reasons=[Strain.HEAT]),
        "clock": ClockHealth(steps=1, last_step_s=-3600.0),
        "paused_for_s": None,
        "conditions": ["too-hot"],
    }
    return HealthMessage(**{**given, **changes})


def some_response(**changes: Any) -> Message:
    given: dict[str, Any] = {
        **every_field(ORIGIN, NOON, True),
        "request_id": "desk-1",
        "command": CommandName.SNAPSHOT,
        "outcome": CommandOutcome.DONE,
        "reason": None,
        "snapshot": b"a picture",
    }
    return ResponseMessage(**{**given, **changes})


def some_report() -> Message:
    """A day with people, a day without any, and a week."""
    day = {
        **{"period": "2026-11-23", "begin": timestamp(NOON), "until": timestamp(NOON)},
        **dict.fromkeys(("seen", "masked", "bare", "unknown", "worn_wrongly", "counted_apart"), 1),
        **dict.fromkeys(("rate", "rate_low", "rate_high"), 0.5),
        **dict.fromkeys(("corrected", "corrected_low", "corrected_high"), None),
        **dict.fromkeys(("hours_left_out", "alerts", "alerts_open"), 2),
        **{"expected_s": 60.0, "watched_s": 40.5, "unwatched_s": {"dark": 19.5}},
    }
    today, yesterday, week = (
        ReportedPeriod(**day, is_over=is_over, median_remedy_s=remedy_s)  # type: ignore[arg-type]
        for is_over, remedy_s in ((False, 3.5), (True, None), (True, 1.0))
    )
    return ReportMessage(
        **every_field(ORIGIN, NOON, True),
        time_zone="Europe/Berlin",
        today=today,
        yesterday=yesterday,
        week=week,
    )


ON_TRIAL = OnTrial("release", "0.3.0-bbbb", "0.3.0-aaaa", NOON, 12.34)
SOFTWARE = Software(
    {"release": "0.3.0-bbbb", "bundle": ""},
    ON_TRIAL,
    (Settled("release", "0.3.0-aaaa", "kept", "well for 600 s", NOON),),
)
HOUR = HourOfHistory(
    history="5f0c3a9b7d21e864",
    began_at=NOON.replace(hour=11, microsecond=0),
    revision=3_600_005,
    follows=None,
    people=(
        VisitsOfHour(Place("", "left"), True, 48, Verdict.BARE, 2),
        VisitsOfHour(Place("", "left"), True, 48, Verdict.MASKED, 3),
    ),
    watched=(WatchOfHour("", WatchState.WATCHED, True, 3600.0004),),
)
SAID = AlertAcknowledgement(
    CONFIRMED.event_id, NOON + timedelta(minutes=7), "page", "forgotten", "mask-handed-out", "door"
)
EVERY_MESSAGE: dict[str, list[Message]] = {
    "acknowledgement": [
        acknowledgement_message(ORIGIN, SAID, NOON, 3, True),
        acknowledgement_message(ORIGIN, SAID, None, 4, False),
    ],
    "availability": [
        availability_message(ORIGIN, state, NOON, True) for state in AvailabilityState
    ],
    "violation": [
        violation_message(ORIGIN, CONFIRMED, 1, True),
        violation_message(ORIGIN, ENDED, 2, False),
        violation_message(ORIGIN, CONFIRMED, 3, True, b"a picture"),
    ],
    "compliance": [
        some_compliance(),
        compliance_message(ORIGIN, ComplianceCounter(0.0).totals(0.0), NOON, True, "1f0c5a2e"),
    ],
    "health": [
        some_health(),
        some_health(temperature_c=None, throttling=None, paused_for_s=59.5),
    ],
    "hour": [
        hour_message(ORIGIN, HOUR, NOON, True),
        hour_message(ORIGIN, structs.replace(HOUR, follows=HOUR.began_at, people=()), NOON, True),
    ],
    "presence": [
        presence_message(ORIGIN, 0, 0, NOON, True),
        presence_message(ORIGIN, 2, 1, NOON, True),
    ],
    "release": [
        release_message(ORIGIN, SOFTWARE, NOON, True),
        release_message(ORIGIN, Software({"release": "0.3.0-aaaa"}, None, ()), NOON, True),
    ],
    "report": [some_report()],
    "response": [
        some_response(),
        some_response(command=None, request_id=None, outcome=CommandOutcome.REFUSED, reason="no"),
    ],
}
CROWD = ComplianceCounter(0.0).totals(0.0)
OF_SEVERAL: dict[str, Message] = {
    "violation": violation_message(ORIGIN, CONFIRMED, 1, True, camera="hall"),
    "compliance": compliance_message(ORIGIN, CROWD, NOON, True, "1f0c5a2e", {"hall": CROWD}),
    "health": some_health(
        cameras={
            "hall": OneCameraHealth(
                state=CameraState.LOST,
                outages=1,
                view=None,
                fps=None,
                slow=False,
                zone="hall",
                judged_fps=0.0,
                frames=12,
                dropped_frames=0,
                conditions=["camera-lost"],
            )
        }
    ),
    "presence": presence_message(
        ORIGIN, 1, 0, NOON, True, {"hall": CameraPresence(bare=1, worn_wrongly=0)}
    ),
    "response": some_response(camera="hall"),
}
"""What only a device with several cameras says."""
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "mqtt.md"


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path_of(name).read_bytes())
    return loaded


def validate(name: str, payload: bytes) -> None:
    """Check `payload` against its published schema."""
    Draft202012Validator(schema(name)).validate(json.loads(payload))


def test_a_topic_names_prefix_device_and_kind() -> None:
    assert topic("tensormask", "door-1", "violation") == "tensormask/door-1/violation"


def test_a_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(NOON) == "2026-11-23T12:00:00.005Z"
    berlin = timezone(timedelta(hours=1))
    assert timestamp(datetime(2026, 11, 23, 0, 30, tzinfo=berlin)) == "2026-11-22T23:30:00.000Z"


def test_the_confirmed_document_is_this() -> None:
    assert json.loads(encode(violation_message(ORIGIN, CONFIRMED, 41, True))) == {
        "schema": "tensormask/violation/1",
        "device_id": "door-1",
        "site": "Museum",
        "zone": "north",
        "at": "2026-11-23T12:00:00.005Z",
        "clock_synchronised": True,
        "model": {"name": "m", "version": "1", "sha256": "0f" * 32},
        "event_id": "019aaf2c-4a83-7cc3-98c4-dc0c0c07398f",
        "sequence": 41,
        "state": "confirmed",
        "started_at": "2026-11-23T11:59:58.505Z",
        "confirmed_at": "2026-11-23T12:00:00.005Z",
        "ended_at": None,
        "duration_s": 1.5,
        "bare_probability": 0.9612,
        "face_px": 71.5,
        "track_id": 7,
        "snapshot": None,
        "kind": "bare",
        "probability": 0.9612,
        "interrupted": False,
        "place": "",
    }


def test_the_ended_document_tells_when() -> None:
    ended = json.loads(encode(violation_message(ORIGIN, ENDED, 42, True)))
    assert (ended["at"], ended["ended_at"]) == ("2026-11-23T12:00:10.005Z",) * 2


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_obeys_its_schema(name: str) -> None:
    for message in EVERY_MESSAGE[name]:
        payload = encode(message)
        validate(name, payload)
        assert json.loads(payload).keys() == set(schema(name)["required"])


@pytest.mark.parametrize("name", OF_SEVERAL)
def test_only_with_several_cameras_a_message_names_them(name: str) -> None:
    payload = encode(OF_SEVERAL[name])
    validate(name, payload)
    more = json.loads(payload).keys() - set(schema(name)["required"])
    assert more == schema(name)["properties"].keys() - set(schema(name)["required"])
    assert more <= {"camera", "cameras"}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_schema_refuses_what_lacks_a_field_or_has_it_wrong(name: str) -> None:
    document = json.loads(encode(EVERY_MESSAGE[name][0]))
    for key in document:
        without = {other: value for other, value in document.items() if other != key}
        with pytest.raises(ValidationError):
            validate(name, json.dumps(without).encode())
        with pytest.raises(ValidationError):
            validate(name, json.dumps({**document, key: ["Wrong!"]}).encode())


@pytest.mark.parametrize("name", MESSAGES)
def test_a_schema_file_is_what_the_structs_say(name: str) -> None:
    text = path_of(name).read_text(encoding="utf-8")
    assert text == as_text(generate(name)), "run: python -m edge.publish.schemas"
    Draft202012Validator.check_schema(json.loads(text))


def test_a_schema_describes_itself_and_its_fields() -> None:
    violation = schema("violation")
    assert violation["title"] == "ViolationMessage"
    assert violation["description"].startswith("A person without a mask")
    assert all("description" in violation["properties"][key] for key in ("event_id", "sequence"))


def test_a_violation_names_its_place_in_the_picture_beside_the_zone_of_the_device() -> None:
    document = json.loads(
        encode(violation_message(ORIGIN, replace(CONFIRMED, zone="Gate"), 1, True))
    )
    assert (document["zone"], document["place"]) == ("north", "Gate")


def test_a_picture_is_base64() -> None:
    document = json.loads(encode(violation_message(ORIGIN, CONFIRMED, 1, True, b"\xff\xd8\xff")))
    assert document["snapshot"] == "/9j/"


def documented_examples() -> list[tuple[str, str]]:
    """Return the JSON examples of the reference, each with the topic of the heading above it."""
    text = DOCUMENTATION.read_text(encoding="utf-8")
    parts = re.split(r"^### `…/(\w+)`", text, flags=re.MULTILINE)
    return [
        (name, example)
        for name, section in zip(parts[1::2], parts[2::2], strict=True)
        for example in re.findall(
            r"^```json\n(.*?)^```", section.split("\n## ")[0], flags=re.MULTILINE | re.DOTALL
        )
    ]


def test_the_reference_has_an_example_of_every_message() -> None:
    assert {name for name, _ in documented_examples()} == set(MESSAGES)


@pytest.mark.parametrize(("name", "example"), documented_examples())
def test_a_documented_example_obeys_the_schema(name: str, example: str) -> None:
    validate(name, example.encode())


@pytest.mark.parametrize("name", MESSAGES)
def test_the_reference_lists_every_field(name: str) -> None:
    section = DOCUMENTATION.read_text(encoding="utf-8")
    definitions = [schema(name), *schema(name)["$defs"].values()]
    fields = {field for each in definitions for field in each.get("properties", {})}
    assert {field for field in fields if f"`{field}`" not in section} == set()
