"""Which cameras a machine has, before there is any package: a Pi's own, and those of V4L2."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

_PARTS_OF_THE_PI = re.compile(r"(bcm2835|rpi|rp1|pispbe|unicam)")


def is_pi(root: Path = Path("/")) -> bool:
    with contextlib.suppress(OSError):
        return b"Raspberry Pi" in (root / "proc/device-tree/model").read_bytes()
    return False


def has_pi_camera(root: Path = Path("/")) -> bool:
    """Return whether a Pi sees a camera on its ribbon; True also where nothing can tell."""
    if not is_pi(root):
        return False
    for program in ("rpicam-hello", "libcamera-hello"):
        if found := shutil.which(program):
            answer = subprocess.run(
                [found, "--list-cameras"], capture_output=True, text=True, check=False
            )
            return re.search(r"^\d+ : ", answer.stdout + answer.stderr, re.MULTILINE) is not None
    return True


def cameras(root: Path = Path("/")) -> dict[Path, str]:
    """Return each V4L2 camera's device and name, without the parts of a Pi's own video."""
    found = {}
    for device in sorted((root / "dev").glob("video[0-9]*")):
        about = root / "sys/class/video4linux" / device.name
        try:
            name = (about / "name").read_text().strip()
            is_first = (about / "index").read_text().strip() == "0"
        except OSError:
            continue
        # The others of a USB camera carry its metadata.
        if is_first and not _PARTS_OF_THE_PI.match(name):
            found[Path("/") / device.relative_to(root)] = name
    return found
