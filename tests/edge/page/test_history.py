from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.decide.compliance import ComplianceCounter
from edge.decide.policy import Decision
from edge.history.records import Alert, People, Place, WatchedTime, WatchState, minute_of
from edge.history.store import FILE, HistoryBatch, HistoryWriter
from edge.page.history import ALERTS, DAYS, PageHistory
from edge.publish.messages import compliance_message
from edge.records import Verdict, Violation, ViolationKind, ViolationState, Visit
from tests.edge.publish.test_messages import ORIGIN
from tests.fakes import START, TurnedClock


def visit(verdict: Verdict) -> Visit:
    return Visit(1, verdict, START, START)


def violation(number: int, state: ViolationState = ViolationState.CONFIRMED) -> Violation:
    return Violation(
        event_id=f"event {number}",
        state=state,
        track_id=number,
        started_at=START,
        confirmed_at=START + timedelta(seconds=1),
        ended_at=None,
        duration_s=1.04,
        bare_probability=0.9,
        face_px=40,
        probability=0.9,
        kind=ViolationKind.BARE,
    )


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def history(clock: TurnedClock) -> PageHistory:
    return PageHistory(clock)


def test_visits_are_counted_by_the_hour(history: PageHistory, clock: TurnedClock) -> None:
    for verdict in Verdict:
        history.note(Decision((), (visit(verdict),)), 1.5)
    clock.sleep(3600)
    history.note(Decision((), (visit(Verdict.MASKED), visit(Verdict.MASKED))), 0.5)
    first, second = history.past().hours
    assert (first.masked, first.bare, first.worn_wrongly, first.unknown) == (1, 1, 1, 1)
    assert first.watched_s == 6
    assert (second.began - first.began, second.masked, second.watched_s) == (1, 2, 0.5)


def test_a_violation_is_listed_once_and_over_when_it_is(history: PageHistory) -> None:
    first = violation(1)
    history.note(Decision((first, violation(2))), 0)
    history.note(Decision((replace(first, state=ViolationState.ENDED, duration_s=7.26),)), 0)
    alerts = history.past().alerts
    assert [(each.event_id, each.duration_s, each.is_over) for each in alerts] == [
        ("event 1", 7.3, True),
        ("event 2", 1.0, False),
    ]


def test_it_begins_with_what_the_database_has_and_counts_what_came_meanwhile(
    tmp_path: Path, history: PageHistory, clock: TurnedClock
) -> None:
    clock.now_s = 7200.0
    path, minute = tmp_path / FILE, minute_of(START)
    writer = HistoryWriter(path)
    writer.write(
        HistoryBatch(
            people=[
                People(minute, Place("door", "left"), Verdict.MASKED, 32, True, 2),
                People(minute + 120, Place("door"), Verdict.BARE, 16, True, 1),
            ],
            watched=[
                WatchedTime(minute, "door", WatchState.WATCHED, 50, True),
                WatchedTime(minute, "door", WatchState.CROWDED, 5, True),
                WatchedTime(minute, "door", WatchState.TURNED, 4, True),
            ],
            alerts=[
                Alert("event 0", Place(zone="Gate"), ViolationKind.BARE, START, START, None, 1, 0.9)
            ],
        )
    )
    writer.close()
    history.note(Decision((violation(1),), (visit(Verdict.BARE),)), 2)
    history.begin(path)
    first, now = history.past().hours
    assert (first.masked, first.bare, first.watched_s) == (2, 0, 55)
    assert (now.masked, now.bare, now.watched_s) == (0, 2, 2)
    # Who was there when the earlier run ended is another visit now.
    assert history.past().alerts[0].zone == "Gate"
    assert [(each.event_id, each.is_over) for each in history.past().alerts] == [
        ("event 0", True),
        ("event 1", False),
    ]
    history.note(Decision((), (visit(Verdict.BARE),)), 0)
    assert history.past().hours[-1].bare == 3


def test_each_of_several_cameras_has_its_own_hours_and_each_alert_says_which_saw_it(
    tmp_path: Path, clock: TurnedClock
) -> None:
    clock.now_s = 7200.0
    path, minute = tmp_path / FILE, minute_of(START)
    with closing(HistoryWriter(path)) as writer:
        writer.write(
            HistoryBatch(
                people=[
                    People(minute, Place(camera), Verdict.MASKED, 32, True, 2)
                    for camera in ("door", "a former name")
                ],
                watched=[WatchedTime(minute, "hall", WatchState.WATCHED, 50, True)],
                alerts=[
                    Alert("event 0", Place("hall"), ViolationKind.BARE, START, START, None, 1, 0.9)
                ],
            )
        )
    history = PageHistory(clock, cameras=("door", "hall"))
    history.begin(path)
    history.note(Decision((violation(1),), (visit(Verdict.BARE),)), 2, "hall")
    door, hall = (history.past(camera) for camera in ("door", "hall"))
    assert [(each.masked, each.bare, each.watched_s) for each in door.hours] == [(2, 0, 0)]
    assert [(each.masked, each.bare, each.watched_s) for each in hall.hours] == [
        (0, 0, 50),
        (0, 1, 2),
    ]
    assert (history.summary(24, "door").rate, history.summary(24, "hall").rate) == (1, 0)
    assert door.alerts == hall.alerts
    assert [each.camera for each in hall.alerts] == ["hall", "hall"]


def test_a_single_camera_may_have_a_name(history: PageHistory) -> None:
    history.note(Decision((violation(1),), (visit(Verdict.BARE),)), 2, "door")
    assert [each.bare for each in history.past().hours] == [1]
    assert history.past().alerts[0].camera == "", "there is nothing to tell it from"


def test_it_keeps_nothing_for_longer_than_the_history(clock: TurnedClock) -> None:
    history = PageHistory(clock, days=2)
    for _ in range(100):
        clock.sleep(3600)
        history.note(Decision((replace(violation(1), started_at=clock.utc()),)), 1)
    assert len(history.past().hours) == 48
    assert PageHistory(clock, days=400).days == DAYS


def test_it_says_since_when_it_counts_where_nothing_is_recorded(clock: TurnedClock) -> None:
    assert PageHistory(clock).counts_since is None
    assert PageHistory(clock, is_recorded=False).counts_since == START


def test_a_clock_that_is_set_back_finds_its_hour_again(
    history: PageHistory, clock: TurnedClock
) -> None:
    for at_s in (0, 3600, 0):
        clock.now_s = at_s
        history.note(Decision((), (visit(Verdict.MASKED),)), 0)
    assert [hour.masked for hour in history.past().hours] == [2, 1]


def test_it_does_not_grow_without_a_bound(history: PageHistory, clock: TurnedClock) -> None:
    for number in range(DAYS * 24 + 10):
        clock.sleep(3600)
        history.note(Decision((replace(violation(number), started_at=clock.utc()),)), 0)
    past = history.past()
    assert (len(past.hours), len(past.alerts)) == (DAYS * 24, ALERTS)
    assert past.alerts[-1].event_id == f"event {DAYS * 24 + 9}"


def test_it_forgets_after_a_month_however_seldom_it_ran(
    history: PageHistory, clock: TurnedClock
) -> None:
    for day in range(60):
        clock.now_s = day * 86_400.0
        at = clock.utc()
        history.note(Decision((replace(violation(day), started_at=at),), (visit(Verdict.BARE),)), 1)
    past = history.past()
    assert len(past.hours) == len(past.alerts) == 31
    assert past.alerts[-1].event_id == "event 59"


def test_the_rate_of_an_hour_is_that_of_the_mqtt_document(
    history: PageHistory, clock: TurnedClock
) -> None:
    counter = ComplianceCounter(clock.monotonic_s())
    verdicts = [Verdict.MASKED] * 8 + [Verdict.BARE, Verdict.WORN_WRONGLY, Verdict.UNKNOWN]
    for verdict in verdicts:
        history.note(Decision((), (visit(verdict),)), 1)
        counter.add(visit(verdict), clock.monotonic_s())
    message = compliance_message(ORIGIN, counter.totals(clock.monotonic_s()), START, True, "run")
    summary = history.summary(1)
    assert message.last_hour.rate == 0.8889
    assert summary.rate == pytest.approx(message.last_hour.rate, abs=5e-5)
    counts = (summary.masked, summary.bare, summary.worn_wrongly, summary.unknown)
    assert counts == (8, 1, 1, 1)


def test_a_summary_reaches_back_whole_hours_and_knows_what_was_not_watched(
    history: PageHistory, clock: TurnedClock
) -> None:
    history.note(Decision((), (visit(Verdict.BARE),)), 1000)
    clock.sleep(3600)
    history.note(Decision((), (visit(Verdict.MASKED),)), 500)
    one, two = history.summary(1), history.summary(2)
    into_the_hour_s = START.minute * 60 + START.second
    assert (one.rate, one.watched_s, one.span_s) == (1, 500, into_the_hour_s)
    assert (two.rate, two.watched_s, two.span_s) == (0.5, 1500, 3600 + into_the_hour_s)


def test_where_nobody_was_judged_there_is_no_rate(history: PageHistory) -> None:
    history.note(Decision((), (visit(Verdict.UNKNOWN), visit(Verdict.WORN_WRONGLY))), 1)
    summary = history.summary(24)
    assert (summary.rate, summary.rate_low, summary.rate_high) == (None, None, None)
