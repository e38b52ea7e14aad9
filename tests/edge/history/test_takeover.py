"""What earlier releases kept for the page is taken over once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.history.records import Alert, HourTotals, Place
from edge.history.store import FILE, HistoryBatch, HistoryReader, HistoryWriter
from edge.history.takeover import NAME, take_over
from edge.records import Verdict, ViolationKind

BEGAN = 491_000
AT = datetime.fromtimestamp(BEGAN * 3600, UTC)
HOUR = {"began": BEGAN, "watched_s": 1800, "masked": 8, "bare": 1, "worn_wrongly": 0, "unknown": 2}
TOLD = {
    "event_id": "event 1",
    "kind": "bare",
    "started_at": AT.isoformat(),
    "duration_s": 9.5,
    "probability": 0.93,
    "is_over": False,
}


def test_hours_and_alerts_are_taken_over_once_and_the_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / FILE
    writer = HistoryWriter(path)
    for _ in range(2):  # as after a crash between writing and removing
        (tmp_path / NAME).write_text(json.dumps({"hours": [HOUR], "told": [TOLD]}))
        take_over(path, writer.write)
        assert not (tmp_path / NAME).exists()
    end = AT + timedelta(hours=1)
    with HistoryReader(path) as reader:
        assert reader.hours(AT, end) == [
            HourTotals(
                BEGAN,
                1800.0,
                {Verdict.BARE: 1, Verdict.MASKED: 8, Verdict.UNKNOWN: 2},
            )
        ]
        assert {each.seconds for each in reader.watched(AT, end)} == {30}
        over_at = AT + timedelta(seconds=9.5)
        assert reader.alerts(AT, end) == [
            Alert("event 1", Place(), ViolationKind.BARE, AT, AT, over_at, 9.5, 0.93)
        ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"hours": 3}',
        b"\xff",
        b'{"hours": [{"began": 1e30}]}',
        b'{"x":' + b"[" * 60_000,
    ],
)
def test_a_damaged_file_is_logged_and_removed(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).write_bytes(content)
    written: list[HistoryBatch] = []
    take_over(tmp_path / FILE, written.append)
    assert written == []
    assert "history.json: damaged" in caplog.text
    assert not (tmp_path / NAME).exists()
