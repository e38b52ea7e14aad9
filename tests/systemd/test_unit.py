"""The unit file by itself: no systemd has to run for this."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "tensormask.service"

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="no systemd-analyze: sudo apt-get install systemd",
)


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here: verify wants to find it."""
    lines = UNIT.read_text().splitlines()
    start = next(line for line in lines if line.startswith("ExecStart=/"))
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(start, "ExecStart=/bin/true"))
    return copy


def test_the_unit_is_without_fault(unit: Path) -> None:
    # An unknown key is only printed, with status 0.
    answer = _analyze("verify", str(unit))
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_drop_in_that_reboots_is_without_fault(unit: Path) -> None:
    folder = unit.with_name(f"{unit.name}.d")
    folder.mkdir()
    drop_in = folder / "reboot-when-camera-lost.conf"
    drop_in.write_text((UNIT.parent / drop_in.name).read_text())
    answer = _analyze("verify", str(unit))
    assert (answer.returncode, answer.stderr) == (0, "")
    drop_in.write_text(drop_in.read_text().replace("ExecStopPost", "ExecStoppedPost"))
    assert "ExecStoppedPost" in _analyze("verify", str(unit)).stderr


def test_a_misspelt_directive_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchDogSec="))
    assert "WatchDogSec" in _analyze("verify", str(unit)).stderr


@pytest.mark.parametrize(("threshold", "status"), [("20", 0), ("5", 1)])
def test_the_sandbox_is_tight(unit: Path, threshold: str, status: int) -> None:
    """An exposure of 2.0 at most; and 0.5, which no service of the kind reaches, is refused."""
    answer = _analyze("security", "--offline=true", f"--threshold={threshold}", str(unit))
    assert answer.returncode == status, answer.stdout[-200:]


def test_whatever_is_left_open_is_explained(unit: Path) -> None:
    answer = _analyze("security", "--offline=true", "--json=short", str(unit))
    left_open = {row["name"] for row in json.loads(answer.stdout) if row["set"] is False}
    table = (ROOT / "docs" / "decisions" / "0013-guards.md").read_text().replace("\\|", "|")
    unexplained = {name for name in left_open if f"`{name}`" not in table}
    assert len(left_open) > 5
    assert not unexplained
