# ruff: noqa: T201 - a command line module
"""Packs a release and its packages for devices that have no internet: `make pack`.

    python -m deploy.pack FOLDER --python 3.11 --machine aarch64

The archive holds what `deploy/install.sh` needs, and below `wheels` every package for that Python
and machine, each checked against the digests of requirements-pi.txt. A line of JSON names it.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from deploy.lock import HASH, TARGETS, Target, is_pin

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("edge", "deploy", "docs", "systemd", "LICENSE", "requirements-pi.txt")
"""As `deploy/install.sh` takes them over."""
REQUIREMENTS = "requirements-pi.txt"


def pack(output: Path, target: Target) -> dict[str, str]:
    """Make the archive in `output`, unless it is there; return what it is.

    Raises CalledProcessError when pip cannot get a package; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tensormask"
        copy_release(tree)
        tag = f"cpython-{target.python.replace('.', '')}"
        name = _output(tree / "deploy" / "release_name.sh", tree, tag)
        path = output / f"tensormask-{name}-{tag}-{target.machine}.tar.gz"
        if not path.exists():
            output.mkdir(parents=True, exist_ok=True)
            shutil.copytree(_wheels(tree / REQUIREMENTS, target, output), tree / "wheels")
            fresh = path.with_name(f"{path.name}.new")
            fresh.write_bytes(_archived(tree))
            fresh.replace(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"release": name, "file": str(path.resolve()), "sha256": sha256}


def copy_release(tree: Path) -> None:
    """Make the folder `tree` with what a release is made of."""
    tree.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / part)
    if (ROOT / ".git").exists():
        describe = ("git", "-C", ROOT, "-c", "safe.directory=*", "describe", "--always", "--dirty")
        commit = _output(*describe, "--exclude=*")
        (tree / "edge" / "commit").write_text(f"{commit}\n")


def _wheels(requirements: Path, target: Target, output: Path) -> Path:
    """Return the folder with the packages, fetched once for all releases with the same."""
    pins = "".join(_pins(requirements, target))
    digest = hashlib.sha256(f"{pins} {target}".encode()).hexdigest()[:12]
    wheels = output / f"wheels-{digest}"
    if not wheels.exists():
        with tempfile.TemporaryDirectory(dir=output) as folder:
            _download(pins, target, Path(folder) / "wheels")
            (Path(folder) / "wheels").rename(wheels)
    return wheels


def _download(pins: str, target: Target, wheels: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(pins)
        wanted.flush()
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
            *("--disable-pip-version-check", "--no-deps", "--require-hashes"),
            *("--only-binary=:all:", f"--python-version={target.python}"),
            *(f"--platform={platform}" for platform in target.platforms),
            *("--requirement", wanted.name, "--dest", str(wheels)),
        ]
        subprocess.run(command, check=True, stdout=sys.stderr)


def _pins(requirements: Path, target: Target) -> Iterator[str]:
    """Return those that the target wants, with their digests, without the markers that say so."""
    wanted = False
    for line in requirements.read_text().splitlines():
        text = line.removesuffix("\\").rstrip()
        if is_pin(text) and not line.startswith(HASH):
            pin = Requirement(text)
            wanted = target.wants(pin)
            text = f"{pin.name}{pin.specifier}"
        elif not line.startswith(HASH):
            continue
        if wanted:
            yield f"{text} \\\n" if line.endswith("\\") else f"{text}\n"


def _archived(tree: Path) -> bytes:
    """Return the tree as an archive that is the same for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(tree.rglob("*")):
            entry = archive.gettarinfo(path, str(path.relative_to(tree)))
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
            if entry.isdir():
                archive.addfile(entry)
            else:
                with path.open("rb") as file:
                    archive.addfile(entry, file)
    return gzip.compress(packed.getvalue(), 6, mtime=0)


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack a release for devices without internet.")
    parser.add_argument("output", type=Path, metavar="FOLDER")
    parser.add_argument("--python", choices=[t.python for t in TARGETS], required=True)
    parser.add_argument("--machine", choices=["aarch64", "x86_64"], default="aarch64")
    options = parser.parse_args()
    (target,) = (
        each for each in TARGETS if (each.python, each.machine) == (options.python, options.machine)
    )
    print(json.dumps(pack(options.output, target)))


if __name__ == "__main__":
    main()
