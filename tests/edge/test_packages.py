"""Every command, where a Python package is missing, damaged or of another Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(sysconfig.get_path("purelib"))
COMMANDS = ("status", "models list", "check --config CONFIG", "run --config CONFIG", "--version")
WITH_NUMPY = ("models list", "check --config CONFIG", "run --config CONFIG")
"""Each command loads what it needs, and no more."""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with what the program imports, as links that a test may replace by copies."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for each in PACKAGES.iterdir():
        (folder / each.name).symlink_to(each)
    return folder


def _copied(packages: Path, name: str) -> Path:
    """Return a copy of a package that may be damaged."""
    path = packages / name
    path.unlink()
    shutil.copytree(PACKAGES / name, path, symlinks=True)
    return path


def _said(packages: Path, command: str, tmp_path: Path) -> tuple[int, str]:
    config = tmp_path / "tensormask.toml"
    config.write_text('[mqtt]\nhost = "127.0.0.1"\nport = 1\n[camera]\nsource = "/dev/null"\n')
    words = command.replace("CONFIG", str(config)).split()
    # Without the environment's own packages: no site module.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "edge", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{packages}", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr or done.stdout.splitlines(True)[-1]


def _refused(packages: Path, name: str, tmp_path: Path, commands: tuple[str, ...]) -> None:
    for command in commands:
        status, said = _said(packages, command, tmp_path)
        assert (status, said.count("\n")) == (72, 1), f"{command}: {status}\n{said}"
        assert said.startswith(f"tensormask: the Python package {name} is missing or damaged (")
        assert said.endswith("); install the packages again: make venv\n")


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("msgspec", COMMANDS),
        ("numpy", COMMANDS),
        ("cv2", ("check --config CONFIG", "run --config CONFIG", "replay clip.mp4")),
        ("paho", ("check --config CONFIG", "run --config CONFIG", "watch --broker localhost")),
        ("ai_edge_litert", ("check --config CONFIG",)),
        ("shtab", ("completion bash",)),
    ],
)
def test_a_package_that_is_missing(
    name: str, commands: tuple[str, ...], packages: Path, tmp_path: Path
) -> None:
    (packages / name).unlink()
    for each in packages.glob("*.dist-info"):  # pip knows nothing of it either
        if (each / "top_level.txt").exists() and name in (each / "top_level.txt").read_text():
            each.unlink()
    for command in commands:
        status, said = _said(packages, command, tmp_path)
        assert (status, said.count("\n")) == (72, 1), f"{command}: {status}\n{said}"


@pytest.mark.parametrize("name", ["numpy", "msgspec", "cv2"])
def test_a_library_that_was_cut_off(name: str, packages: Path, tmp_path: Path) -> None:
    library = max(_copied(packages, name).rglob("*.so"), key=lambda each: each.stat().st_size)
    content = library.read_bytes()
    library.unlink()
    library.write_bytes(content[: len(content) // 2])
    distribution = {"cv2": "opencv-python-headless"}.get(name, name)
    _refused(packages, distribution, tmp_path, COMMANDS)


def test_a_package_for_another_python(packages: Path, tmp_path: Path) -> None:
    folder = _copied(packages, "numpy")
    for library in folder.rglob("*.so"):
        library.rename(library.with_name(library.name.replace("cpython-3", "cpython-2")))
    for each in packages.glob("numpy-*.dist-info"):
        each.unlink()
    _refused(packages, "numpy", tmp_path, WITH_NUMPY)


@pytest.mark.parametrize("damage", [b"", b"def (", b"\0\0\0", b"raise RuntimeError('two\\nlines')"])
def test_a_module_whose_text_is_damaged(damage: bytes, packages: Path, tmp_path: Path) -> None:
    module = _copied(packages, "msgspec") / "__init__.py"
    module.unlink()
    module.write_bytes(damage)
    _refused(packages, "msgspec", tmp_path, COMMANDS)


def test_all_that_is_needed_is_there(packages: Path, tmp_path: Path) -> None:
    """Or the tests above show nothing."""
    assert _said(packages, "--version", tmp_path)[0] == 0
    assert _said(packages, "models list", tmp_path)[0] == 0
