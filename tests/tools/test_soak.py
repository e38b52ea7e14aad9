from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.needs import lacking

_NEEDED = {"mosquitto": "mosquitto", "cc": "gcc", "unshare": "util-linux", "ip": "iproute2"}


def test_a_short_soak_loses_nothing(tmp_path: Path) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin"
    for program, package in _NEEDED.items():
        if shutil.which(program, path=path) is None:
            lacking(f"no {program}", f"sudo apt-get install {package}")
    command = [sys.executable, "-m", "tools.soak", "--minutes=0.15", "--seed=1"]
    done = subprocess.run(
        [*command, f"--folder={tmp_path / 'soak'}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("nothing lost, nothing altered\n")
    counts = dict(re.findall(r"^ *(\S.*?) +(\d+)$", done.stdout, re.MULTILINE))
    assert int(counts["by SIGKILL"]) > 0
    assert int(counts["received"]) > 0
