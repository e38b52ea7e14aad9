from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.installed import Slot
from edge.release.ledger import (
    MOST_ENTRIES,
    Baseline,
    Ledger,
    RunningTrial,
    TrialEntry,
    TrialOutcome,
    read_ledger,
    write_ledger,
)
from tests.fakes import START


def entry(name: str, outcome: TrialOutcome, slot: Slot = Slot.RELEASE) -> TrialEntry:
    return TrialEntry(slot, name, outcome, "why", START)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "below" / "ledger.json"
    assert read_ledger(path) == Ledger()
    trial = RunningTrial(Slot.RELEASE, "b", "a", START, Baseline(camera_runs=True, scan_ms=30.0))
    ledger = Ledger(entries=(entry("a", TrialOutcome.ACTIVATED),)).with_trial(trial)
    write_ledger(ledger, path)
    assert read_ledger(path) == ledger
    assert path.stat().st_mode & 0o777 == 0o644


def test_another_versions_keys_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    write_ledger(Ledger(entries=(entry("a", TrialOutcome.KEPT),)), path)
    path.write_text(path.read_text().replace('"entries"', '"since": 7, "entries"'))
    assert read_ledger(path).entries[0].name == "a"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"\xff", b'{"trial": {"slot": "x"}}', b'{"x":' + b"[" * 60_000),
        b'{"entries": [{"slot": "release", "name": "\xff"}]}',
    ],
    ids=["empty", "a brace", "a list", "a byte", "another slot", "deep", "a wrong byte in a name"],
)
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"ledger.json: damaged .* remove it"):
        read_ledger(path)


def test_refused_is_what_the_last_entry_says(tmp_path: Path) -> None:
    ledger = Ledger().with_entry(entry("b", TrialOutcome.REFUSED))
    refused = ledger.refused(Slot.RELEASE, "b")
    assert refused is not None
    assert refused.reason == "why"
    assert ledger.refused(Slot.BUNDLE, "b") is None
    assert ledger.with_entry(entry("b", TrialOutcome.KEPT)).refused(Slot.RELEASE, "b") is None


def test_the_former_is_what_ran_and_was_not_given_up() -> None:
    ledger = Ledger()
    for name, outcome in (
        ("a", TrialOutcome.ACTIVATED),
        ("b", TrialOutcome.KEPT),
        ("c", TrialOutcome.REFUSED),
        ("d", TrialOutcome.INTERRUPTED),
        ("e", TrialOutcome.KEPT),
    ):
        ledger = ledger.with_entry(entry(name, outcome))
    assert ledger.former(Slot.RELEASE, "e", "abcde") == "b"
    assert ledger.former(Slot.RELEASE, "e", "acde") == "a", "b is not there any more"
    assert ledger.former(Slot.RELEASE, "e", "cde") is None
    left = ledger.with_entry(entry("e", TrialOutcome.ROLLED_BACK))
    assert (
        left.with_entry(entry("b", TrialOutcome.ACTIVATED)).former(Slot.RELEASE, "b", "ab") == "a"
    )
    assert ledger.former(Slot.DETECTOR, "e", "ab") is None


def test_a_model_goes_back_to_the_one_that_comes_with_the_release_where_that_ran_before() -> None:
    ledger = Ledger(
        entries=tuple(
            TrialEntry(Slot.BUNDLE, name, TrialOutcome.KEPT, "", START) for name in ("a", "", "b")
        )
    )
    assert ledger.former(Slot.BUNDLE, "b", ["a", "b"]) == ""


def test_it_does_not_grow_without_a_bound() -> None:
    ledger = Ledger()
    for number in range(MOST_ENTRIES + 5):
        ledger = ledger.with_entry(entry(str(number), TrialOutcome.KEPT))
    assert [each.name for each in ledger.entries] == [str(n) for n in range(5, MOST_ENTRIES + 5)]
