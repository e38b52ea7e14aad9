"""`make demo`: the whole road, as a process of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.processes import Running
from tests.waiting import DEADLINE_S, Stopwatch, until

ROOT = Path(__file__).resolve().parents[2]
CLIP_S = 4.0
DEMO = (sys.executable, "-m", "deploy.demo")


def test_it_shows_a_violation_and_how_many_messages_came() -> None:
    answer = subprocess.run(DEMO, cwd=ROOT, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "NO MASK" in answer.stdout
    assert answer.stdout.splitlines()[-1].endswith("1 violation among them")


def test_before_a_screen_the_page_is_opened_and_it_goes_on_until_it_is_stopped(
    tmp_path: Path,
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >{opened}.new; mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    ours, theirs = pty.openpty()
    before_a_screen = os.environ | {"DISPLAY": ":9", "BROWSER": f"{browser} %s"}
    with Running(DEMO, cwd=ROOT, stdout=theirs, stderr=theirs, env=before_a_screen) as demo:
        os.close(theirs)
        until(lambda: opened.exists() or demo.poll() is not None, "a page that is opened")
        with urllib.request.urlopen(opened.read_text().strip(), timeout=DEADLINE_S) as page:
            assert b"Live view" in page.read()
        said = b""
        while b"NO MASK" not in said:
            said += os.read(ours, 65536)
        with pytest.raises(subprocess.TimeoutExpired):
            demo.wait(CLIP_S + 2)
        demo.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # how a terminal ends
            while part := os.read(ours, 65536):
                said += part
        assert demo.wait(DEADLINE_S) == 0, said
    os.close(ours)
    assert b"messages received" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("/dev/video63", "demo: /dev/video63: no such device; is the camera plugged in?"),
        ("rtsp://127.0.0.1:9/x", "demo: rtsp://127.0.0.1:9: Connection refused"),
        ("it's.mp4", "it's.mp4 is no file or folder here"),
    ],
)
def test_a_source_without_pictures_ends_it_with_the_reason(source: str, reason: str) -> None:
    stopwatch = Stopwatch()
    answer = subprocess.run([*DEMO, f"--source={source}"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode != 0
    assert reason in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert stopwatch.elapsed_s < 30, "well before the service would give a camera up"


def test_a_broker_that_is_none_is_reported() -> None:
    answer = subprocess.run([*DEMO, "--broker=a:b:c"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 78
    assert answer.stderr == "demo: 'a:b:c' is no broker; give HOST, HOST:PORT or [IPv6]:PORT\n"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with Running(DEMO, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"broker")
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
