from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.commands.alert_lines import Alerts
from edge.commands.output import takes_color
from edge.commands.watch import Lines
from edge.publish.answers import Received
from edge.publish.messages import HEALTH, encode
from tests.edge.publish.test_messages import some_health

NOW = datetime(2026, 11, 23, 14, 3, 22, tzinfo=UTC)
HEAD = (
    '"device_id":"door-1","site":"","zone":"%s","at":"2026-11-23T14:03:21.250Z",'
    '"clock_synchronised":true,"model":{"name":"m","version":"1","sha256":"' + "0f" * 32 + '"}'
)
TAIL = (
    '"sequence":1,"started_at":"2026-11-23T14:03:20.000Z","bare_probability":0.96,'
    '"confirmed_at":"2026-11-23T14:03:21.250Z","ended_at":null,"face_px":70.0,"track_id":1'
)
EVENT = "019aaf2c-4a83-7cc3-98c4-dc0c0c07398f"


pytestmark = pytest.mark.usefixtures("_berlin_time")


def violation(
    state: str = "confirmed", duration_s: float = 1.2, zone: str = "", device: str = "door-1"
) -> Received:
    head = HEAD % zone
    text = (
        f'{{"schema":"tensormask/violation/1",{head},{TAIL},"event_id":"{EVENT}",'
        f'"state":"{state}","duration_s":{duration_s}}}'
    )
    return Received(f"tensormask/{device}/violation", text.encode())


def availability(state: str, device: str = "door-1", zone: str = "") -> Received:
    text = f'{{"schema":"tensormask/availability/1",{HEAD % zone},"state":"{state}"}}'
    return Received(f"tensormask/{device}/availability", text.encode())


def health(**changes: Any) -> Received:
    return Received("tensormask/door-1/health", encode(some_health(**changes)))


def compliance() -> Received:
    tally = '{"seen":12,"masked":10,"bare":1,"unknown":1,"rate":0.9091,"watched_s":60.0}'
    text = (
        f'{{"schema":"tensormask/compliance/1",{HEAD % ""},'
        f'"last_minute":{tally},"last_hour":{tally},"last_day":{tally}}}'
    )
    return Received("tensormask/door-1/compliance", text.encode())


def lines(*messages: Received, colour: bool = False) -> list[str | None]:
    alerts = Alerts(colour=colour)
    return [alerts.line(message, NOW) for message in messages]


def test_a_violation_and_its_end_are_reported_in_local_time() -> None:
    assert lines(violation(), violation("ended", 12.4)) == [
        "15:03:21  door-1  NO MASK   for 1.2 s (96 %)",
        "15:03:21  door-1  over      after 12.4 s",
    ]


def test_a_repeat_is_not_reported_again() -> None:
    assert lines(violation(), violation(), violation("ended"), violation())[1::2] == [None, None]


def test_a_device_that_goes_is_reported_once_and_when() -> None:
    """The time in its last will is that of the connection."""
    alerts = Alerts(colour=False)
    later = NOW + timedelta(hours=3)
    assert alerts.line(availability("online"), NOW) == "15:03:21  door-1  is online"
    assert alerts.line(availability("offline"), later) == "18:03:22  door-1  is offline"
    assert alerts.line(availability("offline"), later) is None


def test_how_a_device_does_is_reported_when_it_changes() -> None:
    told = lines(
        health(conditions=[]),
        health(conditions=["paused"], paused_for_s=60.0),
        health(conditions=["paused"], paused_for_s=30.0),
        health(conditions=[]),
        health(conditions=["camera-lost", "paused"]),
        health(conditions=["messages-queued"]),
        health(conditions=["messages-queued"]),
    )
    assert told == [
        None,
        "13:00:00  door-1  health: paused",
        None,
        "13:00:00  door-1  health: well",
        "13:00:00  door-1  health: no camera, paused",
        "13:00:00  door-1  health: messages queued",
        None,
    ]


def test_in_a_pipe_health_is_asked_for() -> None:
    assert HEALTH in Lines(io.StringIO()).kinds


def test_compliance_is_reported_when_it_changes() -> None:
    assert lines(compliance(), compliance()) == [
        "15:03:21  door-1  last hour: 12 seen, 10 masked, 1 no mask, 1 unknown, 91 % with a mask",
        None,
    ]


def test_the_zone_is_reported_where_there_is_one() -> None:
    assert lines(violation(zone="north entrance")) == [
        "15:03:21  door-1 (north entrance)  NO MASK   for 1.2 s (96 %)"
    ]


@pytest.mark.parametrize(
    ("later", "age"),
    [
        (timedelta(seconds=-7200), ""),  # our clock, or the device's, is wrong
        (timedelta(seconds=58), ""),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1, hours=22), "46 h ago"),
        (timedelta(days=3, hours=5), "3 days ago"),
    ],
)
def test_a_state_that_the_broker_has_kept_tells_its_age(later: timedelta, age: str) -> None:
    told = [
        Alerts(colour=False).line(message, NOW + later)
        for message in (availability("online"), compliance(), availability("offline"))
    ]
    ends = [f" ({since} {age})" if age else "" for since in ("since", "last heard", "connected")]
    assert told == [
        f"15:03:21  door-1  is online{ends[0]}",
        "15:03:21  door-1  last hour: 12 seen, 10 masked, 1 no mask, 1 unknown, 91 % with a mask"
        f"{ends[1]}",
        f"15:03:21  door-1  is offline{ends[2]}",
    ]


def test_a_violation_from_a_backlog_is_reported_as_late() -> None:
    line = Alerts(colour=False).line(violation(), NOW + timedelta(hours=3))
    assert line == "15:03:21  door-1  NO MASK   for 1.2 s (96 %) (reported late, 3 h ago)"


def test_a_clock_that_was_never_set_tells_no_age() -> None:
    unset = availability("online").payload.replace(b'_synchronised":true', b'_synchronised":false')
    message = Received("tensormask/door-1/availability", unset)
    told = Alerts(colour=False).line(message, NOW + timedelta(days=3))
    assert told == "15:03:21  door-1  is online"


def test_a_state_that_has_only_aged_is_not_reported_again() -> None:
    alerts = Alerts(colour=False)
    alerts.line(availability("online"), NOW)
    assert alerts.line(availability("online"), NOW + timedelta(hours=3)) is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("value", "colour"), [(None, True), ("", True), ("1", False), ("0", False)]
)
def test_a_terminal_is_coloured_unless_its_user_sets_no_color(
    value: str | None, colour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    assert (takes_color(Terminal()), takes_color(io.StringIO())) == (colour, False)


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
