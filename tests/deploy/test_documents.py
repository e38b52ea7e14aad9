"""The documents that install.sh puts on the machine: their links lead somewhere there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deploy.pack import PARTS

ROOT = Path(__file__).resolve().parents[2]


def _installed() -> list[str]:
    """The parts of the checkout that install.sh copies."""
    found = re.search(r"-c (edge [\w .-]+) \|", (ROOT / "deploy" / "install.sh").read_text())
    assert found is not None
    return found[1].split()


def test_what_is_packed_for_boxes_without_internet_is_what_is_installed() -> None:
    """Or one release had two names."""
    assert list(PARTS) == _installed()


@pytest.mark.parametrize("start", ["docs/operating.md"])
def test_every_link_leads_to_what_is_installed(start: str) -> None:
    seen: set[Path] = set()
    waiting = [ROOT / start]
    lost = []
    while waiting:
        document = waiting.pop()
        seen.add(document)
        for link in re.findall(r"\]\((?!https:)([^)#:]+)", document.read_text()):
            target = (document.parent / link).resolve()
            part = target.relative_to(ROOT).parts[0]
            if not target.exists() or part not in _installed():
                lost.append(f"{document.relative_to(ROOT)}: {link}")
            elif target.suffix == ".md" and target not in seen:
                waiting.append(target)
    assert len(seen) > 3
    assert lost == []


def test_keys_that_are_made_in_the_checkout_are_not_for_git() -> None:
    names = ["authority/ca.key", "authority/clients/door-1.crt", "ca.key", "elsewhere/door.key"]
    answer = subprocess.run(
        ["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode == 128:
        pytest.skip("no checkout of git")
    assert answer.stdout.split() == names
