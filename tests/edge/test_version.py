from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.version import RELEASE, version_in
from tests.needs import lacking


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout" / "edge"
    folder.mkdir(parents=True)
    return folder


def test_an_installation_is_what_its_stamp_says(package: Path) -> None:
    (package / "commit").write_text("1a2b3c4\n")
    assert version_in(package) == f"{RELEASE}+g1a2b3c4"
    (package / "commit").write_text("1a2b3c4-dirty\n")
    assert version_in(package) == f"{RELEASE}+g1a2b3c4.dirty"


@pytest.mark.parametrize("stamp", ["$Format:%h$", "", "a commit; rm -rf", "ü"])
def test_without_a_stamp_it_is_the_release(package: Path, stamp: str) -> None:
    (package / "commit").write_text(stamp)
    assert version_in(package) == RELEASE


def test_two_commits_of_a_checkout_are_two_versions_and_so_is_a_change(package: Path) -> None:
    if shutil.which("git") is None:
        lacking("no git", "sudo apt-get install git")

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", "-C", str(package.parent), *identity, *arguments], check=True)

    git("init", "-q")
    seen = []
    for text in ("1", "2"):
        (package / "file").write_text(text)
        git("add", ".")
        git("commit", "-q", "-m", text)
        seen.append(version_in(package))
    (package / "file").write_text("3")
    seen.append(version_in(package))
    assert len(set(seen)) == 3
    assert seen[2] == seen[1] + ".dirty"
    assert all(version.startswith(f"{RELEASE}+g") for version in seen)
