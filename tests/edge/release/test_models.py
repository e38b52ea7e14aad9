from __future__ import annotations

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from convert.files import write_archive
from edge.classify.card import DEFAULT_BUNDLE, load_bundle
from edge.detect.card import FOLDER
from edge.detect.detectors import OWN, identify, open_detector
from edge.errors import ModelError
from edge.eyes import EYES_FILE
from edge.installed import Slot
from edge.release.models import install, slot_of
from edge.release.store import ReleaseStore
from tests.edge.detect.test_detectors import spoiled

BUNDLE = ("model.tflite", "model.json")
DETECTOR = ("detector.onnx", "detector.json")


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "opt")


def packed(files: Mapping[str, bytes]) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()


def archive_of(source: Path, names: tuple[str, ...], folder: Path) -> tuple[bytes, str]:
    """What the conversion writes of a copy of `source`."""
    copied = shutil.copytree(source, folder / source.name)
    path, sha256 = write_archive(copied, names)
    return path.read_bytes(), sha256


def test_what_root_installs_with_a_closed_umask_the_service_can_read(
    store: ReleaseStore, tmp_path: Path
) -> None:
    content, sha256 = archive_of(DEFAULT_BUNDLE, BUNDLE, tmp_path)
    store.prefix.mkdir()
    before = os.umask(0o077)
    try:
        slot, name = install(store, content, sha256, "file")
    finally:
        os.umask(before)
    folder = store.folder(slot, name)
    for each in (store.shelf(slot), folder, *folder.iterdir()):
        assert each.stat().st_mode & 0o004, each
    with pytest.raises(ModelError, match=f"did you mean {name}\\?"):
        slot_of(store, name[:-1])


def test_what_the_conversion_packs_can_be_installed_and_used(
    store: ReleaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slot, source, names in (
        (Slot.BUNDLE, DEFAULT_BUNDLE, BUNDLE),
        (Slot.DETECTOR, FOLDER, DETECTOR),
    ):
        content, sha256 = archive_of(source, names, tmp_path / slot)
        found, name = install(store, content, sha256, "file")
        assert (found, name.startswith("tensormask-")) == (slot, True)
        assert name.endswith(sha256[:8])
        assert install(store, content, sha256, "file") == (slot, name)
        assert store.installed(slot) == [name]
        assert slot_of(store, name) is slot
        store.point(slot, name)
    monkeypatch.setenv("TENSORMASK_PREFIX", str(store.prefix))
    assert load_bundle().folder == store.prefix / "bundle"
    assert open_detector().name == "tensormask"
    assert identify().sha256 == OWN.weights.files[0].sha256
    (store.prefix / "detector" / "detector.json").unlink()
    with pytest.raises(ModelError, match=r"detector.json: No such file"):
        open_detector()


def test_a_bundle_may_bring_what_its_eyes_miss(store: ReleaseStore, tmp_path: Path) -> None:
    files = {name: (DEFAULT_BUNDLE / name).read_bytes() for name in BUNDLE}
    content, sha256 = packed(files | {EYES_FILE: b"{}"})
    slot, name = install(store, content, sha256, "file")
    assert {each.name for each in store.folder(slot, name).iterdir()} == {*BUNDLE, EYES_FILE}
    content, sha256 = packed(files | {"another.json": b"{}"})
    with pytest.raises(ModelError, match=r"holds another\.json, model\.json, model\.tflite; "):
        install(store, content, sha256, "file")


def test_the_same_files_make_the_same_archive(tmp_path: Path) -> None:
    one = archive_of(FOLDER, DETECTOR, tmp_path / "one")
    assert archive_of(FOLDER, DETECTOR, tmp_path / "other") == one


def test_another_file_than_the_digest_says_is_refused(store: ReleaseStore) -> None:
    content, _ = packed({"x": b""})
    with pytest.raises(ModelError, match="damaged, or another file"):
        install(store, content, "0" * 64, "file")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "holds nothing"),
        ({"model.tflite": b"x"}, "holds model.tflite; a bundle's archive holds"),
        ({"../model.tflite": b"x", "model.json": b"{}"}, r"holds ../model.tflite, model.json;"),
        ({"model.tflite": b"x", "model.json": b"{}"}, "model.json"),
        ({"detector.onnx": b"x", "detector.json": b"{}"}, "detector.json"),
    ],
)
def test_what_is_no_model_is_refused_and_leaves_nothing(
    store: ReleaseStore, files: dict[str, bytes], reason: str
) -> None:
    content, sha256 = packed(files)
    with pytest.raises(ModelError, match=reason):
        install(store, content, sha256, "file")
    assert [*store.prefix.rglob("*.json"), *store.prefix.rglob(".new.*")] == []


def test_a_model_that_is_not_what_its_card_says_is_refused(store: ReleaseStore) -> None:
    network = bytearray((FOLDER / "detector.onnx").read_bytes())
    network[len(network) // 2] ^= 64
    card = (FOLDER / "detector.json").read_bytes()
    content, sha256 = packed({"detector.onnx": bytes(network), "detector.json": card})
    with pytest.raises(ModelError, match="not the network of its description"):
        install(store, content, sha256, "file")
    changed = card.replace(
        OWN.weights.files[0].sha256.encode(), hashlib.sha256(b"garbage").hexdigest().encode()
    )
    content, sha256 = packed({"detector.onnx": b"garbage", "detector.json": changed})
    with pytest.raises(ModelError, match="cannot read the network"):
        install(store, content, sha256, "file")


def test_a_network_that_brings_a_process_down_is_refused(store: ReleaseStore) -> None:
    network = spoiled((FOLDER / "detector.onnx").read_bytes())
    card = (FOLDER / "detector.json").read_bytes()
    card = card.replace(
        OWN.weights.files[0].sha256.encode(), hashlib.sha256(network).hexdigest().encode()
    )
    content, sha256 = packed({"detector.onnx": network, "detector.json": card})
    with pytest.raises(ModelError, match="brings down the process that uses it"):
        install(store, content, sha256, "file")
    assert store.installed(Slot.DETECTOR) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"x" * 100, packed({"x": b"y"})[0][:-9]],
    ids=["empty", "short", "other", "cut off"],
)
def test_what_is_no_archive_is_refused(store: ReleaseStore, content: bytes) -> None:
    with pytest.raises(ModelError, match="no zip archive that can be read"):
        install(store, content, hashlib.sha256(content).hexdigest(), "file")


def test_a_small_archive_that_unpacks_to_a_large_one_is_refused(store: ReleaseStore) -> None:
    content, sha256 = packed({"model.tflite": bytes(2**26), "model.json": b"{}"})
    with pytest.raises(ModelError, match="unpacks to more than 32 MB"):
        install(store, content, sha256, "file")


def test_an_unknown_model_is_answered_with_those_that_are_there(store: ReleaseStore) -> None:
    with pytest.raises(ModelError, match="no model 'x' is installed; there is none"):
        slot_of(store, "x")
