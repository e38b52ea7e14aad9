"""Builds deploy/ansible as a collection that carries the release it brings: `make collection`.

    python -m deploy.collection FOLDER

`ansible-galaxy collection install` takes the archive, and its playbooks need no checkout.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.pack import ROOT, copy_release

ANSIBLE = ROOT / "deploy" / "ansible"
CARRIED = "release"
"""The folder of the collection in which the role looks for a release."""


def build(output: Path, galaxy: Path) -> None:
    """Leave the archive in `output`. Raises CalledProcessError when `ansible-galaxy` cannot."""
    with tempfile.TemporaryDirectory() as folder:
        collection = Path(folder) / "fleet"
        shutil.copytree(ANSIBLE, collection, ignore=shutil.ignore_patterns(".ansible"))
        shutil.copy(ROOT / "LICENSE", collection)
        copy_release(collection / CARRIED)
        command = [str(galaxy), "collection", "build", str(collection), "--force"]
        subprocess.run([*command, "--output-path", str(output)], check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give a folder: python -m deploy.collection FOLDER")
    build(Path(sys.argv[1]), Path(sys.executable).with_name("ansible-galaxy"))
