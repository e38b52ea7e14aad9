"""What is built: the wheel has all of the program, and the sources all that builds and tests it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from edge.version import RELEASE

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """The names in the source distribution and in the wheel, made of a copy without git."""
    folder = tmp_path_factory.mktemp("built")
    sources = folder / "sources"
    ignored = shutil.ignore_patterns(
        ".git", ".venv*", "build", "*.egg-info", "__pycache__", ".*_cache"
    )
    shutil.copytree(ROOT, sources, ignore=ignored, symlinks=True)
    (sources / "edge" / "commit").write_text("1a2b3c4\n")
    for kind in ("build_sdist", "build_wheel"):
        command = [sys.executable, "-c", BUILD, kind, str(folder)]
        done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    (archive,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob(f"tensormask-{RELEASE}+g1a2b3c4-py3-none-any.whl")
    with tarfile.open(archive) as tar, zipfile.ZipFile(wheel) as package:
        names = {name.partition("/")[2] for name in tar.getnames()}
        return names, set(package.namelist())


def _files(folder: str) -> set[str]:
    return {
        str(file.relative_to(ROOT))
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_wheel_has_the_program_and_nothing_that_is_not_its_own(
    built: tuple[set[str], set[str]],
) -> None:
    _, wheel = built
    code = {name for name in wheel if ".dist-info/" not in name}
    assert code == _files("edge") | _files("convert")


def test_the_sources_build_and_have_their_tests(built: tuple[set[str], set[str]]) -> None:
    sources, _ = built
    for folder in ("edge", "convert", "deploy", "docs", "systemd", "tests", ".ci"):
        assert _files(folder) <= sources, folder
    assert {"Makefile", "setup.py", "README.md", "requirements-dev.txt", "LICENSE"} <= sources
