"""What an installation carries: a package that is not listed is only missing on the device."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_package_of_the_program_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = (file.parent.relative_to(ROOT) for file in (ROOT / "edge").rglob("__init__.py"))
    here = sorted(".".join(folder.parts) for folder in folders)
    assert sorted(project["tool"]["setuptools"]["packages"]) == here
