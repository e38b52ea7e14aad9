"""What install.sh and uninstall.sh refuse; what they do is in tests/systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture(scope="module")
def deploy() -> Iterator[Path]:
    """A copy that nobody may read: the checkout may lie below a folder of root's alone."""
    with TemporaryDirectory() as folder:
        root = Path(__file__).resolve().parents[2]
        copy = Path(shutil.copytree(root / "deploy", Path(folder) / "deploy"))
        (Path(folder) / "edge").mkdir()
        for source in (root / "edge").glob("*.py"):
            shutil.copy(source, Path(folder) / "edge")
        subprocess.run(["chmod", "--recursive", "a+rX", folder], check=True)
        yield copy


def _run(*command: str | Path) -> tuple[int, str]:
    answer = _as_nobody(*command)
    return answer.returncode, answer.stderr


def _as_nobody(
    *command: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """So that no test can change this machine."""
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*as_nobody, "bash", *command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_only_root_may(deploy: Path, script: str) -> None:
    assert _run(deploy / script) == (
        1,
        f"deploy/{script}: run it as root: sudo deploy/{script}\n",
    )


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        (["--brokre", "x"], "unknown option --brokre; did you mean --broker?; see: "),
        (["--sources=0"], "unknown option --sources; did you mean --source?; see: "),
        (["broker.example"], "unknown option broker.example; see: "),
        (["--broker"], "--broker takes a value; see: "),
        (["--broker", "--prepare"], "--broker takes a value; see: "),
        (["--broker="], "--broker takes a value; see: "),
        (["--broker", "a", "--broker=b"], "--broker is given twice"),
        (["--wheels", "/nowhere"], "--wheels takes a folder"),
        (
            ["--broker", "mqtt://broker"],
            "--broker: give HOST, HOST:PORT or [IPv6]:PORT, without mqtt",
        ),
        (["--broker", "a b"], "--broker: give HOST, HOST:PORT or [IPv6]:PORT: a name has letters"),
        (["--source", "rtsp:/camera"], "--source: rtsp:/camera is no file or folder here; give "),
    ],
)
def test_what_is_mistyped_is_refused_before_anything_is_done(
    deploy: Path, arguments: list[str], refused: str
) -> None:
    status, error = _run(deploy / "install.sh", *arguments)
    assert (status, error.splitlines()) == (1, [error.rstrip("\n")])
    assert error.startswith(f"deploy/install.sh: {refused}")


@pytest.mark.parametrize("argument", ["--purgee", "--prug", "x"])
def test_nothing_is_removed_for_a_mistyped_option(deploy: Path, argument: str) -> None:
    status, error = _run(deploy / "uninstall.sh", argument)
    hint = "; did you mean --purge?" if argument != "x" else ""
    assert (status, error) == (
        1,
        f"deploy/uninstall.sh: unknown option {argument}{hint}; "
        "usage: sudo deploy/uninstall.sh [--purge]\n",
    )


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_help_is_the_scripts_own_head(deploy: Path, script: str) -> None:
    said = _as_nobody(deploy / script, "--help").stdout
    assert f"sudo deploy/{script} [--" in said
    assert "#" not in said
    assert "set -euo" not in said


def test_a_path_before_the_folders_name_leads_nowhere_else(deploy: Path) -> None:
    """`cd deploy/..` would follow CDPATH, and print where it went."""
    elsewhere = deploy.parent / "elsewhere"
    (elsewhere / "deploy").mkdir(parents=True)
    twice = ("deploy/install.sh", "--broker", "a", "--broker", "b")
    answer = _as_nobody(*twice, cwd=deploy.parent, CDPATH=str(elsewhere))
    assert answer.stderr == "deploy/install.sh: --broker is given twice\n"
