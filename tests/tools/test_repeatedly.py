from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT


def test_it_tells_how_often_which_test_failed(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(
        "from pathlib import Path\n"
        "def test_right(): pass\n"
        "def test_wrong_the_first_time():\n"
        f"    mark = Path({str(tmp_path / 'mark')!r})\n"
        "    was_there = mark.exists()\n"
        "    mark.touch()\n"
        "    assert was_there, 'too early'\n"
    )
    # Below `make test` it would say which folder it enters and leaves.
    command = [
        "make",
        "--no-print-directory",
        "--old-file=dev",
        "test-repeatedly",
        f"DEV={sys.prefix}",
    ]
    done = subprocess.run(
        [*command, "TIMES=2", f"ARGS=-n0 {file}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    runs, failure, words = done.stdout.splitlines()[-3:]
    assert runs == "2 runs"
    assert failure.startswith("   1 of 2  ")
    assert failure.endswith("test_it::test_wrong_the_first_time")
    assert "too early" in words
