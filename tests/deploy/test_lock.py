"""deploy/lock.py, which writes the digests into the lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy.lock import TARGETS, locked, main, unlocked
from tests.deploy.wheels import digest, write_wheel

LIST = """# Why.
-r requirements-pi.txt

tmx==1.0
tmy==2.0; python_version < '3.12'
"""
DIGESTS = {"tmx==1.0": {"b" * 64, "a" * 64}, "tmy==2.0; python_version < '3.12'": {"c" * 64}}


def _by_its_text(digests: dict[str, set[str]]) -> dict[str, set[str]]:
    return {str(Requirement(line)): found for line, found in digests.items()}


def test_each_pin_gets_the_digests_of_its_files_and_the_rest_stays() -> None:
    assert locked(LIST.splitlines(), _by_its_text(DIGESTS)) == LIST.replace(
        "tmx==1.0\n",
        f"tmx==1.0 \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n",
    ).replace("'3.12'\n", f"'3.12' \\\n    --hash=sha256:{'c' * 64}\n")


def test_locking_again_changes_nothing() -> None:
    once = locked(LIST.splitlines(), _by_its_text(DIGESTS))
    assert locked(unlocked(once), _by_its_text(DIGESTS)) == once
    assert "\n".join(unlocked(once)) + "\n" == LIST


def test_a_pin_is_wanted_where_its_condition_holds() -> None:
    pin = Requirement("numpy==1.26.4; python_version < '3.12'")
    assert {target.python for target in TARGETS if target.wants(pin)} == {"3.11"}
    pin = Requirement("tensorflow-cpu==2.21.0; platform_machine == 'x86_64'")
    assert {target.machine for target in TARGETS if target.wants(pin)} == {"x86_64"}


def test_the_digests_are_of_the_files_that_pip_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pip as the maintainer has it, but for the registry: a folder.
    monkeypatch.setitem(os.environ, "PIP_NO_INDEX", "1")
    monkeypatch.setitem(os.environ, "PIP_FIND_LINKS", str(tmp_path))
    chosen = write_wheel(tmp_path, "tmx", "1.0")
    write_wheel(tmp_path, "tmx", "2.0")
    (tmp_path / "list.txt").write_text("tmx==1.0\n")
    main([tmp_path / "list.txt"])
    assert (tmp_path / "list.txt").read_text() == (
        f"tmx==1.0 \\\n    --hash=sha256:{digest(chosen)}\n"
    )
