"""`make demo`: the whole road, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = (sys.executable, "-m", "deploy.demo")


def test_it_shows_a_violation_and_how_many_messages_came() -> None:
    answer = subprocess.run(DEMO, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "NO MASK" in answer.stdout
    assert answer.stdout.splitlines()[-1].endswith("1 violation(s) among them")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("/dev/video63", "demo: /dev/video63: no such device; is the camera plugged in?"),
        ("rtsp://127.0.0.1:9/x", "demo: rtsp://127.0.0.1:9: Connection refused"),
        ("it's.mp4", "it's.mp4 is no file or folder here"),
    ],
)
def test_a_source_without_pictures_ends_it_with_the_reason(source: str, reason: str) -> None:
    began_s = time.monotonic()
    answer = subprocess.run(
        [*DEMO, f"--source={source}"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode != 0
    assert reason in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert time.monotonic() - began_s < 30, "well before the service would give a camera up"


def test_a_broker_that_is_none_is_told() -> None:
    answer = subprocess.run([*DEMO, "--broker=a:b:c"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 78
    assert answer.stderr == "demo: a:b:c: no broker; give HOST, HOST:PORT or [IPv6]:PORT\n"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"broker")
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
