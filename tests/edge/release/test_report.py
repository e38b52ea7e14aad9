from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.host.status_file import NAME, StatusFile, read_telemetry
from edge.release.observed import ServiceReport
from edge.release.report import MAX_BYTES, STALE_AFTER, Reports
from edge.telemetry import (
    BrokerState,
    CameraState,
    CameraStatus,
    OutboxState,
    Pace,
    Telemetry,
)
from tests.edge.samples import TELEMETRY

WELL = ServiceReport(
    *(True, True, True, 180, False, 31.5), frame_ms=60.0, fps=15.0, camera_fps=15.0, rss_bytes=1
)


def test_what_the_service_writes_is_what_a_trial_goes_by(tmp_path: Path) -> None:
    StatusFile(tmp_path).write(TELEMETRY)
    assert Reports(tmp_path / NAME).read() == WELL


def test_every_figure_is_the_one_that_it_is_called(tmp_path: Path) -> None:
    old = replace(
        TELEMETRY, outbox=OutboxState(rows=1, oldest_age_s=7.5), fps=14.0, rss_bytes=150_000_000
    )
    StatusFile(tmp_path).write(old)
    report = Reports(tmp_path / NAME).read()
    assert report is not None
    scan, total = TELEMETRY.latencies["scan"], TELEMETRY.latencies["total"]
    # A scan's picture always has the same size: its median. Few frames are scanned: of all, the
    # 95th percentile.
    assert (report.scan_ms, report.frame_ms) == (scan.p50, total.p95)
    assert (report.fps, report.camera_fps) == (14.0, 15.0)
    assert (report.oldest_s, report.rss_bytes) == (7.5, 150_000_000)


@pytest.mark.parametrize(
    ("changed", "report"),
    [
        (
            replace(TELEMETRY, camera=CameraStatus(CameraState.LOST, 1, None, None, False)),
            replace(WELL, camera_runs=False, camera_fps=None),
        ),
        (
            replace(TELEMETRY, broker=BrokerState(False, 1, "none"), latencies={}),
            replace(WELL, broker_connected=False, scan_ms=None, frame_ms=None),
        ),
        (
            replace(TELEMETRY, outbox=OutboxState(is_refused=True), paused_for_s=60.0),
            replace(WELL, disk_takes=False, is_held_back=True),
        ),
        (
            replace(TELEMETRY, pace=Pace(4.0)),
            replace(WELL, is_held_back=True),
        ),
    ],
)
def test_each_condition_is_reported(
    tmp_path: Path, changed: Telemetry, report: ServiceReport
) -> None:
    StatusFile(tmp_path).write(changed)
    assert Reports(tmp_path / NAME).read() == report


def test_a_service_that_hangs_says_nothing(tmp_path: Path) -> None:
    reports = Reports(tmp_path / NAME)
    assert reports.read() is None
    StatusFile(tmp_path).write(TELEMETRY)
    readings = [reports.read() for _ in range(STALE_AFTER + 1)]
    assert None not in readings[:-1]
    assert readings[-1] is None
    StatusFile(tmp_path).write(replace(TELEMETRY, uptime_s=13.5))
    assert reports.read() is not None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: b"",
        lambda whole: b"{",
        lambda whole: b"[1]",
        lambda whole: b'{"uptime_s": "x"}',
        lambda whole: b"\xff" * 100,
        lambda whole: whole[:-40],
        lambda whole: whole.replace(b'"running"', b'"run\xffing"'),
        lambda whole: whole.replace(b"12.5", b"1e999"),
        lambda whole: whole.replace(b"180", b"9" * 60_000),
        lambda whole: b'{"later":' + b"[" * 60_000,
        lambda whole: whole + b" " * MAX_BYTES,
        lambda whole: b" " * MAX_BYTES + whole,
    ],
    ids=[
        *("empty", "a brace", "a list", "text", "bytes", "cut off", "a wrong byte", "infinite"),
        *("a long number", "deep", "long after", "long before"),
    ],
)
def test_what_cannot_be_read_is_nothing_and_brings_nobody_down(
    tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    StatusFile(tmp_path).write(TELEMETRY)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(spoil(whole))
    assert Reports(tmp_path / NAME).read() in (None, WELL)
    assert read_telemetry(tmp_path / NAME) in (None, TELEMETRY)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _unreadable(path: Path) -> None:
    path.mkdir()


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _circular(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("put", [_pipe, _unreadable, _endless, _circular])
def test_what_is_no_file_is_nothing_and_holds_nobody_up(
    tmp_path: Path, put: Callable[[Path], None]
) -> None:
    put(tmp_path / NAME)
    assert Reports(tmp_path / NAME).read() is None
    assert read_telemetry(tmp_path / NAME) is None


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
