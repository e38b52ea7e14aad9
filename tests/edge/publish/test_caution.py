"""What is learned from the ends of connections; `tests/broker/test_limits.py` has real sockets."""

from __future__ import annotations

import pytest

from edge.errors import BrokerError
from edge.publish.answers import DisconnectedError, TermsError
from edge.publish.caution import SEARCH_S, WINDOW, Caution
from edge.publish.delivery import Sent
from edge.publish.mailbox import Retained
from edge.publish.terms import ALL, LESSON_S, Lessons, Terms
from tests.fakes import TurnedClock

HEALTH, RELEASE = Retained("t/d/health", b"{}"), Retained("t/d/release", b"{}")
DISCONNECTED = DisconnectedError("the connection was lost")


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def lessons(clock: TurnedClock) -> Lessons:
    return Lessons("broker.example:1883", clock)


@pytest.fixture
def caution(lessons: Lessons, clock: TurnedClock) -> Caution:
    return Caution(lessons, clock)


def ends(caution: Caution, *items: Retained | Sent, times: int = 1) -> None:
    for _ in range(times):
        caution.begin()
        caution.end(items, DISCONNECTED, is_waiting=False)


def test_an_end_that_is_no_disconnect_teaches_nothing(caution: Caution, lessons: Lessons) -> None:
    for _ in range(5):
        caution.begin()
        caution.end([HEALTH], BrokerError("does not answer"), is_waiting=False)
    assert (caution.window, lessons.terms) == (WINDOW, ALL)


def test_what_helped_is_reported_and_kept_for_an_hour(
    caution: Caution, lessons: Lessons, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    ends(caution, HEALTH, RELEASE)
    ends(caution, HEALTH)
    assert lessons.terms == Terms(retains=False)
    assert (lessons.known, caplog.text) == (ALL, ""), "not shown yet"
    caution.settle(HEALTH)
    assert lessons.known == Terms(retains=False)
    assert caplog.text.count("retains nothing") == 1
    clock.sleep(LESSON_S + 1)
    assert lessons.terms == ALL


def test_where_nothing_helps_the_topic_is_held_back_and_the_next_one_at_once(
    caution: Caution, lessons: Lessons, clock: TurnedClock
) -> None:
    ends(caution, HEALTH, times=5)
    assert (caution.is_held(HEALTH.topic), lessons.terms) == (True, ALL)
    ends(caution, RELEASE, times=2)
    assert caution.is_held(RELEASE.topic)
    assert len(caution.limits) == 2
    lessons.note(Terms(retains=False))  # as a CONNACK says
    assert lessons.known == Terms(retains=False)
    clock.sleep(LESSON_S + 1)
    caution.begin()
    assert not caution.is_held(HEALTH.topic)


def test_messages_go_one_at_a_time_for_a_minute_at_most(
    caution: Caution, clock: TurnedClock
) -> None:
    ends(caution, HEALTH, Sent(1, is_foreign=False))
    caution.begin()
    assert caution.window == 1
    caution.settle(HEALTH)
    assert caution.window == 1
    clock.sleep(SEARCH_S + 1)
    assert caution.window == WINDOW


def test_what_clears_and_what_is_of_a_former_id_is_left_to_others(
    caution: Caution, lessons: Lessons
) -> None:
    for item in (Retained("t/old/health", b""), Sent(1, is_foreign=True)):
        ends(caution, item, times=5)
    assert (caution.window, caution.limits, lessons.terms) == (WINDOW, (), ALL)


def test_a_word_is_believed_at_once(caution: Caution, lessons: Lessons) -> None:
    caution.begin()
    caution.end([], TermsError("QoS not supported", "confirms"), is_waiting=False)
    assert lessons.terms == lessons.known == Terms(confirms=False)
