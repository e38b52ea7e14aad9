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
    command = [sys.executable, "-m", "tests.repeatedly", "--times=2", "--", "-n0", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = done.stdout.splitlines()
    assert said[-3:-1] == ["2 runs", "   1 of 2  test_it::test_wrong_the_first_time"]
    assert "too early" in said[-1]
