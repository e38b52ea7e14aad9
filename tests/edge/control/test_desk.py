from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import pytest

from edge.config import CommandSettings, SnapshotSettings
from edge.control.desk import NO_HISTORY, CommandDesk, Noted, note_nothing
from edge.history.requests import Acknowledge, HistoryRequest, SetRule
from edge.privacy.picture import Photographer
from edge.publish.answers import Received
from edge.publish.messages import ModelIdentity, Origin
from edge.records import Box, Frame
from tests.fakes import TurnedClock, frame_at

ORIGIN = Origin("door-1", "site", "zone", ModelIdentity(name="m", version="1", sha256="0" * 64))
ALL = CommandSettings(
    allowed=("pause", "resume", "restart", "snapshot", "mute", "acknowledge", "rule"),
    per_minute=600,
)


class NotingWire:
    """Gives what was put on it, and notes what is answered."""

    def __init__(self) -> None:
        self.commands: list[Received] = []
        self.answers: list[dict[str, Any]] = []

    def take_commands(self) -> Iterator[Received]:
        while self.commands:
            yield self.commands.pop(0)

    def respond(self, payload: bytes) -> None:
        self.answers.append(json.loads(payload))


class Counter:
    """With somebody at a desk of an own."""

    def __init__(
        self,
        settings: CommandSettings = ALL,
        photographer: Photographer | None = None,
        cameras: Sequence[str] = ("",),
    ) -> None:
        self.clock = TurnedClock()
        self.wire = NotingWire()
        self.muted: list[float | None] = []
        self.why_not_muted = ""
        self.to_note: list[tuple[HistoryRequest, Noted]] = []
        self.desk = CommandDesk(
            settings,
            self.wire,
            ORIGIN,
            {} if photographer is None else dict.fromkeys(cameras, photographer),
            self.clock,
            self.mute,
            lambda: True,
            cameras,
            note=lambda request, noted: self.to_note.append((request, noted)),
        )
        self.clock.now_s = 100.0

    def mute(self, for_s: float | None) -> str:
        self.muted.append(for_s)
        return self.why_not_muted

    def ask(
        self, name: str, payload: str = '{"request_id":"a"}', frame: Frame | None = None
    ) -> list[tuple[str, str | None]]:
        """Return outcome and reason of what is answered now."""
        self.wire.answers.clear()
        topic = f"tensormask/door-1/command/{name}"
        self.wire.commands.append(Received(topic, payload.encode()))
        self.desk.serve(frame)
        return self.answered()

    def answered(self) -> list[tuple[str, str | None]]:
        return [(answer["outcome"], answer["reason"]) for answer in self.wire.answers]


def test_a_pause_ends_by_command() -> None:
    counter = Counter()
    assert counter.ask("pause", '{"request_id":"a","duration_s":60}') == [("done", None)]
    assert (counter.desk.is_paused_at(""), counter.desk.paused_for_s) == (True, 60.0)
    assert counter.ask("resume") == [("done", None)]
    assert (counter.desk.is_paused_at(""), counter.desk.paused_for_s) == (False, None)


def test_a_pause_of_no_length_ends_one_at_once() -> None:
    counter = Counter()
    counter.ask("pause")
    assert counter.desk.is_paused_at("")
    assert counter.ask("pause", '{"request_id":"b","duration_s":0}') == [("done", None)]
    assert not counter.desk.is_paused_at("")
    counter.ask("pause", '{"request_id":"c","duration_s":0}')
    assert not counter.desk.is_paused_at(""), "it would be for a turn of the loop"


def test_a_forgotten_pause_ends_by_itself_and_a_second_one_begins_again() -> None:
    counter = Counter()
    counter.ask("pause", '{"request_id":"a","duration_s":60}')
    counter.clock.now_s += 59
    counter.ask("pause", '{"request_id":"b","duration_s":60}')
    counter.clock.now_s += 59
    counter.desk.serve(None)
    assert counter.desk.is_paused_at("")
    counter.clock.now_s += 1
    counter.desk.serve(None)
    assert not counter.desk.is_paused_at("")


def test_an_answer_says_what_was_asked() -> None:
    counter = Counter()
    counter.ask("resume", '{"request_id":"desk-1"}')
    (answer,) = counter.wire.answers
    assert answer["schema"] == "tensormask/response/1"
    assert (answer["request_id"], answer["command"]) == ("desk-1", "resume")
    counter.ask("explode", "\x1b[2J")
    (answer,) = counter.wire.answers
    assert (answer["request_id"], answer["command"], answer["outcome"]) == (None, None, "refused")


def test_a_restart_is_wished_for_but_not_right_after_a_start() -> None:
    counter = Counter()
    counter.clock.now_s = 9.0
    assert counter.ask("restart") == [("refused", "started less than 10 s ago")]
    assert not counter.desk.restart_wanted
    counter.clock.now_s = 11.0
    assert counter.ask("restart") == [("done", None)]
    assert counter.desk.restart_wanted


def test_without_pictures_a_snapshot_is_refused() -> None:
    counter = Counter()
    ((outcome, why),) = counter.ask("snapshot", frame=frame_at(0))
    assert outcome == "refused"
    assert why is not None
    assert why.startswith("no picture leaves this device")
    assert counter.wire.answers[0]["snapshot"] is None


def photographer() -> tuple[Photographer, list[int]]:
    """One that looks for faces in vain, and notes in which frames."""
    shown: list[int] = []

    def find(frame: Frame) -> tuple[Box, ...]:
        shown.append(frame.number)
        return ()

    return Photographer(SnapshotSettings(pictures="pixelated"), find), shown


def test_a_snapshot_is_of_the_next_frame_and_one_picture_serves_all() -> None:
    taker, shown = photographer()
    counter = Counter(photographer=taker)
    assert counter.ask("snapshot") == []
    assert counter.ask("snapshot") == []
    counter.desk.serve(frame_at(0.007))
    assert counter.answered() == [("done", None)] * 2
    assert shown == [7]
    assert all(answer["snapshot"].startswith("/9j/") for answer in counter.wire.answers)


def test_a_snapshot_does_not_wait_for_ever_for_a_frame() -> None:
    counter = Counter(photographer=photographer()[0])
    assert counter.ask("snapshot") == []
    counter.clock.now_s += 5
    counter.desk.serve(None)
    assert counter.answered() == [("failed", "the camera gave no frame within 5 s")]


def test_nobody_is_photographed_in_a_pause() -> None:
    taker, shown = photographer()
    counter = Counter(photographer=taker)
    counter.ask("pause")
    assert counter.ask("snapshot", frame=frame_at(0)) == [("failed", "paused: no frame is judged")]
    assert shown == []


def test_a_picture_that_cannot_be_made_is_said_so(caplog: pytest.LogCaptureFixture) -> None:
    def failing(frame: Frame) -> tuple[Box, ...]:
        cv2.resize(frame.pixels, (0, 0))
        return ()

    taker = Photographer(SnapshotSettings(pictures="pixelated"), failing)
    counter = Counter(photographer=taker)
    ((outcome, why),) = counter.ask("snapshot", frame=frame_at(0))
    assert (outcome, why) == ("failed", "no picture could be made; see the device's log")
    assert "no picture: OpenCV fails at it" in caplog.text


def test_what_is_obeyed_and_what_is_refused_is_logged_and_no_picture(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    counter = Counter(photographer=photographer()[0])
    counter.ask("snapshot", '{"request_id":"desk-1"}', frame_at(0))
    counter.ask("resume", "\x1b[2J")
    assert "command snapshot, request desk-1" in caplog.text
    assert "command resume refused: not understood" in caplog.text
    assert "/9j/" not in caplog.text
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("name", ["restart", "snapshot"])
def test_what_is_refused_is_not_logged_as_obeyed(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    counter = Counter()
    counter.clock.now_s = 9.0
    ((outcome, _),) = counter.ask(name)
    assert outcome == "refused"
    assert f"command {name} refused" in caplog.text
    assert f"command {name}, request" not in caplog.text


def test_a_mute_goes_to_the_door_and_is_bounded() -> None:
    counter = Counter()
    assert counter.ask("mute") == [("done", None)]
    assert counter.ask("mute", '{"request_id":"a","duration_s":60}') == [("done", None)]
    assert counter.ask("mute", '{"request_id":"a","duration_s":0}') == [("done", None)]
    assert counter.ask("mute", '{"request_id":"a","duration_s":3601}') == [
        ("refused", "too long a mute: at most 3600 s")
    ]
    assert counter.ask("mute", '{"request_id":"a","duration_s":-1}')[0][0] == "refused"
    assert counter.muted == [None, 60.0, 0.0]


def test_a_mute_that_nobody_obeys_has_failed() -> None:
    counter = Counter()
    counter.why_not_muted = "the process at the pins does not answer"
    assert counter.ask("mute") == [("failed", "the process at the pins does not answer")]


def test_what_is_to_be_written_down_is_answered_when_it_is() -> None:
    counter = Counter()
    assert counter.ask("acknowledge", '{"request_id":"a","reason":"exempt","remedy":"none"}') == []
    ((request, noted),) = counter.to_note
    assert request == Acknowledge(None, "exempt", "none", by="command")
    counter.desk.serve(None)
    assert counter.answered() == []
    noted("")
    counter.desk.serve(None)
    assert counter.answered() == [("done", None)]


def test_what_could_not_be_written_down_has_failed() -> None:
    counter = Counter()
    assert counter.ask("rule", '{"request_id":"a","state":"off","by":"ward"}') == []
    ((request, noted),) = counter.to_note
    assert request == SetRule(False, "command ward")
    noted("the disk is full")
    counter.desk.serve(None)
    assert counter.answered() == [("failed", "the disk is full")]


def test_without_a_history_that_is_said() -> None:
    answers: list[str] = []
    note_nothing(SetRule(True), answers.append)
    assert answers == [NO_HISTORY]


def test_a_pause_of_one_camera_leaves_the_others() -> None:
    counter = Counter(cameras=("door", "hall"))
    desk = counter.desk

    def paused() -> list[bool]:
        return [desk.is_paused_at(name) for name in ("door", "hall")]

    counter.ask("pause", '{"request_id":"a","duration_s":60,"camera":"hall"}')
    assert (paused(), desk.paused_for_s, desk.paused_at_for_s("hall")) == ([False, True], None, 60)
    counter.ask("pause", '{"request_id":"a","duration_s":30}')
    assert (paused(), desk.paused_for_s, desk.paused_at_for_s("hall")) == ([True, True], 30, 60)
    counter.ask("resume", '{"request_id":"a","camera":"door"}')
    assert (paused(), desk.paused_for_s) == ([False, True], None)
    counter.clock.now_s += 61
    desk.serve(None)
    assert paused() == [False, False]
    (answer,) = counter.ask("pause", '{"request_id":"a","camera":"yard"}')
    assert answer == ("refused", "there is no camera yard; known are door, hall")


def test_a_snapshot_of_all_cameras_is_answered_once_for_each() -> None:
    taker, _ = photographer()
    counter = Counter(photographer=taker, cameras=("door", "hall"))
    assert counter.ask("snapshot") == []
    counter.desk.serve(frame_at(1), "hall")
    counter.desk.serve(frame_at(1), "hall")
    assert [each["camera"] for each in counter.wire.answers] == ["hall"]
    counter.desk.serve(frame_at(1), "door")
    assert [each["camera"] for each in counter.wire.answers] == ["hall", "door"]
    assert {each["outcome"] for each in counter.wire.answers} == {"done"}
