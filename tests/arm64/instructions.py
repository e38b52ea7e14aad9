"""What the road takes in instructions, by an emulator that counts them: `make arm64-counts`.

Debian's emulator takes no plugins: one that does is built from Debian's source, once.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.arm64.conftest import BUILD, CLIP, PYTHON, Pair
from tests.arm64.emulation import built_qemu

# ruff: noqa: T201 - figures, shown with -s

pytestmark = pytest.mark.timeout(7200)

HERE = Path(__file__).parent
CPUS = ("cortex-a72", "cortex-a76")
"""A Pi 4, a Pi 5. A Pi Zero 2 W has a cortex-a53, which has the instructions of the first."""
COUNTING = "/srv/counting"


def test_count(pair: Pair) -> None:
    qemu = built_qemu(BUILD / "arm64")
    linked = subprocess.run(["ldd", qemu], check=True, capture_output=True, text=True).stdout
    libraries = [Path(word) for word in linked.split() if word.startswith("/")]
    (libc,) = (library for library in libraries if library.name == "libc.so.6")
    # Which libc looks for when a thread ends.
    libraries.append(libc.with_name("libgcc_s.so.1"))
    for library in libraries:
        # Where it is looked for: not where programs for arm64 have theirs.
        pair.arm.copy(library, str(library))
    pair.arm.copy(qemu, f"{COUNTING}/qemu")
    pair.arm.copy(qemu.with_name("count.so"), f"{COUNTING}/count.so")
    pair.arm.copy(HERE / "counts.py", f"{COUNTING}/counts.py")
    networks = []
    if network := os.environ.get("NETWORK"):
        pair.arm.copy(Path(network), f"{COUNTING}/network.tflite")
        networks = [f"{COUNTING}/network.tflite"]
    for cpu in CPUS:
        counts = f"{COUNTING}/{cpu}"
        answer = pair.arm.install(
            *("env", "PYTHONPATH=/opt/tensormask/current", f"{COUNTING}/qemu", "-cpu", cpu),
            *("-plugin", f"{COUNTING}/count.so,out={counts}"),
            *(PYTHON, f"{COUNTING}/counts.py", counts, CLIP, *networks),
            timeout_s=3600,
        )
        print(f"\n{pair.release}, {cpu}: millions of instructions")
        for step, classes in json.loads(answer.stdout).items():
            figures = ", ".join(f"{name} {count:.2f}" for name, count in classes.items())
            print(f"{step}: {sum(classes.values()):.2f} ({figures})")
