"""The clerk writes down what people say, and publishes it, no matter who has written it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.daemon import clerk as module
from edge.daemon.clerk import BUSY, RECENT, ROOM, STOPPING, Clerk
from edge.daemon.lookout import Glance
from edge.decide.policy import Decision
from edge.history.alert_book import AlertBook
from edge.history.notary import acknowledge
from edge.history.records import Alert, Place
from edge.history.requests import Acknowledge, HistoryRequest, SetRule
from edge.history.store import FILE, HistoryBatch, HistoryReader, HistoryWriter
from edge.publish.outbox.outbox import Outbox
from edge.records import ViolationKind
from tests.edge.notify.samples import event_id, violation
from tests.edge.publish.test_messages import NOON, ORIGIN
from tests.edge.samples import TELEMETRY
from tests.fakes import TurnedClock
from tests.waiting import until


class Office:
    """A clerk with a real history and a real outbox."""

    def __init__(self, folder: Path) -> None:
        self.history = folder / FILE
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.clock = TurnedClock()
        self.woken = 0
        self.clerk = Clerk(
            self.history, self.outbox, self.wake, ORIGIN, "tensormask", self.clock, lambda: True
        )

    def wake(self) -> None:
        self.woken += 1

    def report(self, *numbers: int) -> None:
        violations = tuple(violation(number) for number in numbers)
        self.clerk.take(Glance(decision=Decision(violations=violations)), TELEMETRY)

    @property
    def published(self) -> list[dict[str, Any]]:
        return [json.loads(each.payload) for each in self.outbox.pending(100)]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.05)
    office = Office(tmp_path)
    yield office
    office.clerk.close()
    office.outbox.close()


def test_an_alert_that_was_just_reported_is_acknowledged_and_published(office: Office) -> None:
    office.clerk.start()
    office.report(1)
    asked = Acknowledge(event_id(1), "forgotten", "mask-put-on", "at the door", "page")
    assert office.clerk.note_now(asked) == ""
    until(lambda: office.published, "it is published")
    (message,) = office.published
    assert message["schema"] == "tensormask/acknowledgement/1"
    assert (message["event_id"], message["by"], message["sequence"]) == (event_id(1), "page", 1)
    assert (message["reason"], message["remedy"]) == ("forgotten", "mask-put-on")
    assert message["note"] == "at the door"
    assert message["confirmed_at"].startswith(f"{violation(1).confirmed_at:%Y-%m-%dT%H:%M:%S}")
    assert office.outbox.pending(1)[0].topic == "tensormask/door-1/acknowledgement"
    assert office.woken == 1


def test_what_another_process_has_written_is_published_once(office: Office) -> None:
    alert = Alert(event_id(1), Place(), ViolationKind.BARE, NOON, NOON, None, 1.0, 0.9)
    with closing(HistoryWriter(office.history)) as writer:
        writer.write(HistoryBatch(alerts=[alert]))
    acknowledge(office.history, Acknowledge(event_id(1), by="ops"), NOON)
    office.clerk.start()
    until(lambda: office.published, "what was written before is published")
    acknowledge(office.history, Acknowledge(event_id(1), "exempt", by="ops"), NOON)
    until(lambda: len(office.published) == 2, "so is a correction")
    assert [each["reason"] for each in office.published] == ["other", "exempt"]
    with AlertBook(office.history) as book:
        until(lambda: not book.unpublished(), "it is marked")


def test_the_rule_is_written_down_and_that_is_said(office: Office) -> None:
    switched: list[bool] = []
    office.clerk.on_rule = lambda: switched.append(True)
    office.clerk.start()
    assert office.clerk.note_now(SetRule(False, "page ward")) == ""
    now = office.clock.utc()
    with HistoryReader(office.history) as reader:
        (entry,) = reader.journal(now - timedelta(days=1), now + timedelta(days=1))
    assert (entry.by, entry.text) == ("page ward", "off")
    assert switched == [True]


def test_what_is_refused_is_said(office: Office) -> None:
    office.clerk.start()
    assert (
        office.clerk.note_now(Acknowledge(event_id(7))) == f"no alert {event_id(7)} is known here"
    )
    assert office.clerk.note_now(Acknowledge()) == "no alert of the last 31 days is open"


def test_a_history_that_cannot_be_written_is_said_and_ends_nothing(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.history.mkdir()
    office.clerk.start()
    for _ in range(3):
        assert "unable to open" in office.clerk.note_now(SetRule(True))
    assert caplog.text.count("acknowledgements are not published") == 1
    office.history.rmdir()
    assert office.clerk.note_now(SetRule(True)) == ""


def test_requests_and_recent_alerts_are_bounded(office: Office) -> None:
    answers: list[str] = []
    for _ in range(ROOM + 2):  # nobody takes them: it has not been started
        office.clerk.note(SetRule(True), answers.append)
    assert answers == [BUSY, BUSY]
    office.report(*range(1, 2 * RECENT))
    assert len(office.clerk._recent) == RECENT


def test_nothing_is_taken_any_more_when_it_stops(office: Office) -> None:
    office.clerk.start()
    office.clerk.close()
    assert office.clerk.note_now(SetRule(True)) == STOPPING


def test_who_waits_when_it_stops_is_told_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[str] = []
    goes_on, begun = threading.Event(), threading.Event()

    def slow(request: HistoryRequest) -> str:
        begun.set()
        goes_on.wait(10)
        return ""

    monkeypatch.setattr(office.clerk, "_written", slow)
    office.clerk.start()
    for _ in range(3):
        office.clerk.note(SetRule(True), answers.append)
    assert begun.wait(10)
    office.clerk._thread.ask_to_end()
    goes_on.set()
    until(lambda: len(answers) == 3, "all are answered")
    assert answers == ["", STOPPING, STOPPING]
