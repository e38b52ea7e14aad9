"""Models that come without a release: archives that are checked, tried once, and put beside others.

An archive is a zip file of a bundle's two files (`python -m convert bundle` writes it) or of a
detector's two (`python -m convert detector bundle`).
"""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import cv2

from edge.address import did_you_mean
from edge.classify import card as bundle_card
from edge.classify.card import load_bundle
from edge.classify.classifier import MaskClassifier
from edge.config import ClassifierSettings
from edge.detect import card as detector_card
from edge.durable import replace_file
from edge.errors import ModelError
from edge.eyes import EYES_FILE
from edge.installed import Slot
from edge.isolated import attempt
from edge.release.store import NAME, ReleaseStore

MAX_BYTES = 32 * 1024 * 1024
"""Of an archive, and of what is in it."""
CONTENTS = {
    Slot.BUNDLE: {bundle_card.MODEL_FILE, bundle_card.CARD_FILE},
    Slot.DETECTOR: {detector_card.NETWORK_FILE, detector_card.CARD_FILE},
}

MAY_HOLD = {Slot.BUNDLE: {EYES_FILE}, Slot.DETECTOR: set[str]()}
"""What may be in it beside these."""


def install(store: ReleaseStore, archive: bytes, sha256: str, origin: str) -> tuple[Slot, str]:
    """Put the model beside the others; return its slot and name. What is there already stays.

    Raises ModelError when the archive is not the one that `sha256` names, is none, or holds what
    does not run here.
    """
    found = hashlib.sha256(archive).hexdigest()
    if found != sha256.lower():
        raise ModelError(f"{origin}: sha256 is {found}, not {sha256}: damaged, or another file")
    files = _unpacked(archive, origin)
    slot = next(
        (each for each in CONTENTS if CONTENTS[each] == files.keys() - MAY_HOLD[each]), None
    )
    if slot is None:
        raise ModelError(
            f"{origin}: holds {', '.join(sorted(files)) or 'nothing'}; a bundle's archive holds "
            f"model.tflite and model.json, perhaps {EYES_FILE}, a detector's detector.onnx and "
            "detector.json"
        )
    store.shelf(slot).mkdir(parents=True, exist_ok=True)
    store.shelf(slot).chmod(0o755)  # whatever umask sudo has: the service is to read what is there
    fresh = Path(tempfile.mkdtemp(prefix=".new.", dir=store.shelf(slot)))
    try:
        fresh.chmod(0o755)
        for name, content in files.items():
            replace_file(fresh / name, content, 0o644)
        name = f"{_tried(slot, fresh)}-{found[:8]}"
        if not NAME.fullmatch(name):
            raise ModelError(f"{origin}: its name and version, {name!r}, cannot be a folder's name")
        if name not in store.installed(slot):
            fresh.rename(store.folder(slot, name))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return slot, name


def slot_of(store: ReleaseStore, name: str) -> Slot:
    """Return which kind of model that is. Raises ModelError: of none."""
    there = {each: slot for slot in CONTENTS for each in store.installed(slot)}
    if name not in there:
        known = ", ".join(sorted(there)) or "none"
        near = did_you_mean(name, there)
        raise ModelError(f"no model {name!r} is installed; there is {known}{near}")
    return there[name]


def _unpacked(archive: bytes, origin: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            if sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise ModelError(f"{origin}: unpacks to more than {MAX_BYTES // 2**20} MB")
            return {each.filename: _read(opened, each) for each in entries if not each.is_dir()}
    # zipfile's own error, and what it lets through.
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelError(f"{origin}: no zip archive that can be read ({error})") from error


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return no more than the archive says: the sizes in it may be forged."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename} does not have the size that the archive says")
    return content


def _tried(slot: Slot, folder: Path) -> str:
    """Return name and version of a model that answers as it should. Raises ModelError.

    It answers in another process: what is damaged may bring down the one that uses it.
    """
    name = _named(slot, folder)
    try:
        attempt("edge.release.models", slot, str(folder))
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    return name


def _named(slot: Slot, folder: Path) -> str:
    """Return name and version of a model that is what its description says. Raises ModelError."""
    if slot is Slot.BUNDLE:
        bundle = load_bundle(folder).card
        return f"{bundle.name}-{bundle.version}"
    card = detector_card.read_card(folder)
    network = (folder / detector_card.NETWORK_FILE).read_bytes()
    if hashlib.sha256(network).hexdigest() != card.sha256:
        raise ModelError(f"{detector_card.NETWORK_FILE} is not the network of its description")
    return f"{card.name}-{card.version}"


def main(slot: str, folder: str) -> int:
    """Have the model answer its self-test."""
    try:
        if slot == Slot.BUNDLE:
            MaskClassifier(load_bundle(folder), ClassifierSettings())
        else:
            card = detector_card.read_card(Path(folder))
            network = (Path(folder) / detector_card.NETWORK_FILE).read_bytes()
            detector_card.self_test(network, card.golden)
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except cv2.error as error:
        reason = f"OpenCV {cv2.__version__} cannot read the network ({error.err})"
        sys.stderr.write(" ".join(reason.split()) + "\n")
        return ModelError.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
