"""The mask rule in the daemon: who switches it, who follows, and where it is kept."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.daemon.rule import RuleKeeper
from edge.history.records import Entry, EntryKind
from edge.history.store import HistoryBatch, HistoryWriter
from edge.report.calendar import Calendar, Season
from tests.fakes import START, TurnedClock
from tests.waiting import until


class Reporting:
    """A policy."""

    reports = True


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def written(path: Path, batch: HistoryBatch) -> None:
    with closing(HistoryWriter(path)) as writer:
        writer.write(batch)


def test_what_somebody_writes_into_the_journal_holds_within_seconds_and_after_a_restart(
    tmp_path: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.daemon.rule.LOOKED_EVERY_S", 0.05)
    path, policy = tmp_path / "history.sqlite", Reporting()
    keeper = RuleKeeper(Calendar(), path, [policy], clock)
    keeper.start()
    assert policy.reports
    written(path, HistoryBatch(journal=[Entry(START, EntryKind.RULE, "ops", "off")]))
    until(lambda: not keeper.state.is_on, "the rule is off")
    assert (keeper.state.since, keeper.state.by) == (START, "ops")
    keeper.close()
    again = Reporting()
    keeper = RuleKeeper(Calendar(), path, [again], clock)
    keeper.start()
    assert not again.reports
    keeper.close()


def test_the_season_switches_it_without_anybody(tmp_path: Path, clock: TurnedClock) -> None:
    season = Season(START.date() - timedelta(days=30), START.date())
    calendar = replace(Calendar(), seasons=(season,))
    keeper = RuleKeeper(calendar, tmp_path / "history.sqlite", [], clock)
    assert keeper.state.is_on
    clock.now_s += 24 * 3600
    assert not keeper.state.is_on
    assert keeper.state.by == "calendar"


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


def test_another_history_of_the_same_time_is_read_too(tmp_path: Path, clock: TurnedClock) -> None:
    path, other = tmp_path / "history.sqlite", tmp_path / "other.sqlite"
    written(path, HistoryBatch(journal=[Entry(START, EntryKind.RULE, "ops", "on")]))
    written(other, HistoryBatch(journal=[Entry(START, EntryKind.RULE, "ops", "off")]))
    keeper = RuleKeeper(Calendar(), path, [], clock)
    keeper._read()  # the first has made the log
    assert keeper.state.is_on
    state = path.stat()
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)
    keeper._read()
    assert not keeper.state.is_on
