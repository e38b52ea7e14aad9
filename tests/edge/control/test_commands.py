from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import CommandSettings
from edge.control.commands import BURST, MAX_PAYLOAD_BYTES, Command, CommandRefusal, Gate
from edge.history.requests import Acknowledge, SetRule
from edge.publish.messages import CommandName

ALL = CommandSettings(
    allowed=("pause", "resume", "restart", "snapshot", "mute", "acknowledge", "rule"),
    max_pause_s=600,
)
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "mqtt.md"


def ask(
    name: str, payload: bytes, retained: bool = False, settings: CommandSettings = ALL
) -> Command | CommandRefusal | None:
    return Gate(settings).admit(name, payload, retained, 100.0)


def reason(name: str, payload: bytes, retained: bool = False) -> str:
    refusal = ask(name, payload, retained)
    assert isinstance(refusal, CommandRefusal)
    return refusal.reason


@pytest.mark.parametrize("name", ["resume", "restart", "snapshot"])
def test_a_request_is_a_name_and_an_id(name: str) -> None:
    assert ask(name, b'{"request_id":"desk-1"}') == Command(CommandName(name), "desk-1")


def test_a_pause_lasts_as_long_as_asked_or_as_allowed() -> None:
    pause = CommandName.PAUSE
    assert ask("pause", b'{"request_id":"a","duration_s":60}') == Command(pause, "a", 60.0)
    assert ask("pause", b'{"request_id":"a","duration_s":0}') == Command(pause, "a", 0.0)
    assert ask("pause", b'{"request_id":"a"}') == Command(pause, "a", 600.0)
    assert reason("pause", b'{"request_id":"a","duration_s":601}') == (
        "too long a pause: at most 600 s"
    )


def test_an_acknowledgement_names_the_newest_alert_unless_it_says_which() -> None:
    name = CommandName.ACKNOWLEDGE
    assert ask("acknowledge", b'{"request_id":"a"}') == Command(
        name, "a", to_note=Acknowledge(by="command")
    )
    event = "019ab11c-92d2-7f3a-8d1e-52c0b0a4e6d7"
    payload = {
        "request_id": "a",
        "event_id": event,
        "reason": "forgotten",
        "remedy": "mask-handed-out",
        "note": "at the door",
        "by": " ops ",
    }
    assert ask("acknowledge", json.dumps(payload).encode()) == Command(
        name,
        "a",
        to_note=Acknowledge(event, "forgotten", "mask-handed-out", "at the door", "command ops"),
    )


def test_the_rule_is_switched_by_name() -> None:
    payload = b'{"request_id":"a","state":"off","by":"ward"}'
    assert ask("rule", payload) == Command(
        CommandName.RULE, "a", to_note=SetRule(False, "command ward")
    )


def test_the_longest_acknowledgement_fits() -> None:
    payload = {
        "request_id": "a" * 64,
        "event_id": "019ab11c-92d2-7f3a-8d1e-52c0b0a4e6d7",
        "reason": "not-a-violation",
        "remedy": "mask-handed-out",
        "note": "\u0e01" * 200,
        "by": "\u0e01" * 32,
    }
    command = ask("acknowledge", json.dumps(payload, ensure_ascii=False).encode())
    assert isinstance(command, Command)


def test_nothing_is_allowed_by_default() -> None:
    for name in CommandName:
        refusal = ask(name, b'{"request_id":"a"}', settings=CommandSettings())
        assert refusal == CommandRefusal(name, "a", "not allowed: see [commands] allowed")


def test_a_retained_command_is_refused() -> None:
    assert reason("restart", b'{"request_id":"a"}', retained=True).startswith("retained")


@pytest.mark.parametrize(
    ("name", "payload", "complaint"),
    [
        ("pause", b"", "not understood: Input data was truncated"),
        ("pause", b"ON", "not understood: "),
        ("pause", b"[]", "not understood: must be a table of keys, not a list in [ ]"),
        ("resume", b"{}", "request_id is missing"),
        ("resume", b'{"request_id":7}', "must be text in quotes, not a whole number"),
        ("resume", b'{"request_id":"a b"}', "matching regex"),
        ("resume", b'{"request_id":"' + b"a" * 65 + b'"}', "must have at most 64 characters"),
        ("resume", b'{"request_id":"a","force":true}', "unknown field `force`"),
        ("restart", b'{"request_id":"a","duration_s":5}', "unknown field `duration_s`"),
        ("pause", b'{"request_id":"a","duration_s":-1}', "must be at least 0"),
        ("pause", b'{"request_id":"a","duration_s":1e999}', "out of range"),
        ("pause", b'{"request_id":"a","duration_s":"60"}', "must be a number, not text in quotes"),
        ("pause", b'{"request_id":"a"}' + b" " * MAX_PAYLOAD_BYTES, "too long: at most 2048 bytes"),
        ("rule", b'{"request_id":"a"}', "state is missing"),
        ("rule", b'{"request_id":"a","state":"maybe"}', "'maybe' is not one of its values"),
        ("rule", b'{"request_id":"a","state":"on","by":"a\\nb"}', "matching regex"),
        ("acknowledge", b'{"request_id":"a","event_id":"7"}', "matching regex"),
        ("acknowledge", b'{"request_id":"a","reason":"lost"}', "is not one of its values"),
        ("acknowledge", b'{"request_id":"a","remedy":7}', "must be text in quotes"),
        (
            "acknowledge",
            b'{"request_id":"a","note":"' + b"x" * 201 + b'"}',
            "must have at most 200 characters",
        ),
        (
            "acknowledge",
            b'{"request_id":"a","by":"' + b"x" * 33 + b'"}',
            "must have at most 32 characters",
        ),
        ("PAUSE", b'{"request_id":"a"}', "no such command"),
        ("", b'{"request_id":"a"}', "no such command"),
    ],
)
def test_what_is_no_request_is_refused_and_named(name: str, payload: bytes, complaint: str) -> None:
    assert complaint in reason(name, payload)


def test_a_refusal_has_the_id_where_there_is_one() -> None:
    wrong = ask("resume", b'{"request_id":"desk-1","force":true}')
    assert isinstance(wrong, CommandRefusal)
    assert wrong.request_id == "desk-1"
    nameless = ask("resume", b'{"request_id":"' + b"\xff" * 8 + b'"}')
    assert isinstance(nameless, CommandRefusal)
    assert nameless.request_id is None


def test_a_flood_is_refused_once_and_then_passed_over_until_there_is_room() -> None:
    gate = Gate(CommandSettings(allowed=("resume",), per_minute=6))
    answers = [gate.admit("resume", b'{"request_id":"a"}', False, 100.0) for _ in range(BURST + 50)]
    assert answers[:BURST] == [Command(CommandName.RESUME, "a")] * BURST
    assert answers[BURST] == CommandRefusal(CommandName.RESUME, "a", "too many: at most 6 a minute")
    assert answers[BURST + 1 :] == [None] * 49
    assert gate.admit("resume", b'{"request_id":"a"}', False, 109.0) is None
    later = [gate.admit("resume", b'{"request_id":"b"}', False, 111.0) for _ in range(3)]
    assert later[0] == Command(CommandName.RESUME, "b")
    assert isinstance(later[1], CommandRefusal)
    assert later[2] is None


@settings(max_examples=300)
@given(
    st.sampled_from([*CommandName, "", "command", "x" * 70_000, "p\0use"]),
    st.binary(max_size=600)
    | st.just(b"[" * MAX_PAYLOAD_BYTES)
    | st.just(b'{"request_id":' + b'{"a":' * 80)
    | st.dictionaries(
        st.sampled_from(["request_id", "duration_s", "x"]),
        st.none() | st.text(max_size=70) | st.floats() | st.integers() | st.lists(st.integers()),
    ).map(lambda fields: json.dumps(fields).encode()),
    st.booleans(),
)
def test_any_bytes_are_a_command_or_a_refusal(name: str, payload: bytes, retained: bool) -> None:
    answer = ask(name, payload, retained)
    if isinstance(answer, Command):
        fields = json.loads(payload)
        assert not retained
        assert re.fullmatch(r"[A-Za-z0-9_.:\-]{1,64}", fields["request_id"])
        assert (answer.duration_s or 0) <= ALL.max_pause_s
    elif retained and not payload:
        assert answer is None
    else:
        assert isinstance(answer, CommandRefusal)
        assert len(answer.reason) <= 200
        assert answer.reason.isprintable()


def test_the_documented_example_is_obeyed() -> None:
    section = DOCUMENTATION.read_text(encoding="utf-8").split("\n## Commands\n")[1]
    example = re.search(r"```json\n(.*?)```", section, flags=re.DOTALL)
    assert example is not None
    command = Gate(CommandSettings(allowed=("pause",))).admit(
        "pause", example[1].encode(), False, 0.0
    )
    assert command == Command(CommandName.PAUSE, "desk-17", 900.0)


def test_what_clears_a_retained_message_is_passed_over() -> None:
    assert ask("restart", b"", retained=True) is None
