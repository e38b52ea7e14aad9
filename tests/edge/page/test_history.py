from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.decide.compliance import ComplianceCounter
from edge.decide.policy import Decision
from edge.page.history import ALERTS, HOURS, SAVED_EVERY_S, PageHistory, forget
from edge.publish.messages import compliance_message
from edge.records import Verdict, Violation, ViolationKind, ViolationState, Visit
from tests.disk import SmallDisk
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
def history(tmp_path: Path, clock: TurnedClock) -> PageHistory:
    return PageHistory(tmp_path / "history.json", clock)


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


def test_it_is_there_again_after_a_restart(
    tmp_path: Path, history: PageHistory, clock: TurnedClock
) -> None:
    history.note(Decision((violation(1),), (visit(Verdict.BARE),)), 2)
    history.save()
    again = PageHistory(tmp_path / "history.json", clock)
    assert again.past().hours == history.past().hours
    assert [each.event_id for each in again.past().alerts] == ["event 1"]
    # It was killed: nobody is still there of whom it knew.
    assert [each.is_over for each in again.past().alerts] == [True]
    again.note(Decision((), (visit(Verdict.BARE),)), 0)
    assert again.past().hours[-1].bare == 2


def test_it_is_written_down_once_an_hour(
    tmp_path: Path, history: PageHistory, clock: TurnedClock
) -> None:
    file = tmp_path / "history.json"
    history.note(Decision((), (visit(Verdict.BARE),)), 0)
    assert not file.exists()
    clock.sleep(SAVED_EVERY_S)
    history.note(Decision(), 0)
    assert file.exists()


def test_a_clock_that_is_set_back_finds_its_hour_again(
    history: PageHistory, clock: TurnedClock
) -> None:
    for at_s in (0, 3600, 0):
        clock.now_s = at_s
        history.note(Decision((), (visit(Verdict.MASKED),)), 0)
    assert [hour.masked for hour in history.past().hours] == [2, 1]


def test_it_does_not_grow_without_a_bound(history: PageHistory, clock: TurnedClock) -> None:
    for number in range(HOURS + 10):
        clock.sleep(3600)
        history.note(Decision((replace(violation(number), started_at=clock.utc()),)), 0)
    past = history.past()
    assert (len(past.hours), len(past.alerts)) == (HOURS, ALERTS)
    assert past.alerts[-1].event_id == f"event {HOURS + 9}"


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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"hours": 3}',
        b"\xff",
        b'{"told": [{"event_id": "\xff"}]}',
        b'{"x":' + b"[" * 60_000,
    ],
)
def test_a_damaged_file_is_logged_and_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "history.json").write_bytes(content)
    assert PageHistory(tmp_path / "history.json", TurnedClock()).past().hours == ()
    assert "history.json: damaged" in caplog.text


def test_a_disk_that_takes_nothing_is_said_once(
    tmp_path: Path, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    history = PageHistory(tmp_path / "file" / "history.json", clock)
    history.note(Decision((violation(1),)), 0)
    history.save()
    history.save()
    assert caplog.text.count("in memory only") == 1
    assert len(history.past().alerts) == 1


def test_it_is_removed_when_nobody_asks_for_it_unless_the_disk_refuses(
    small_disk: SmallDisk,
) -> None:
    file = small_disk.folder / "history.json"
    file.write_text("{}")
    small_disk.remount("ro")
    forget(file)
    assert file.exists()
    small_disk.remount("rw")
    for _ in range(2):
        forget(file)
        assert not file.exists()


def test_what_the_file_holds_keeps_its_names(history: PageHistory, tmp_path: Path) -> None:
    history.note(Decision((violation(1),)), 0)
    history.save()
    assert json.loads((tmp_path / "history.json").read_text()).keys() == {"hours", "told"}


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
