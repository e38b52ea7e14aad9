# ruff: noqa: T201 - a command line module
"""Writes the hashes into the lists of pinned packages: `make lock`, after a pin has been changed.

pip says which wheel it would install on each machine that we run on, and the registry's index which
digest that file has. pip is asked for no source: what must be built would fetch what builds it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HASH = "    --hash=sha256:"


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that pip chooses wheels for."""

    python: str
    glibc_minor: int
    machine: str

    @property
    def platforms(self) -> list[str]:
        """Its tags, the newest first, as pip has them on the machine itself."""
        newest = [f"manylinux_2_{minor}" for minor in range(self.glibc_minor, 4, -1)]
        older = ["manylinux2014", "manylinux2010", "manylinux1", "linux"]
        return [f"{tag}_{self.machine}" for tag in newest + older]

    def wants(self, requirement: Requirement) -> bool:
        environment = {"python_version": self.python, "platform_machine": self.machine}
        return requirement.marker is None or requirement.marker.evaluate(environment)


TARGETS = [
    Target(python, glibc_minor, machine)
    # Debian 12, Ubuntu 24.04, Debian 13.
    for (python, glibc_minor), machine in product(
        [("3.11", 36), ("3.12", 39), ("3.13", 41)], ["aarch64", "x86_64"]
    )
]


def main(paths: list[Path]) -> None:
    for path in paths:
        lines = unlocked(path.read_text())
        pins = [Requirement(line) for line in lines if is_pin(line)]
        found: dict[str, set[str]] = {str(pin): set() for pin in pins}
        for target in TARGETS:
            wanted = [pin for pin in pins if target.wants(pin)]
            hashes = chosen(wanted, target)
            for pin in wanted:
                found[str(pin)].add(hashes[canonicalize_name(pin.name)])
        path.write_text(locked(lines, found))
        print(f"{path}: {len(pins)} packages, {sum(map(len, found.values()))} files")


def is_pin(line: str) -> bool:
    return bool(line) and not line.startswith(("#", "-"))


def unlocked(text: str) -> list[str]:
    """Return the lines of a list without its hashes."""
    lines = (line.removesuffix("\\").rstrip() for line in text.splitlines())
    return [line for line in lines if not line.startswith(HASH)]


def locked(lines: Iterable[str], hashes: Mapping[str, set[str]]) -> str:
    """Return the list with the digests of each pin below it."""
    with_hashes = []
    for line in lines:
        digests = sorted(hashes[str(Requirement(line))]) if is_pin(line) else []
        with_hashes.append(" \\\n".join([line, *(HASH + digest for digest in digests)]))
    return "\n".join(with_hashes) + "\n"


def chosen(pins: Iterable[Requirement], target: Target) -> dict[str, str]:
    """Return the SHA-256 of the file that pip would install of each package.

    Raises CalledProcessError where there is none for `target`; pip has said so.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        # pip would judge the markers by the Python that it runs on.
        wanted.write_text("".join(f"{pin.name}{pin.specifier}\n" for pin in pins))
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input"),
                *("--disable-pip-version-check", "--dry-run", f"--report={report}"),
                *("--ignore-installed", "--no-deps", "--only-binary=:all:"),
                *(f"--target={folder}", f"--python-version={target.python}"),
                *(f"--platform={platform}" for platform in target.platforms),
                f"--requirement={wanted}",
            ],
            check=True,
        )
        packages = json.loads(report.read_text())["install"]
    return {
        canonicalize_name(package["metadata"]["name"]): package["download_info"]["archive_info"][
            "hashes"
        ]["sha256"]
        for package in packages
    }


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
