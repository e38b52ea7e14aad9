from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.installed import Slot, activated, installation
from edge.release.store import OWN, ReleaseStore


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    for age, name in enumerate(("0.1.0-aaaa", "0.2.0-bbbb", "0.3.0-cccc")):
        folder = tmp_path / "releases" / name
        folder.mkdir(parents=True)
        os.utime(folder, (1e9 + age, 1e9 + age))
    (tmp_path / "releases" / ".new.x8h2").mkdir()
    return ReleaseStore(tmp_path)


def test_a_link_names_what_is_in_use(store: ReleaseStore) -> None:
    assert store.current(Slot.RELEASE) == OWN
    store.point(Slot.RELEASE, "0.1.0-aaaa")
    store.point(Slot.RELEASE, "0.2.0-bbbb")
    assert store.current(Slot.RELEASE) == "0.2.0-bbbb"
    assert (store.prefix / "current").resolve() == store.folder(Slot.RELEASE, "0.2.0-bbbb")
    store.point(Slot.RELEASE, OWN)
    assert store.current(Slot.RELEASE) == OWN


def test_what_a_kill_has_left_is_no_hindrance_and_no_release(store: ReleaseStore) -> None:
    (store.prefix / "current.new").symlink_to("nowhere")
    store.point(Slot.RELEASE, "0.1.0-aaaa")
    assert store.current(Slot.RELEASE) == "0.1.0-aaaa"
    assert store.installed(Slot.RELEASE) == ["0.3.0-cccc", "0.2.0-bbbb", "0.1.0-aaaa"]


def test_a_name_that_is_not_there_is_answered_with_those_that_are(store: ReleaseStore) -> None:
    store.require(Slot.RELEASE, "0.2.0-bbbb")
    for name in ("0.2.0-bbbc", "../releases/0.2.0-bbbb", "0.2.0-bbbb/", "."):
        with pytest.raises(ConfigError, match=r"there is 0\.3\.0-cccc"):
            store.require(Slot.RELEASE, name)


def test_the_oldest_go_but_nothing_that_is_needed(store: ReleaseStore) -> None:
    assert store.prune(Slot.RELEASE, 1, {"0.1.0-aaaa"}) == ["0.2.0-bbbb"]
    assert store.installed(Slot.RELEASE) == ["0.3.0-cccc", "0.1.0-aaaa"]
    assert store.prune(Slot.BUNDLE, 1, set()) == []


def test_a_checkout_belongs_to_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENSORMASK_PREFIX", raising=False)
    assert installation() is None
    assert activated(Slot.BUNDLE) is None


def test_an_installed_program_finds_the_model_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORMASK_PREFIX", str(tmp_path))
    assert activated(Slot.BUNDLE) is None
    (tmp_path / "bundles" / "tensormask-4").mkdir(parents=True)
    ReleaseStore(tmp_path).point(Slot.BUNDLE, "tensormask-4")
    assert activated(Slot.BUNDLE) == tmp_path / "bundle"
