from __future__ import annotations

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.commands.releases import Installed, UndoneError, known_window_s, lines
from edge.commands.waiting import TrialProgress, minutes, progress_of, wait
from edge.installed import PREFIX, Slot
from edge.release.ledger import Ledger, RunningTrial, Stage, TrialEntry, TrialOutcome, write_ledger
from edge.release.store import ReleaseStore
from tests.fakes import START, TurnedClock

TRIAL = RunningTrial(Slot.RELEASE, "0.3.0-bbbb", "0.2.0-aaaa", START, stage=Stage.RUNNING)
SLOW = "a scan takes 90 ms, up from 30 ms"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class LedgerClock(TurnedClock):
    """While somebody waits, the trial goes on."""

    def __init__(self, file: Path, steps: Iterator[Ledger]) -> None:
        super().__init__()
        self._file, self._steps = file, steps
        write_ledger(next(steps), file)

    def sleep(self, duration_s: float) -> None:
        super().sleep(duration_s)
        write_ledger(next(self._steps), self._file)


def going_on(outcome: TrialOutcome) -> Iterator[Ledger]:
    for turn in range(0, 600, 2):
        trouble = SLOW if 300 <= turn < 330 else ""
        yield Ledger(replace(TRIAL, watched_s=turn, ran_s=turn, trouble=trouble))
    yield Ledger().with_entry(
        TrialEntry(Slot.RELEASE, TRIAL.name, outcome, "well for 600 s", START)
    )


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PREFIX, str(tmp_path))
    ReleaseStore(tmp_path).folder(Slot.RELEASE, TRIAL.name).mkdir(parents=True)
    ReleaseStore(tmp_path).point(Slot.RELEASE, TRIAL.name)
    return tmp_path / "ledger.json"


def test_in_a_pipe_a_line_a_minute_says_how_far_it_is(file: Path) -> None:
    clock, said = LedgerClock(file, going_on(TrialOutcome.KEPT)), StringIO()
    progress = TrialProgress(600, said, clock)
    assert wait("", progress.show, clock, file) == "release 0.3.0-bbbb: kept, well for 600 s"
    progress.close()
    lines = said.getvalue().splitlines()
    name = "release 0.3.0-bbbb on trial: well for"
    assert lines[:2] == [f"{name} 0 s of 10 min, doing well", f"{name} 1 min of 10 min, doing well"]
    assert f"{name} 5 min of 10 min, but now {SLOW}; 55 min more at most" in lines
    assert f"{name} 5 min 30 s of 10 min, doing well" in lines
    assert 10 <= len(lines) <= 12


def test_on_a_terminal_one_line_is_kept_up_to_date_and_taken_away(file: Path) -> None:
    clock, said = LedgerClock(file, going_on(TrialOutcome.REFUSED)), Terminal()
    progress = TrialProgress(600, said, clock)
    with pytest.raises(UndoneError, match="undone and not tried again, well for 600 s"):
        wait("", progress.show, clock, file)
    progress.close()
    assert "\n" not in said.getvalue()
    assert said.getvalue().count("\r\x1b[K") == 301
    assert said.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize("outcome", TrialOutcome)
def test_what_became_of_a_release_is_said_in_words(outcome: TrialOutcome) -> None:
    entry = TrialEntry(Slot.RELEASE, TRIAL.name, outcome, "a reason", START)
    shown = Installed(dict.fromkeys(Slot, ""), {slot: [] for slot in Slot}, None, (entry,))
    said = [*lines(shown, None)][-1]
    words = {"refused": "undone and not tried again", "rolled_back": "rolled back"}
    assert said.endswith(f" release 0.3.0-bbbb: {words.get(outcome, outcome)}, a reason")


def test_a_name_that_is_in_use_needs_no_trial_and_another_is_an_error(file: Path) -> None:
    write_ledger(Ledger(), file)
    shown: list[RunningTrial] = []
    assert wait("", shown.append, TurnedClock(), file) == "nothing is on trial"
    said = wait(TRIAL.name, shown.append, TurnedClock(), file)
    assert said == "0.3.0-bbbb was never on trial"
    with pytest.raises(UndoneError, match="other was never on trial"):
        wait("other", shown.append, TurnedClock(), file)
    assert shown == []


def test_without_the_settings_no_figure_of_theirs_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "tensormask.toml"
    settings.write_text('[mqtt]\nhost = "broker"\n[release]\ntrial_s = 20\n')
    assert known_window_s(settings) == 20
    settings.chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        window_s = known_window_s(settings)
    finally:
        os.seteuid(before)
    assert window_s is None
    on_trial = replace(TRIAL, watched_s=12, trouble=SLOW)
    said = f"release 0.3.0-bbbb on trial: well for 12 s, but now {SLOW}"
    assert progress_of(on_trial, window_s) == said
    shown = Installed(dict.fromkeys(Slot, ""), {slot: [] for slot in Slot}, on_trial, ())
    last = f"on trial  release 0.3.0-bbbb, running: well for 12 s; {SLOW}"
    assert [*lines(shown, window_s)][-1] == last
    assert [*lines(shown, 20)][-1] == last.replace("12 s", "12 of 20 s")


def test_going_back_says_what_is_waited_for() -> None:
    undone = replace(TRIAL, stage=Stage.UNDOING, reason=SLOW)
    back = f"release 0.3.0-bbbb: going back to 0.2.0-aaaa: {SLOW}"
    assert progress_of(undone, 600) == back
    looked_at = progress_of(replace(undone, stage=Stage.VERIFYING), 600)
    assert looked_at.startswith(f"release 0.3.0-bbbb: undone: {SLOW}; 3 min at most")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (40, "40 s"), (200, "3 min 20 s"), (600, "10 min"), (3900, "1 h 5 min")],
)
def test_times_to_wait_for_are_exact(seconds: float, text: str) -> None:
    assert minutes(seconds) == text
