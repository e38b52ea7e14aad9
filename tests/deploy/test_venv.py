"""deploy/venv.sh, which the Makefile and install.sh use."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "venv.sh"


def _venv(*arguments: str | Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        env=os.environ | {"PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A package of our own, so that no registry is asked."""
    _package(tmp_path, "1.0")
    (tmp_path / "requirements.txt").write_text(f"{tmp_path}/tmx-1.0-py3-none-any.whl\n")
    return tmp_path / "requirements.txt"


def _package(folder: Path, version: str) -> None:
    with zipfile.ZipFile(folder / f"tmx-{version}-py3-none-any.whl", "w") as wheel:
        info = f"tmx-{version}.dist-info"
        wheel.writestr("tmx.py", f"version = {version!r}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tmx\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def _installed(venv: Path) -> str:
    code = "import tmx; print(tmx.version)"
    return subprocess.run(
        [venv / "bin/python", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_installs_once_and_again_only_after_a_change(tmp_path: Path, requirements: Path) -> None:
    venv = tmp_path / "venv"
    first = _venv(venv, requirements)
    assert (first.returncode, _installed(venv)) == (0, "1.0"), first.stderr
    again = _venv(venv, requirements)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    _package(tmp_path, "2.0")
    requirements.write_text(requirements.read_text().replace("1.0", "2.0"))
    assert _venv(venv, requirements).returncode == 0
    assert _installed(venv) == "2.0"


def test_an_unfinished_environment_is_finished_the_next_time(
    tmp_path: Path, requirements: Path
) -> None:
    right = requirements.read_text()
    requirements.write_text("./is-not-here.whl\n")
    assert _venv(tmp_path / "venv", requirements).returncode != 0
    requirements.write_text(right)
    assert _venv(tmp_path / "venv", requirements).returncode == 0
    assert _installed(tmp_path / "venv") == "1.0"


def test_system_packages_are_seen_only_when_asked_for(tmp_path: Path, requirements: Path) -> None:
    settings = tmp_path / "venv" / "pyvenv.cfg"
    _venv(tmp_path / "venv", requirements)
    assert "include-system-site-packages = false" in settings.read_text()
    _venv(tmp_path / "venv", "--system-site-packages", requirements)
    assert "include-system-site-packages = true" in settings.read_text()


@pytest.mark.parametrize("arguments", [(), ("venv",), ("venv", "--upgrade", "requirements.txt")])
def test_wrong_arguments_are_refused(arguments: tuple[str, ...]) -> None:
    answer = _venv(*arguments)
    assert answer.returncode == 1
    assert answer.stderr.startswith("deploy/venv.sh: ")
    assert len(answer.stderr.splitlines()) == 1


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    answer = _venv(tmp_path / "venv", "requirements.txt", python=str(old))
    assert (answer.returncode, answer.stderr) == (
        1,
        f"deploy/venv.sh: {old} is older than 3.11; set PYTHON to a newer one\n",
    )
