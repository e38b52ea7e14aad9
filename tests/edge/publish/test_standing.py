from __future__ import annotations

import random

import pytest

from edge.errors import BrokerError
from edge.publish.answers import BrokerRefusalError
from edge.publish.broker import Backoff
from edge.publish.standing import STABLE_S, THROWN_OUT, BrokerStanding, SilentBrokerError
from tests.fakes import TurnedClock

LOST = BrokerError("the connection was lost")


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def standing(clock: TurnedClock) -> BrokerStanding:
    return BrokerStanding("broker.example:1883", "door-1", Backoff(random.Random(1)), clock)


def test_a_client_that_is_thrown_out_again_and_again_asks_for_its_double(
    standing: BrokerStanding, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(THROWN_OUT):
        assert "client use the same client id" not in caplog.text
        standing.begin()
        standing.prove("MQTT 5", is_idle=True)
        clock.sleep(STABLE_S - 1)
        standing.end(LOST)
    assert caplog.text.count("does another client use the same client id, door-1?") == 1


def test_a_connection_that_lasts_makes_the_next_wait_short(
    standing: BrokerStanding, clock: TurnedClock
) -> None:
    for _ in range(20):
        standing.end(LOST)
    standing.begin()
    clock.sleep(STABLE_S)
    assert standing.end(LOST) <= 1.0


def test_a_refusal_waits_long_and_is_said_once(
    standing: BrokerStanding, caplog: pytest.LogCaptureFixture
) -> None:
    waits_s = [standing.end(BrokerRefusalError("not authorized")) for _ in range(5)]
    assert all(30 <= wait_s <= 60 for wait_s in waits_s)
    assert caplog.text.count("not authorized") == 1


def test_after_a_silence_a_connection_must_last_before_it_counts(
    standing: BrokerStanding, clock: TurnedClock
) -> None:
    standing.begin()
    standing.end(SilentBrokerError("acknowledges nothing"))
    standing.begin()
    standing.prove("MQTT 5", is_idle=True)
    assert standing.is_silent
    clock.sleep(STABLE_S)
    standing.prove("MQTT 5", is_idle=True)
    assert not standing.is_silent
    assert standing.protocol == "MQTT 5"
