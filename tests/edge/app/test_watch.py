from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.app.watch import Alerts
from edge.publish.broker import Received

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
HEAD = (
    '"device_id":"door-1","site":"","zone":"%s","at":"2026-11-23T14:03:21.250Z",'
    '"clock_synchronised":true,"model":{"name":"m","version":"1","sha256":"' + "0f" * 32 + '"}'
)
TAIL = (
    '"sequence":1,"started_at":"2026-11-23T14:03:20.000Z","bare_probability":0.96,'
    '"confirmed_at":"2026-11-23T14:03:21.250Z","ended_at":null,"face_px":70.0,"track_id":1'
)
EVENT = "019aaf2c-4a83-7cc3-98c4-dc0c0c07398f"


@pytest.fixture(autouse=True)
def _berlin_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def violation(state: str = "confirmed", duration_s: float = 1.2, zone: str = "") -> Received:
    head = HEAD % zone
    text = (
        f'{{"schema":"tensormask/violation/1",{head},{TAIL},"event_id":"{EVENT}",'
        f'"state":"{state}","duration_s":{duration_s}}}'
    )
    return Received("tensormask/door-1/violation", text.encode())


def availability(state: str, device: str = "door-1") -> Received:
    text = f'{{"schema":"tensormask/availability/1",{HEAD % ""},"state":"{state}"}}'
    return Received(f"tensormask/{device}/availability", text.encode())


def lines(*messages: Received, colour: bool = False) -> list[str | None]:
    alerts = Alerts(colour=colour)
    return [alerts.line(message, NOW) for message in messages]


def test_a_violation_and_its_end_are_told_in_local_time() -> None:
    assert lines(violation(), violation("ended", 12.4)) == [
        "15:03:21  door-1  NO MASK   for 1.2 s (96 %)",
        "15:03:21  door-1  over      after 12.4 s",
    ]


def test_a_repeat_is_not_told_again() -> None:
    assert lines(violation(), violation(), violation("ended"), violation())[1::2] == [None, None]


def test_a_device_that_goes_is_told_once() -> None:
    told = lines(availability("online"), availability("offline"), availability("offline"))
    assert told == ["15:03:21  door-1  is online", "15:03:21  door-1  is offline", None]


def test_compliance_is_told_when_it_changes() -> None:
    tally = '{"seen":12,"masked":10,"bare":1,"unknown":1,"rate":0.9091,"watched_s":60.0}'
    text = (
        f'{{"schema":"tensormask/compliance/1",{HEAD % ""},'
        f'"last_minute":{tally},"last_hour":{tally},"last_day":{tally}}}'
    )
    message = Received("tensormask/door-1/compliance", text.encode())
    assert lines(message, message) == [
        "15:03:21  door-1  last hour: 12 seen, 10 masked, 1 bare, 1 unknown, 91 % with a mask",
        None,
    ]


def test_the_zone_is_told_where_there_is_one() -> None:
    assert lines(violation(zone="north entrance")) == [
        "15:03:21  door-1 (north entrance)  NO MASK   for 1.2 s (96 %)"
    ]


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" not in str(lines(violation()))
    assert lines(violation(), colour=True) == [
        "15:03:21  door-1  \x1b[1;31mNO MASK   for 1.2 s (96 %)\x1b[0m"
    ]


def test_control_characters_never_reach_the_terminal() -> None:
    told = lines(violation(zone=r"\u001b[2J\u0007\u202e"), availability("online", "do\x1b[2Jor"))
    assert told == [
        "15:03:21  door-1 (?[2J??)  NO MASK   for 1.2 s (96 %)",
        "15:03:21  do?[2Jor  is online",
    ]


@settings(deadline=None)  # the machine may be busy
@given(
    st.binary(max_size=200)
    | st.just(b"[" * 100_000)
    | st.just(violation().payload.replace(b"2026-11-23T14:03:21.250Z", b"0001-01-01T00:00:00.000Z"))
    | st.just(violation().payload.replace(b"2026-11-23T14:03:21.250Z", b"2026-11-39T14:03:21.250Z"))
    | st.just(violation("ended", 1e308).payload),
    st.text(max_size=20),
)
def test_any_payload_on_any_topic_is_one_printable_line(payload: bytes, topic: str) -> None:
    line = Alerts(colour=False).line(Received(topic, payload), NOW)
    assert line is None or line.isprintable()


def test_what_is_remembered_of_devices_has_a_bound() -> None:
    alerts = Alerts(colour=False)
    for number in range(1001):
        alerts.line(availability("online", f"door-{number}"), NOW)
    assert alerts.line(availability("online", "door-1"), NOW) is None
    assert alerts.line(availability("online", "door-0"), NOW) == "15:03:21  door-0  is online"
