from __future__ import annotations

from dataclasses import replace

from edge.decide.policy import Decision, Standing
from edge.greeting import HOLD_S, Greeting
from edge.pipeline import FrameOutcome
from edge.records import Advice, MaskState
from tests.edge.samples import TELEMETRY
from tests.fakes import frame_at

MASKED = Standing(1, MaskState.MASKED, 0.97, 0.0, 0.0, 5, 5, is_reported=False)
BARE = replace(MASKED, track_id=2, state=MaskState.BARE)
REPORTED = replace(BARE, is_reported=True)
WORN = replace(REPORTED, state=MaskState.WORN_WRONGLY)


def said(greeting: Greeting, seconds: float, *people: Standing) -> Advice:
    outcome = FrameOutcome((), Decision(), people)
    return greeting.take(frame_at(seconds), outcome, TELEMETRY)


def test_nobody_and_somebody_unknown_get_the_general_request() -> None:
    greeting = Greeting()
    assert said(greeting, 0) is Advice.EMPTY
    assert said(greeting, 1, replace(MASKED, state=None, probability=0)) is Advice.EMPTY


def test_nobody_is_asked_in_person_before_the_report() -> None:
    greeting = Greeting()
    assert said(greeting, 0, BARE) is Advice.EMPTY
    assert said(greeting, 1, REPORTED) is Advice.NO_MASK
    assert said(Greeting(), 0, WORN) is Advice.WORN_WRONGLY


def test_a_picture_on_the_wall_is_neither_asked_nor_thanked() -> None:
    greeting = Greeting()
    assert said(greeting, 0, replace(REPORTED, is_lifeless=True)) is Advice.EMPTY
    assert said(greeting, 1, replace(MASKED, is_lifeless=True)) is Advice.EMPTY


def test_thanks_are_for_all_who_are_there() -> None:
    greeting = Greeting()
    assert said(greeting, 0, MASKED) is Advice.GO
    assert said(greeting, 1, MASKED, BARE) is Advice.EMPTY
    assert said(greeting, 2, MASKED, REPORTED) is Advice.NO_MASK


def test_what_is_said_stays_for_a_while_and_no_longer() -> None:
    greeting = Greeting()
    said(greeting, 0, REPORTED)
    assert said(greeting, HOLD_S - 0.1) is Advice.NO_MASK
    assert said(greeting, HOLD_S) is Advice.EMPTY
    said(greeting, 10, MASKED)
    assert said(greeting, 10 + HOLD_S - 0.1) is Advice.GO
    assert said(greeting, 10 + HOLD_S) is Advice.EMPTY


def test_thanks_do_not_replace_a_request_that_is_still_read() -> None:
    greeting = Greeting()
    said(greeting, 0, REPORTED)
    assert said(greeting, 1, MASKED) is Advice.NO_MASK
    assert said(greeting, HOLD_S, MASKED) is Advice.GO


def test_without_a_view_it_is_closed_and_says_nothing_old_afterwards() -> None:
    greeting = Greeting()
    said(greeting, 0, REPORTED)
    paused = replace(TELEMETRY, paused_for_s=9.0)
    assert greeting.take(frame_at(1), FrameOutcome((), Decision()), paused) is Advice.CLOSED
    assert said(greeting, 2) is Advice.EMPTY
