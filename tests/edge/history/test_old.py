"""What earlier versions have written is read and gone on with by this one."""

from __future__ import annotations

import hashlib
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from edge.history.keeper import HistoryKeeper, quarantined_files
from edge.history.schema import VERSIONS
from edge.history.store import FILE, HistoryBatch, HistoryReader
from tests.edge.history.old import DATA, END, NOON, SAID, rows

OLD = sorted(DATA.glob("version-*.sqlite"))
DIGESTS = ("d56a28483b52af58", "a9161898610aec4c", "ee943915f7a23a91", "b4fe6b291176066b")
"""Of the statements of each version: those that boxes have been made with never change."""


def read(path: Path) -> HistoryBatch:
    period = NOON, END + timedelta(days=1)
    with HistoryReader(path) as reader:
        return HistoryBatch(
            reader.people(*period),
            reader.watched(*period),
            reader.alerts(*period),
            reader.conditions(*period),
            reader.journal(*period),
            reader.sight(*period),
        )


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a database that an earlier version has left."""
    shutil.copyfile(request.param, tmp_path / FILE)
    return tmp_path / FILE


def test_there_is_a_file_of_each_version() -> None:
    assert [each.stem for each in OLD] == [f"version-{n}" for n in range(1, len(VERSIONS) + 1)]


def test_the_statements_of_a_version_never_change() -> None:
    made = [hashlib.sha256(each.encode()).hexdigest()[:16] for each in VERSIONS]
    assert made == list(DIGESTS), "add a version instead"


def test_an_old_file_is_read(old: Path) -> None:
    assert read(old) == rows()
    with HistoryReader(old) as reader:
        assert reader.acknowledgements(NOON, END) == [SAID]


def test_an_old_file_is_gone_on_with(old: Path) -> None:
    keeper = HistoryKeeper(old, 400)
    keeper.write(HistoryBatch(people=rows().people))
    keeper.close()
    now = read(old)
    assert [each.visits for each in now.people] == [4, 14]
    assert (now.alerts, now.journal) == (rows().alerts, rows().journal)
    assert quarantined_files(old) == []
