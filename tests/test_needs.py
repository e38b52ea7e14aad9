from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest
from tests.needs import lacking

@pytest.mark.parametrize("number", range(3))
def test_a_broker(number):
    lacking("no broker", "sudo apt-get install broker")

@pytest.mark.skipif(True, reason="no camera: plug one in")
def test_a_camera(): ...

def test_nothing(): ...
"""


def run_tests(folder: Path, **environment: str) -> str:
    (folder / "test_needs.py").write_text(TESTS)
    plain = {name: value for name, value in os.environ.items() if name != "CI"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest"]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", folder],
        cwd=ROOT,
        env=plain | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_what_was_skipped_is_reported_by_reason_at_the_end(tmp_path: Path) -> None:
    lines = run_tests(tmp_path).splitlines()
    heading = next(at for at, line in enumerate(lines) if " not run here " in line)
    assert lines[heading + 1 :] == [
        "3 tests: no broker: sudo apt-get install broker",
        "1 test: no camera: plug one in",
        lines[-1],
    ]
    assert lines[-1].startswith("1 passed, 4 skipped in ")


def test_where_ci_promises_all_nothing_may_lack(tmp_path: Path) -> None:
    assert "3 failed, 1 passed, 1 skipped in " in run_tests(tmp_path, CI="true")
