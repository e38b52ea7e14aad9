"""What the doctor says of the history."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from edge.commands.doctor.service import _owned, running
from edge.conditions import Code
from edge.keeping import HistoryFault, HistoryState
from tests.edge.samples import TELEMETRY


def test_what_was_quarantined_is_named_with_what_it_was(tmp_path: Path) -> None:
    for name in ("history.sqlite", "outbox.sqlite"):
        (tmp_path / f"{name}.damaged-20260101T000000Z").touch()
    found = [(each.code, each.text) for each in _owned(tmp_path, os.getuid())]
    assert found == [
        (
            Code.HISTORY_QUARANTINED,
            "a damaged history is quarantined: history.sqlite.damaged-20260101T000000Z; a new one "
            "was begun",
        ),
        (
            Code.OUTBOX_QUARANTINED,
            "a damaged outbox is quarantined: outbox.sqlite.damaged-20260101T000000Z",
        ),
    ]


def test_a_history_that_is_not_written_is_reported_with_what_to_do() -> None:
    full = HistoryState("/var/lib/tensormask/history.sqlite: database or disk is full")
    newer = HistoryState("written by a newer release", HistoryFault.NEWER)
    gone = HistoryState("it was removed while it was written", HistoryFault.LOST)
    locked = HistoryState("/var/lib/tensormask/history.sqlite: read-only", HistoryFault.READ_ONLY)
    for state, fix in (
        (full, "df -h"),
        (newer, "install that release again"),
        (gone, "stop the service before you move or restore"),
        (locked, "sudo chown tensormask:"),
    ):
        (fault,) = running(replace(TELEMETRY, history=state))
        assert fault.code is Code.HISTORY_FAILING
        assert fault.text == f"the history is not written: {state.trouble}"
        assert fix in fault.fix
