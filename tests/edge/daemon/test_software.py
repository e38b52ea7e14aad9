from __future__ import annotations

from pathlib import Path

import pytest

from edge.daemon.software import MOST_SETTLED, SoftwareNotice
from edge.installed import Slot
from edge.release.ledger import Ledger, RunningTrial, TrialEntry, TrialOutcome, write_ledger
from edge.release.store import ReleaseStore
from edge.software import OnTrial, Settled, Software
from tests.fakes import START


def test_a_change_is_noticed_once_and_reported(tmp_path: Path) -> None:
    store, file = ReleaseStore(tmp_path), tmp_path / "ledger.json"
    store.folder(Slot.RELEASE, "a").mkdir(parents=True)
    store.point(Slot.RELEASE, "a")
    notice = SoftwareNotice(store, file)
    assert notice.has_changed()  # the first reading: there is none, which is reported too
    assert notice.software.trial is None
    write_ledger(
        Ledger().with_trial(RunningTrial(Slot.RELEASE, "a", "b", START, watched_s=7.0)), file
    )
    assert notice.has_changed()
    assert not notice.has_changed()
    assert notice.software == Software(
        {"release": "a", "bundle": "", "detector": ""},
        OnTrial("release", "a", "b", START, 7.0),
        (),
    )


def test_only_the_last_outcomes_are_reported(tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    ledger = Ledger()
    for number in range(MOST_SETTLED + 2):
        ledger = ledger.with_entry(
            TrialEntry(Slot.BUNDLE, str(number), TrialOutcome.REFUSED, "it crashed", START)
        )
    write_ledger(ledger, file)
    notice = SoftwareNotice(ReleaseStore(tmp_path), file)
    notice.has_changed()
    assert len(notice.software.settled) == MOST_SETTLED
    assert notice.software.settled[-1] == Settled("bundle", "6", "refused", "it crashed", START)


def test_a_damaged_ledger_is_said_and_no_reason_to_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "ledger.json"
    file.write_text("{")
    notice = SoftwareNotice(ReleaseStore(tmp_path), file)
    assert not notice.has_changed()
    assert not notice.has_changed()
    assert len(caplog.records) == 1


def test_a_checkout_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENSORMASK_PREFIX", raising=False)
    assert SoftwareNotice.of_this_program() is None
