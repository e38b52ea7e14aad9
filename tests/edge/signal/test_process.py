"""The dead man's switch, with gpiozero's mock pins: whatever ends, hangs or is lost, it is safe.

The pins keep their last level when their process ends, as on a Raspberry Pi.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.decide.policy import Decision
from edge.records import Advice, Violation, ViolationState
from edge.signal.keeper import TICK_S
from edge.signal.rules import Levels
from edge.signal.wire import PinReport, connected
from edge.telemetry import CameraState, CameraStatus, SignalState
from tests.edge.samples import TELEMETRY
from tests.edge.signal.door import SLACK_S, WIRED, Door, Loop
from tests.processes import Running
from tests.waiting import until

SAFE_AFTER_S = 2.0
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CONFIRMED = Violation(
    "e", ViolationState.CONFIRMED, 1, NOON, NOON, None, 1.0, 0.9, 80.0, probability=0.9
)
ENDED = replace(CONFIRMED, state=ViolationState.ENDED, ended_at=NOON)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


@contextmanager
def loop_of_its_own(door: Door) -> Iterator[Running]:
    """One that opens the gate."""
    words = [sys.executable, "-m", "tests.edge.signal.door", str(door.folder)]
    with Running(words) as loop:
        until(lambda: door.pins.on() == {"green", "relay"}, "the gate is open")
        yield loop
        loop.kill()


def until_safe(door: Door, since_s: float, within_s: float) -> None:
    """Wait until the relay is off, and fail where that took longer."""
    until(lambda: "relay" not in door.pins.on(), "the gate is closed")
    assert door.pins.since_when("relay") - since_s < within_s
    until(lambda: door.pins.on() == set(), "all is off")


def test_it_begins_with_all_off_and_follows_the_loop(door: Door) -> None:
    with door.process() as process:
        assert door.pins.on() == set()
        with door.loop() as loop:
            for advice, on in (
                (Advice.GO, {"green", "relay"}),
                (Advice.NO_MASK, {"red", "buzzer"}),
                (Advice.EMPTY, set()),
            ):
                loop.advice = advice
                until(lambda on=on: door.pins.on() == on, f"{on} are on")  # type: ignore[misc]
            until(lambda: loop.outlet.state.trouble == "", "it reports that all is well")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_loop_that_is_killed_closes_the_gate_at_once(door: Door) -> None:
    with door.process(), loop_of_its_own(door) as loop:
        begun_s = time.monotonic()
        loop.kill()
        until_safe(door, begun_s, TICK_S + SLACK_S)


def test_a_loop_that_is_stopped_closes_the_gate_in_time(door: Door) -> None:
    with door.process(), loop_of_its_own(door) as loop:
        begun_s = time.monotonic()
        loop.send_signal(signal.SIGSTOP)
        until_safe(door, begun_s, SAFE_AFTER_S + SLACK_S)
        loop.send_signal(signal.SIGCONT)
        until(lambda: "relay" in door.pins.on(), "it opens again when it is said again")


def test_a_loop_that_hangs_closes_the_gate_in_time(door: Door) -> None:
    with door.process(), door.loop() as loop:
        loop.advice = Advice.GO
        until(lambda: "relay" in door.pins.on(), "the gate is open")
        begun_s = time.monotonic()
        turn, loop.turn = loop.turn, lambda: time.sleep(0.1)  # type: ignore[method-assign]
        until_safe(door, begun_s, SAFE_AFTER_S + SLACK_S)
        loop.turn = turn  # type: ignore[method-assign]


def _lost(loop: Loop) -> None:
    camera = CameraStatus(CameraState.LOST, 1, None, None, slow=False)
    loop.telemetry = replace(TELEMETRY, camera=camera)


def _silent(loop: Loop) -> None:
    loop.has_frames = False


def _paused(loop: Loop) -> None:
    loop.telemetry = replace(TELEMETRY, paused_for_s=60.0)


@pytest.mark.parametrize("happens", [_lost, _silent, _paused])
def test_a_camera_that_gives_nothing_closes_the_gate_in_time(door: Door, happens: object) -> None:
    with door.process(), door.loop() as loop:
        loop.advice = Advice.GO
        until(lambda: "relay" in door.pins.on(), "the gate is open")
        begun_s = time.monotonic()
        assert callable(happens)
        happens(loop)
        until_safe(door, begun_s, SAFE_AFTER_S + SLACK_S)


def test_a_service_that_never_starts_leaves_the_gate_closed(door: Door) -> None:
    with door.process():
        time.sleep(SAFE_AFTER_S)
        assert not any(each.is_on for each in door.pins.written())


def test_a_process_that_is_killed_is_made_safe_by_what_its_unit_runs_then(door: Door) -> None:
    with door.process() as process, loop_of_its_own(door):
        process.kill()
        process.wait()
        assert "relay" in door.pins.on(), "a Raspberry Pi's kernel keeps the level"
        done = subprocess.run(door.words("--off"), env=door.environment, check=False)
        assert done.returncode == 0
        assert door.pins.on() == set()


def test_a_process_that_was_stopped_does_not_act_on_what_has_waited(door: Door) -> None:
    with door.process() as process, loop_of_its_own(door) as loop:
        process.send_signal(signal.SIGSTOP)
        time.sleep(SAFE_AFTER_S / 2)
        loop.send_signal(signal.SIGSTOP)
        time.sleep(SAFE_AFTER_S + SLACK_S)
        process.send_signal(signal.SIGCONT)
        begun_s = time.monotonic()
        until_safe(door, begun_s, TICK_S + SLACK_S)


def test_an_unmasked_person_is_red_with_a_tone_until_the_person_has_gone(tmp_path: Path) -> None:
    door = Door(tmp_path, WIRED | {"hold_s": 0.5})
    with door.process(), door.loop() as loop:
        until(lambda: loop.outlet.state.trouble == "" and loop.outlet._heard_s > 0, "it is heard")
        loop.decisions.append(Decision((CONFIRMED,)))
        until(lambda: door.pins.on() == {"red", "buzzer"}, "red and a tone")
        until(lambda: door.pins.on() == {"red"}, "the tone ends")
        until(lambda: loop.outlet.state.shows == "red", "the service knows")
        loop.decisions.append(Decision((ENDED,)))
        until(lambda: door.pins.on() == set(), "red ends")


def test_the_button_and_the_service_mute_and_unmute(door: Door) -> None:
    with door.process(), door.loop() as loop:
        until(lambda: loop.outlet._heard_s > 0, "it is heard")
        door.pins.press()
        until(lambda: (loop.outlet.state.muted_for_s or 0) > 290, "the button mutes")
        door.pins.let_go()
        loop.decisions.append(Decision((CONFIRMED,)))
        until(lambda: door.pins.on() == {"red"}, "red without a tone")
        assert loop.outlet.mute(0.0) == ""
        until(lambda: loop.outlet.state.muted_for_s is None, "the service ends it")
        assert loop.outlet.mute(60.0) == ""
        until(lambda: 50 < (loop.outlet.state.muted_for_s or 0) <= 60, "the service mutes")
        door.pins.press()
        until(lambda: loop.outlet.state.muted_for_s is None, "the button ends it")
        assert not any(each.name == "buzzer" and each.is_on for each in door.pins.written())


def test_without_lgpio_the_service_hears_what_to_install(door: Door) -> None:
    environment = {k: v for k, v in door.environment.items() if not k.startswith("GPIOZERO")}
    with door.loop() as loop:
        done = subprocess.run(
            door.words(), env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 72
        fix = "sudo apt-get install python3-lgpio"
        assert fix in done.stderr
        assert len(done.stderr.splitlines()) == 1
        until(lambda: fix in loop.outlet.state.trouble, "the service says so")
        assert fix in loop.outlet.mute(), "and so does who would mute it"


def test_a_mock_that_is_not_there_is_one_line(door: Door) -> None:
    environment = door.environment | {"GPIOZERO_PIN_FACTORY": "mok"}
    done = subprocess.run(
        door.words("--off"), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "the pins cannot be used: Unable to find pin factory 'mok'\n"


def test_what_an_ended_process_had_switched_on_is_not_said_to_be_on(door: Door) -> None:
    loop = Loop(door.socket, door.signal)
    loop.outlet.start()
    pins = connected(door.socket)
    assert pins is not None
    pins.say(PinReport(Levels(red=True), 60.0, "no sound"))
    loop.turn()
    assert loop.outlet.state == SignalState("red", 60.0, "no sound")
    pins.close()
    loop.turn()
    assert loop.outlet.state == SignalState("all off", None, "no sound")
    loop.outlet.close()
