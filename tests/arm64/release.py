"""A release on arm64, as a Pi gets it: `make arm64`.

Installed by its own script from the packed wheels, in Debian's userlands, emulated; started there
by a real systemd; and beside the same release on this machine's processor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.arm64.conftest import EMULATED, PYTHON, ROOT, Pair
from tests.arm64.suite import fetch_packages

# ruff: noqa: T201 - figures, shown with -s

pytestmark = pytest.mark.timeout(3600)

MOST_STEPS = 1
"""Of 256 of a probability that an answer of the network may be off."""
MOST_PX, MOST_CONFIDENCE = 0.05, 0.001
"""How far a detection may be off."""
STEPS = ("classify", "control", "decide", "detect", "host", "publish", "release")
READERS = ("clip", "folder", "pictures", "rotate", "view")
MODULES = ("address", "config", "durable", "look", "records", "track")
TESTS = (
    *(f"tests/edge/{step}" for step in STEPS),
    *(f"tests/edge/capture/test_{reader}.py" for reader in READERS),
    *(f"tests/edge/test_{module}.py" for module in MODULES),
)
"""What calculates, reads or keeps something. The rest starts whole programs repeatedly, which
would take hours here; that they run is what the service above has shown."""
PACKAGES = "/srv/packages"
PROJECT = "/srv/project"


def test_it_judges_as_on_this_processor(pair: Pair) -> None:
    arm, here = pair.report("arm"), pair.report("here")
    assert arm["runtimes"] == here["runtimes"]
    print(f"\n{pair.release}: {', '.join(arm['runtimes'])}")
    assert decisions(arm["clip"]) == decisions(here["clip"])
    # Decoding is the only step that gives something else.
    assert arm["pictures"] == here["pictures"]


def decisions(documents: list[Any]) -> list[Any]:
    """Return what was reported and when, for how many people."""
    *told, _ = documents
    return [(each["state"], each["kind"], each["track_id"], each["at"]) for each in told]


@pytest.mark.parametrize("inputs", ["golden", "patterns", "noise", "crops"])
def test_its_network_answers_as_on_this_processor(pair: Pair, inputs: str) -> None:
    arm, here = (
        np.array(pair.report(processor)["answers"][inputs], int) for processor in ("arm", "here")
    )
    off = np.abs(arm - here)
    print(
        f"\n{pair.release}, {inputs}: {off.any(1).sum()} of {len(off)} differ, by {off.max()} steps"
    )
    assert off.max() <= MOST_STEPS
    assert (arm.argmax(1) == here.argmax(1)).all()


def test_its_detector_finds_the_same_faces(pair: Pair) -> None:
    arm, here = pair.report("arm")["finds"], pair.report("here")["finds"]
    for size in here:
        assert [len(faces) for faces in arm[size]] == [len(faces) for faces in here[size]]
        off = np.abs(rows(arm[size]) - rows(here[size])).max(0)
        print(f"\n{pair.release}, {size}: off by {off[:4].max():.4f} px, {off[4]:.6f}")
        assert off[:4].max() <= MOST_PX
        assert off[4] <= MOST_CONFIDENCE


def rows(finds: list[list[list[float]]]) -> NDArray[np.float64]:
    return np.array([face for faces in finds for face in faces])


def test_it_takes_the_memory_that_it_takes_here(pair: Pair) -> None:
    """Of its own; what it maps of the libraries' code is another for each processor."""
    arm, here = pair.report("arm")["memory_mb"], pair.report("here")["memory_mb"]
    for name, memory in (("arm64", arm), ("here", here)):
        print(f"\n{pair.release}, {name}: {memory['anonymous']:.0f} + {memory['file']:.0f} MB")
    assert arm["anonymous"] < 1.2 * here["anonymous"]


def test_its_service_watches_and_tells(pair: Pair) -> None:
    pair.arm.boot()
    pair.arm.run("systemctl", "start", "mosquitto.service", "tensormask.service", timeout_s=900)
    violation = ("mosquitto_sub", "-C", "1", "-W", "600", "-t", "+/+/violation")
    told = pair.arm.run(*violation, timeout_s=900)
    assert json.loads(told.stdout)["kind"] == "bare"
    check = pair.arm.run(*EMULATED, "tensormask", "check", "--here", timeout_s=900)
    assert [line.split()[1] for line in check.stdout.splitlines()] == ["ok"] * 5
    pair.arm.power_off()


def test_its_own_tests_pass(pair: Pair, tmp_path: Path) -> None:
    fetch_packages(pair.userland.target, tmp_path / "packages")
    pair.arm.copy(tmp_path / "packages", PACKAGES)
    for part in ("convert", "deploy", "docs", "edge", "pyproject.toml", "systemd", "tests"):
        pair.arm.copy(ROOT / part, f"{PROJECT}/{part}")
    answer = pair.arm.install(
        *("sh", "-ec", f'cd {PROJECT}; exec "$@"', "sh"),
        *("env", "CI=", f"PYTHONPATH={PACKAGES}", PYTHON, "-m", "pytest", "-p", "no:cacheprovider"),
        *("--timeout=1200", *TESTS),
        timeout_s=3600,
    )
    print(f"\n{pair.release}: {answer.stdout.splitlines()[-1]}")
