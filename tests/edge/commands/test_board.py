from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from edge.commands.board import MAX_ALERTS, MAX_DEVICES, Board, view
from edge.publish.answers import Received
from edge.publish.messages import CameraHealth, PaceHealth
from edge.telemetry import CameraState, CameraView
from tests.edge.commands.test_watch import availability, compliance, health, violation

pytestmark = pytest.mark.usefixtures("_berlin_time")

NOW = datetime(2026, 11, 23, 14, 3, 22, tzinfo=UTC)


def shown(
    *messages: Received,
    width: int = 80,
    height: int = 24,
    later: timedelta = timedelta(),
    colour: bool = False,
) -> list[str]:
    """Return the lines that a terminal would show."""
    board = Board()
    board.status = "watching tensormask at broker:1883 (MQTT 5)"
    for message in messages:
        board.take(message, NOW)
    output = io.StringIO()
    console = Console(
        file=output,
        width=width,
        height=height,
        force_terminal=colour,
        color_system="standard" if colour else None,
    )
    console.print(view(board, NOW + later, width, height))
    return [line.rstrip() for line in output.getvalue().splitlines()]


WELL: dict[str, Any] = {"conditions": []}
DOOR = (availability("online", zone="north"), health(**WELL), compliance(), violation())


def test_a_wide_terminal_shows_a_row_for_each_device_and_the_alerts_below() -> None:
    assert shown(*DOOR, availability("offline", "gate")) == [
        "watching tensormask at broker:1883 (MQTT 5)",
        "device             state       health       last hour         last violation",
        "door-1 north       online      well         1 of 12 no mask   no mask now",
        "gate               offline",
        "",
        "15:03:21  door-1 (north)  is online",
        "15:03:21  door-1  NO MASK for 1.2 s (96 %)",
        "15:03:21  gate  is offline",
    ]


def test_forty_columns_are_enough() -> None:
    told = shown(*DOOR, availability("offline", "gate"), width=40)
    assert told == [
        "watching tensormask at broker:1883 (MQTT",
        "5)",
        "door-1 north                      online",
        "  well, no mask now, 1 of 12 no mask",
        "gate                             offline",
        "",
        "",
        "15:03:21 door-1 is online",
        "15:03:21 door-1 NO MASK for 1.2 s (96 %)",
        "15:03:21 gate is offline",
    ]


def test_a_violation_is_reported_with_its_age_once_it_is_over() -> None:
    over = (*DOOR, violation("ended", 12.4))
    assert "no mask 3 min ago" in shown(*over, later=timedelta(minutes=3))[2]
    assert "no mask now" in shown(*DOOR, later=timedelta(minutes=3))[2]
    # Its end may have been missed while the broker was away.
    assert "no mask 11 min ago" in shown(*DOOR, later=timedelta(minutes=11))[2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (WELL, "well"),
        ({}, "hot"),
        ({"conditions": ["paused"]}, "paused"),
        ({"conditions": ["camera-lost", "too-hot", "on-trial"]}, "no camera, hot"),
        ({"conditions": ["under-voltage"]}, "well"),
        ({"conditions": ["newer-code"]}, "newer-code"),
        # Of an older version, which names no conditions.
        ({"conditions": None, "pace": PaceHealth(max_fps=None, reasons=[])}, "well"),
        ({"conditions": None, "paused_for_s": 9.0}, "paused, hot"),
        (
            {
                "conditions": None,
                "camera": CameraHealth(
                    state=CameraState.LOST, outages=1, view=None, fps=None, slow=False
                ),
            },
            "no camera, hot",
        ),
        (
            {
                "conditions": None,
                "pace": PaceHealth(max_fps=None, reasons=[]),
                "camera": CameraHealth(
                    state=CameraState.RUNNING,
                    outages=0,
                    view=CameraView.CLEAR,
                    fps=15.0,
                    slow=False,
                    rotation_wanted_deg=180,
                ),
            },
            "camera turned",
        ),
        (
            {
                "conditions": None,
                "camera": CameraHealth(
                    state=CameraState.RUNNING,
                    outages=0,
                    view=CameraView.DARK,
                    fps=15.0,
                    slow=False,
                ),
            },
            "dark, hot",
        ),
    ],
)
def test_health_is_reported_in_few_words(changes: dict[str, Any], words: str) -> None:
    row = shown(availability("online"), health(**changes), width=100)[2]
    assert row.split(maxsplit=2) == ["door-1", "online", words]


def test_nothing_is_said_of_the_health_of_a_device_that_is_gone() -> None:
    told = shown(health(), availability("stopped"), later=timedelta(hours=3))[2]
    assert told.split() == ["door-1", "stopped", "3", "h"]


def test_a_device_that_is_taken_down_leaves_the_table() -> None:
    gone = Received("tensormask/door-1/availability", b"")
    assert "door-1" not in shown(*DOOR, gone)[2]


@pytest.mark.parametrize("width", [40, 80])
def test_what_is_shown_fits_the_terminal_and_what_matters_comes_first(width: int) -> None:
    many = [availability("online", f"door-{number:02}") for number in range(60)]
    told = shown(*many, availability("offline", "zoo"), width=width, height=24)
    assert len(told) <= 24
    assert next(line.split()[0] for line in told if "offline" in line) == "zoo"
    assert any("more" in line for line in told)
    assert told[-1].endswith("zoo is offline" if width == 40 else "zoo  is offline")


@pytest.mark.parametrize("height", [1, 2, 5])
def test_a_tiny_terminal_is_no_error(height: int) -> None:
    assert shown(*DOOR, width=10, height=height)


HOSTILE = r"[red]\u001b]0;owned\u0007\u001b[2J\u202e[/][link=http://x]"


def test_a_hostile_device_paints_nothing() -> None:
    name = "[bold]do\x1b[2Jor"
    message = availability("online", name, zone=HOSTILE)
    for width in (40, 200):
        text = "\n".join(shown(message, width=width))
        assert "[bold]do?[2Jor" in text, "markup is text"
        assert all(c.isprintable() or c == "\n" for c in text)
    painted = "\n".join(shown(message, width=200, colour=True))
    assert "]0;owned" in painted
    assert "\x1b]" not in painted
    assert "\x1b[2J" not in painted


@given(
    st.lists(
        st.tuples(
            st.text(max_size=40),
            st.sampled_from(["availability", "violation", "compliance", "health", "x"]),
            st.binary(max_size=40)
            | st.sampled_from([message.payload for message in DOOR])
            | st.just(violation("ended", 1e308).payload),
        ),
        max_size=20,
    ),
    st.integers(1, 120),
    st.integers(1, 30),
)
def test_whatever_comes_is_printable(
    messages: list[tuple[str, str, bytes]], width: int, height: int
) -> None:
    received = [Received(f"tensormask/{name}/{kind}", load) for name, kind, load in messages]
    told = shown(*received, width=width, height=height)
    assert all(line.isprintable() for line in told)


def test_what_is_remembered_has_a_bound() -> None:
    board = Board()
    for number in range(MAX_DEVICES + 10):
        board.take(availability("online", f"door-{number}"), NOW)
    assert len(board.devices) == MAX_DEVICES
    assert len(board.alerts) == MAX_ALERTS
