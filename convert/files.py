"""The files that the steps pass each other, by name, and how they are written and read.

A kill leaves the old file or the new one, never half of one.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from edge.errors import ConfigError

KERAS_FILE = "model.keras"
TFLITE_FILE = "model.tflite"
DETECTOR_FILE = "detector.onnx"
SPLIT_FILE = "split.json"
BOXED_SPLIT_FILE = "split-boxed.json"
HELD_OUT_FILE = "held-out.json"
HISTORY_FILE = "history.json"
REPORT_FILE = "report.html"

_INSIDE_AN_ITEM = re.compile(rb"\n(?: {3,}|  (?=[]}]))")
"""The ends of lines inside an item of a field, in JSON that is indented by 1."""

_Document = TypeVar("_Document", bound=msgspec.Struct)


def write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def write_archive(folder: Path, names: Sequence[str]) -> tuple[Path, str]:
    """Pack the folder's files of these names into a zip file beside it; return it and its sha256.

    The same files make the same archive: it has no times of its own.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    path = folder.with_suffix(".zip")
    write_atomically(path, packed.getvalue())
    return path, hashlib.sha256(packed.getvalue()).hexdigest()


def write_document(path: Path, document: msgspec.Struct) -> None:
    """Write the document as JSON: a line for each field, and for each item of a list or table."""
    indented = msgspec.json.format(msgspec.json.encode(document), indent=1)
    write_atomically(path, _INSIDE_AN_ITEM.sub(b"", indented) + b"\n")


def read_checkpoint(path: Path, kind: type[_Document], recipe: msgspec.Struct) -> _Document | None:
    """Read what a run that was stopped has left; None: nothing.

    Raises ConfigError when it is damaged, or its `recipe` is another one.
    """
    if not path.exists():
        return None
    try:
        state = msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: {error}; delete the file to start again") from error
    if getattr(state, "recipe", None) != recipe:
        raise ConfigError(
            f"{path}: of a run with other pictures or options; give the same ones to go on, "
            "another --output, or --fresh to start again"
        )
    return state


def read_document(path: Path, kind: type[_Document], step: str) -> _Document:
    """Read the document that `step` wrote. Raises ConfigError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; `{step}` writes it") from error
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{path}: not written by `{step}` ({error}); delete it and run `{step}` again"
        ) from error
