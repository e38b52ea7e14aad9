from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from edge.conditions import Code, Severity, condition, conditions
from edge.page.trouble import Since, Trouble, explained
from tests.edge.samples import TELEMETRY

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_since_when_is_known_while_only_figures_change_and_forgotten_when_it_is_over() -> None:
    since = Since()
    for minutes in (0, 10):
        paused = conditions(replace(TELEMETRY, paused_for_s=600.0 - 60 * minutes))
        ((_, first),) = since.note(paused, NOON + timedelta(minutes=minutes))
        assert first == NOON
    assert since.note([], NOON) == []
    ((_, again),) = since.note(paused, NOON + timedelta(hours=1))
    assert again == NOON + timedelta(hours=1)


def test_two_limits_of_a_broker_are_two_conditions() -> None:
    since = Since()
    first = condition(Code.BROKER_LIMITED, "nothing kept", limit="it keeps nothing")
    second = condition(Code.BROKER_LIMITED, "QoS", limit="no QoS 1")
    since.note([first], NOON)
    later = NOON + timedelta(minutes=1)
    assert since.note([first, second], later) == [(first, NOON), (second, later)]


def test_a_condition_is_reported_in_sentences() -> None:
    told = explained(condition(Code.MESSAGES_REJECTED, messages="1 message"), NOON)
    assert told == Trouble(
        Code.MESSAGES_REJECTED,
        "The broker has rejected 1 message",
        "See which, and why: sudo tensormask outbox list",
        NOON,
        Severity.HINT,
    )


def test_a_command_is_shown_as_it_is_typed() -> None:
    told = explained(condition(Code.CLOCK_UNSYNCHRONISED), NOON)
    assert told.fix == "timedatectl; sudo timedatectl set-ntp true"
    away = explained(condition(Code.BROKER_AWAY, trouble="broker:1883 refuses"), NOON)
    assert away.text == "broker:1883 refuses"
