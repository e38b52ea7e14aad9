from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.host.status_file import NAME, StatusFile
from edge.release.judge import Report
from edge.release.report import STALE_AFTER, Reports
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    OutboxState,
    Pace,
    Telemetry,
)
from tests.edge.samples import TELEMETRY


def test_what_the_service_writes_is_what_a_trial_goes_by(tmp_path: Path) -> None:
    StatusFile(tmp_path).write(TELEMETRY)
    assert Reports(tmp_path / NAME).read() == Report(True, True, True, 180, False, 31.5)


@pytest.mark.parametrize(
    ("changed", "report"),
    [
        (
            replace(TELEMETRY, camera=CameraStatus(CameraState.LOST, 1, None, None, False)),
            Report(False, True, True, 180, False, 31.5),
        ),
        (
            replace(TELEMETRY, broker=BrokerState(False, 1, "none"), latencies={}),
            Report(True, False, True, 180, False, None),
        ),
        (
            replace(TELEMETRY, outbox=OutboxState(is_refused=True), paused_for_s=60.0),
            Report(True, True, False, 180, True, 31.5),
        ),
        (
            replace(TELEMETRY, pace=Pace(4.0)),
            Report(True, True, True, 180, True, 31.5),
        ),
    ],
)
def test_each_condition_is_told(tmp_path: Path, changed: Telemetry, report: Report) -> None:
    StatusFile(tmp_path).write(changed)
    assert Reports(tmp_path / NAME).read() == report


def test_a_service_that_stands_still_says_nothing(tmp_path: Path) -> None:
    reports = Reports(tmp_path / NAME)
    assert reports.read() is None
    StatusFile(tmp_path).write(TELEMETRY)
    readings = [reports.read() for _ in range(STALE_AFTER + 1)]
    assert None not in readings[:-1]
    assert readings[-1] is None
    StatusFile(tmp_path).write(replace(TELEMETRY, uptime_s=13.5))
    assert reports.read() is not None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"uptime_s": "x"}', b"\xff" * 100])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert Reports(tmp_path / NAME).read() is None


def test_without_a_directory_nothing_is_written_and_a_full_one_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    StatusFile.from_environment({}).write(TELEMETRY)
    away = StatusFile.from_environment({"RUNTIME_DIRECTORY": f"{tmp_path}/away"})
    away.write(TELEMETRY)
    away.write(TELEMETRY)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/away/{NAME}: No such file or directory"
    ]
