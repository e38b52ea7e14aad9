"""Python packages that are missing, damaged or of another Python: said in one line, exit 72.

Nothing here imports any of them.
"""

from __future__ import annotations

import importlib.metadata
import traceback
from pathlib import Path

from edge.errors import MissingPackageError
from edge.installed import installation

NATIVE = ("msgspec", "numpy", "opencv-python-headless", "ai-edge-litert", "ml_dtypes", "protobuf")
"""Those with libraries: one that was cut off, as by a full disk, would end the process by SIGBUS
while it is loaded."""
MOST_CHARACTERS = 200


def refuse_damaged() -> None:
    """Compare the libraries' sizes with what was installed. Raises MissingPackageError.

    A package that is missing altogether is reported by its import.
    """
    for name in NATIVE:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in (distribution.read_text("RECORD") or "").splitlines():
            file, _, size = line.rpartition(",")
            file = file.rpartition(",")[0].strip('"')
            if size.isdecimal() and _is_looked_at(file):
                path = Path(str(distribution.locate_file(file)))
                there = path.stat().st_size if path.exists() else None
                if there != int(size):
                    what = "is missing" if there is None else f"has {there} bytes, not {size}"
                    raise MissingPackageError(_sentence(name, f"{path} {what}"))


def _is_looked_at(file: str) -> bool:
    """Libraries, and the file without which Python takes a folder for an empty package."""
    return ".so" in file or (file.endswith("/__init__.py") and file.count("/") == 1)


def as_missing(error: Exception) -> MissingPackageError | None:
    """Return what an error is that was raised while a module was imported; None for any other."""
    frames = traceback.extract_tb(error.__traceback__)
    if not isinstance(error, ImportError) and all(each.name != "<module>" for each in frames):
        return None
    # numpy says pages of advice, and why in the cause of it.
    reason = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    name = getattr(reason, "name", None) or _package_of(frames) or "package"
    text = " ".join(str(reason).split()) or type(reason).__name__
    return MissingPackageError(_sentence(name.partition(".")[0], text[:MOST_CHARACTERS]))


def _package_of(frames: traceback.StackSummary) -> str:
    """Return the name of the package whose file an error was raised in, or could not be read."""
    for frame in reversed(frames):
        _, is_there, inside = frame.filename.rpartition("-packages/")
        if is_there:
            return inside.partition("/")[0]
    return ""


def _sentence(name: str, reason: str) -> str:
    cure = "sudo deploy/install.sh" if installation() else "make venv"
    return (
        f"the Python package {name} is missing or damaged ({reason}); install the packages again: "
        f"{cure}"
    )
