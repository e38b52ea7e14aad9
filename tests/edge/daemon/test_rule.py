"""The mask rule in the daemon: who switches it, who follows, and where it is kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.daemon.rule import RuleKeeper
from edge.history.records import Entry, EntryKind
from edge.history.store import HistoryBatch, HistoryReader, HistoryWriter
from edge.report.calendar import Calendar, Season
from tests.fakes import START, TurnedClock
from tests.waiting import until


class Reporting:
    """A policy."""

    reports = True


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def journal(path: Path) -> list[tuple[str, str]]:
    with HistoryReader(path) as reader:
        entries = reader.journal(START - timedelta(days=1), START + timedelta(days=1))
    return [(each.by, each.text) for each in entries if each.kind is EntryKind.RULE]


def written(path: Path, batch: HistoryBatch) -> None:
    with closing(HistoryWriter(path)) as writer:
        writer.write(batch)


def test_by_command_nobody_is_reported_at_once_and_after_a_restart(
    tmp_path: Path, clock: TurnedClock
) -> None:
    path, policy = tmp_path / "history.sqlite", Reporting()
    keeper = RuleKeeper(Calendar(), path, [policy], clock)
    keeper.record = lambda batch: written(path, batch)
    keeper.start()
    assert policy.reports
    keeper.say(False, "ops")
    assert (keeper.state.is_on, keeper.state.since, keeper.state.by) == (False, START, "ops")
    assert journal(path) == [("ops", "off")]
    keeper.close()
    again = Reporting()
    keeper = RuleKeeper(Calendar(), path, [again], clock)
    keeper.start()
    assert not again.reports
    keeper.close()


def test_what_another_process_writes_holds_within_seconds(
    tmp_path: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.daemon.rule.LOOKED_EVERY_S", 0.05)
    path = tmp_path / "history.sqlite"
    keeper = RuleKeeper(Calendar(), path, [], clock)
    keeper.start()
    written(path, HistoryBatch(journal=[Entry(START, EntryKind.RULE, "sudo", "off")]))
    until(lambda: not keeper.state.is_on, "the rule is off")
    keeper.close()


def test_the_season_switches_it_without_anybody(tmp_path: Path, clock: TurnedClock) -> None:
    season = Season(START.date() - timedelta(days=30), START.date())
    calendar = replace(Calendar(), seasons=(season,))
    keeper = RuleKeeper(calendar, tmp_path / "history.sqlite", [], clock)
    assert keeper.state.is_on
    clock.now_s += 24 * 3600
    assert not keeper.state.is_on
    assert keeper.state.by == "calendar"


def test_where_nothing_is_recorded_a_command_holds_until_the_next_start_and_that_is_said(
    tmp_path: Path, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = RuleKeeper(Calendar(), tmp_path / "history.sqlite", [], clock)
    keeper.say(False, "ops")
    assert not keeper.state.is_on
    assert "the next start forgets that the mask rule was set" in caplog.text


def test_a_history_that_cannot_be_read_is_said_once_and_the_rule_is_on(
    tmp_path: Path, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"no database" * 500)
    keeper = RuleKeeper(Calendar(), path, [], clock)
    for _ in range(4):
        keeper._read()
    assert keeper.state.is_on
    said = [each for each in caplog.messages if "is not known" in each]
    assert len(said) == 1
