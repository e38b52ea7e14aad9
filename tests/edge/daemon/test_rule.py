"""The mask rule in the daemon: who switches it, who follows, and where it is kept."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.daemon.rule import RuleKeeper
from edge.history.records import Entry, EntryKind
from edge.history.store import HistoryBatch, HistoryError, HistoryReader, HistoryWriter
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
    try:
        with HistoryReader(path) as reader:
            entries = reader.journal(START - timedelta(days=1), START + timedelta(days=1))
    except HistoryError:  # not made yet
        return []
    return [(each.by, each.text) for each in entries if each.kind is EntryKind.RULE]


def test_by_command_nobody_is_reported_at_once_and_after_a_restart(
    tmp_path: Path, clock: TurnedClock
) -> None:
    path, policy = tmp_path / "history.sqlite", Reporting()
    keeper = RuleKeeper(Calendar(), path, [policy], clock)
    keeper.start()
    assert policy.reports
    keeper.say(False, "ops")
    assert (keeper.state.is_on, keeper.state.since, keeper.state.by) == (False, START, "ops")
    until(lambda: journal(path) == [("ops", "off")], "what was said is in the journal")
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
    writer = HistoryWriter(path)
    writer.write(HistoryBatch(journal=[Entry(START, EntryKind.RULE, "sudo", "off")]))
    writer.close()
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


def test_a_disk_that_takes_nothing_hinders_nobody_and_is_said_once(
    tmp_path: Path, clock: TurnedClock, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("edge.daemon.rule.LOOKED_EVERY_S", 0.02)
    keeper = RuleKeeper(Calendar(), tmp_path / "nowhere" / "history.sqlite", [], clock)
    tried = threading.Semaphore(0)
    write = keeper._write

    def counted() -> None:
        write()
        tried.release()

    monkeypatch.setattr(keeper, "_write", counted)
    keeper.start()
    keeper.say(False, "ops")
    assert not keeper.state.is_on
    for _ in range(4):
        tried.acquire(timeout=10)
    keeper.close()
    said = [each for each in caplog.messages if "until the next start only" in each]
    assert len(said) == 1
