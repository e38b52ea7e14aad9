"""The Makefile's own logic; what its targets call has tests elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/usr/bin/env", "make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={**os.environ, "CI": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("source", ["it's.mp4", "two words.mp4", "a$b$(c).mp4", '"q";`x`.mp4', "0"])
def test_a_source_reaches_the_demo_whatever_its_name(source: str, tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    answer = make("--old-file=venv", "demo", f"VENV={tmp_path}", f"SOURCE={source}", "BROKER=h:1")
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == ["-m", "deploy.demo", f"--source={source}", "--broker=h:1"]


def test_help_names_every_target_that_people_call() -> None:
    answer = make("help")
    assert answer.stderr == ""
    assert {"demo", "test", "check", "train"} <= {
        line.split()[1] for line in answer.stdout.splitlines()
    }


@pytest.fixture
def without_shellcheck(tmp_path: Path) -> str:
    """A PATH in which there is make and a shell, and no shellcheck."""
    for program in ("make", "sh"):
        found = shutil.which(program)
        assert found is not None
        (tmp_path / program).symlink_to(found)
    return str(tmp_path)


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 2)])
def test_a_missing_shellcheck_is_reported_and_fails_where_ci_promises_it(
    ci: str, status: int, without_shellcheck: str
) -> None:
    answer = make("check-shell", PATH=without_shellcheck, CI=ci)
    assert answer.returncode == status
    assert "not checked; get: sudo apt-get install shellcheck" in answer.stderr


def test_the_check_includes_the_shell_scripts() -> None:
    answer = make("--dry-run", "--old-file=dev", "check")
    assert "shellcheck deploy/*.sh" in answer.stdout
