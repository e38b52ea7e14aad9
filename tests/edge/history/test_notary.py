"""What people say of alerts and of the mask rule: checked, written down once, corrected."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.history.alert_book import AlertBook
from edge.history.notary import (
    MOST_CORRECTIONS,
    MOST_RULE_CHANGES,
    AlreadySoError,
    NotNotedError,
    acknowledge,
    set_rule,
)
from edge.history.records import Alert, AlertAcknowledgement, Place
from edge.history.requests import Acknowledge, SetRule
from edge.history.store import FILE, HistoryBatch, HistoryReader, HistoryWriter
from edge.records import ViolationKind
from edge.telemetry import RuleState

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def event_id(number: int) -> str:
    return f"019ab11c-92d2-7f3a-8d1e-{number:012x}"


def alert(number: int, at: datetime = NOON) -> Alert:
    return Alert(event_id(number), Place(), ViolationKind.BARE, at, at + SECOND, None, 1.0, 0.9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / FILE
    writer = HistoryWriter(path)
    writer.write(HistoryBatch(alerts=[alert(1), alert(2, NOON + DAY)]))
    writer.close()
    return path


def said(path: Path, number: int) -> list[AlertAcknowledgement]:
    with AlertBook(path) as book:
        return book.said_of(event_id(number))


def newest_open(path: Path) -> str | None:
    with AlertBook(path) as book:
        found = book.newest_open(NOON - DAY)
    return None if found is None else found[0]


def test_an_alert_is_acknowledged_by_its_id(path: Path) -> None:
    asked = Acknowledge(event_id(1), "forgotten", "mask-put-on", " at the door ", "ops")
    written = acknowledge(path, asked, NOON + 2 * DAY)
    assert written == AlertAcknowledgement(
        event_id(1), NOON + 2 * DAY, "ops", "forgotten", "mask-put-on", "at the door"
    )
    assert said(path, 1) == [written]
    assert newest_open(path) == event_id(2)


def test_without_an_id_it_is_the_newest_that_is_open(path: Path) -> None:
    now = NOON + 2 * DAY
    assert acknowledge(path, Acknowledge(), now).event_id == event_id(2)
    assert acknowledge(path, Acknowledge(), now).event_id == event_id(1)
    with pytest.raises(NotNotedError, match="no alert of the last 31 days is open"):
        acknowledge(path, Acknowledge(), now)


def test_an_alert_that_the_history_does_not_have_yet_is_known_too(path: Path) -> None:
    recent = {event_id(3): NOON + 2 * DAY}
    assert acknowledge(path, Acknowledge(), NOON + 2 * DAY, recent).event_id == event_id(3)
    assert acknowledge(path, Acknowledge(event_id(3), "exempt"), NOON + 3 * DAY, recent)
    assert acknowledge(path, Acknowledge(), NOON + 2 * DAY, recent).event_id == event_id(2)


def test_what_is_no_alert_of_this_box_is_refused(path: Path) -> None:
    with pytest.raises(NotNotedError, match=f"no alert {event_id(9)} is known here"):
        acknowledge(path, Acknowledge(event_id(9)), NOON)


def test_an_old_alert_is_not_taken_for_the_newest_but_by_its_id(path: Path) -> None:
    later = NOON + 60 * DAY
    with pytest.raises(NotNotedError, match="is open"):
        acknowledge(path, Acknowledge(), later)
    assert acknowledge(path, Acknowledge(event_id(2)), later).at == later


def test_the_same_again_changes_nothing(path: Path) -> None:
    asked = Acknowledge(event_id(1), "refused", "sent-away", by="ops")
    first = acknowledge(path, asked, NOON + SECOND)
    assert acknowledge(path, asked, NOON + DAY) == first
    assert said(path, 1) == [first]


def test_a_correction_goes_before_also_when_the_clock_was_set_back(path: Path) -> None:
    acknowledge(path, Acknowledge(event_id(1), "refused"), NOON + DAY)
    acknowledge(path, Acknowledge(event_id(1), "exempt"), NOON)
    assert [each.reason for each in said(path, 1)] == ["refused", "exempt"]


def test_two_within_a_millisecond_are_two(path: Path) -> None:
    acknowledge(path, Acknowledge(event_id(1), "refused"), NOON + timedelta(microseconds=100))
    acknowledge(path, Acknowledge(event_id(1), "exempt"), NOON + timedelta(microseconds=900))
    assert [each.reason for each in said(path, 1)] == ["refused", "exempt"]


def test_corrections_are_bounded(path: Path) -> None:
    for number in range(MOST_CORRECTIONS):
        asked = Acknowledge(event_id(1), note=str(number))
        acknowledge(path, asked, NOON + number * SECOND)
    with pytest.raises(NotNotedError, match="corrected 20 times"):
        acknowledge(path, Acknowledge(event_id(1), note="again"), NOON + DAY)
    assert len(said(path, 1)) == MOST_CORRECTIONS


def test_the_rule_is_written_down_with_who_said_so(path: Path) -> None:
    entries = [
        set_rule(path, SetRule(False, "ward"), NOON),
        set_rule(path, SetRule(True, "ward"), NOON + SECOND),
    ]
    with HistoryReader(path) as reader:
        assert reader.journal(NOON, NOON + DAY) == entries
    assert [each.text for each in entries] == ["off", "on"]


def test_a_rule_that_holds_already_is_not_written_down_and_who_said_so_is_named(
    path: Path,
) -> None:
    with pytest.raises(AlreadySoError, match=r"^the mask rule is on already$"):
        set_rule(path, SetRule(True, "desk"), NOON)
    first = set_rule(path, SetRule(False, "ward"), NOON)
    for later in (30 * SECOND, 40 * DAY):
        with pytest.raises(
            AlreadySoError, match=r"off already, since 2026-03-02 \d\d:00, by ward$"
        ):
            set_rule(path, SetRule(False, "desk"), NOON + later)
    by_season = RuleState(is_on=True, since=NOON + DAY, by="calendar")
    again = set_rule(path, SetRule(False, "desk"), NOON + 2 * DAY, lambda _: by_season)
    with HistoryReader(path) as reader:
        assert reader.journal(NOON, NOON + 9 * DAY) == [first, again]


def test_changes_of_the_rule_are_bounded(path: Path) -> None:
    for number in range(MOST_RULE_CHANGES):
        set_rule(path, SetRule(number % 2 == 1), NOON + number * SECOND)
    with pytest.raises(NotNotedError, match="50 changes within a day: try again tomorrow"):
        set_rule(path, SetRule(False), NOON + 100 * SECOND)
    assert set_rule(path, SetRule(False), NOON + 2 * DAY)


def test_what_was_said_is_unpublished_until_it_is_marked(path: Path) -> None:
    written = acknowledge(path, Acknowledge(event_id(1)), NOON + SECOND)
    with AlertBook(path) as book:
        assert book.unpublished() == [written]
        assert book.said_since(NOON, 10) == [written]
        assert book.said_since(NOON + DAY, 10) == []
        book.mark_published([written])
        assert book.unpublished() == []


def test_what_is_unpublished_is_forgotten_with_its_alert(path: Path) -> None:
    corrected = acknowledge(path, Acknowledge(event_id(1), "exempt"), NOON + DAY)
    other = AlertAcknowledgement(event_id(2), NOON + DAY, "x", "other", "none")
    with closing(HistoryWriter(path)) as writer, AlertBook(path) as book:
        book.write(other)
        assert book.unpublished() == [corrected, other]
        writer.forget(NOON + 3 * DAY)
        assert book.unpublished() == []
        rows = book._database.execute("SELECT count(*) FROM unpublished").fetchall()
        assert rows == [(0,)], "nothing of it is left"
