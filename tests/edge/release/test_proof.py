"""Who asks a release to prove itself: with real processes, of programs of a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.installed import Slot
from edge.release import proof
from edge.release.proof import KNOWN_BY, Proof
from edge.release.store import ReleaseStore

GOOD = "exit 0"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseStore:
    # Where it is installed, the service's user does not get at this folder.
    monkeypatch.setattr(proof, "USER", "nobody of this name")
    return ReleaseStore(tmp_path)


def released(store: ReleaseStore, name: str, does: str) -> None:
    """Have a release of that name, whose program does this when it is to prove itself."""
    folder = store.folder(Slot.RELEASE, name)
    (folder / KNOWN_BY).parent.mkdir(parents=True)
    (folder / KNOWN_BY).touch()
    program = folder / "tensormask"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        (GOOD, None),
        ("echo 'tensormask: it finds nobody' >&2; exit 1", "it finds nobody"),
        ("kill -SEGV $$", "it brings down the process that uses it (SIGSEGV)"),
        ("exit 70", "exit status 70"),
        ("exec sleep 60", "it does not judge the test clip within 1 s"),
    ],
)
def test_what_a_release_says_or_how_it_ends_is_the_reason(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch, does: str, reason: str | None
) -> None:
    monkeypatch.setattr(proof, "TIMEOUT_S", 1.0)
    released(store, "former", GOOD)
    released(store, "new", does)
    store.point(Slot.RELEASE, "former")
    assert Proof(store)(Slot.RELEASE, "new") == reason


def test_where_the_former_does_no_better_the_new_one_is_not_to_blame(store: ReleaseStore) -> None:
    for name in ("former", "new"):
        released(store, name, "exit 1")
    store.point(Slot.RELEASE, "former")
    assert Proof(store)(Slot.RELEASE, "new") is None


def test_a_release_from_before_there_was_a_proof_is_not_asked(store: ReleaseStore) -> None:
    released(store, "former", GOOD)
    released(store, "old", "exit 2")
    (store.folder(Slot.RELEASE, "old") / KNOWN_BY).unlink()
    store.point(Slot.RELEASE, "former")
    assert Proof(store)(Slot.RELEASE, "old") is None


def test_a_model_is_proven_by_the_release_in_use_with_the_other_model_in_use(
    store: ReleaseStore,
) -> None:
    for slot, name in ((Slot.BUNDLE, "new-bundle"), (Slot.DETECTOR, "used-detector")):
        store.folder(slot, name).mkdir(parents=True)
    says = 'cd "$4" && echo $(readlink bundle) $(readlink detector) >&2 && test ! -e bundle'
    released(store, "former", says)
    store.point(Slot.RELEASE, "former")
    store.point(Slot.DETECTOR, "used-detector")
    reason = Proof(store)(Slot.BUNDLE, "new-bundle")
    assert reason is not None
    assert reason.split() == [
        str(store.folder(Slot.BUNDLE, "new-bundle")),
        str(store.folder(Slot.DETECTOR, "used-detector")),
    ]
