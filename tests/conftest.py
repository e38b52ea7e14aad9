"""What several tests need: real pictures, from a package or from the folder beside the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import clips
from tests.disk import SmallDisk
from tests.limits import RUN_S, Limits
from tests.needs import lacking
from tests.processes import Guardian, restore_signals
from tests.terminal import Terminal
from tests.waiting import DEADLINE_S

if TYPE_CHECKING:
    from playwright.sync_api import Browser


# The machine may be busy: how long an example takes says nothing.
settings.register_profile(
    "busy", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
)
settings.load_profile("busy")


LONG = (
    "convert/test_end_to_end.py",
    "systemd/test_releases.py",
    "systemd/test_install.py",
    "systemd/test_upgrade.py",
    "page/test_page.py",
    "systemd/test_people.py",
    "convert/detector/test_training.py",
    "systemd/test_service.py",
    "deploy/test_venv.py",
    "edge/test_process.py",
    "systemd/test_camera_lost.py",
    "systemd/test_doctor.py",
    "edge/commands/test_qualify.py",
    "edge/commands/test_replay.py",
    "deploy/test_receiver.py",
    "broker/test_outages.py",
    "edge/test_terminal.py",
)
"""Below tests: what takes a minute or nearly so, the longest first. What begins last is short then,
and no processor waits for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with LONG."""
    tests = Path(__file__).parent
    places = {tests / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_configure(config: pytest.Config) -> None:
    restore_signals()
    limits = Limits(config)
    if config.getoption("numprocesses", None):
        # The tests run in other processes.
        limits.end_after(RUN_S)
        config.add_cleanup(Guardian().end)
    else:
        config.pluginmanager.register(limits)


@pytest.fixture(scope="session", autouse=True)
def _nothing_outlives_us() -> Iterator[None]:
    guardian = Guardian()
    yield
    left = guardian.left_behind()
    guardian.end()
    assert left == [], "these still run after the last test"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was skipped, why, and what brings it."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("not run here")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")


@pytest.fixture(scope="session")
def carphone() -> Path:
    return clips.carphone()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real pictures, clips and weights: $TENSORMASK_SHARED, else `../shared`."""
    root = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("TENSORMASK_SHARED", root.parent / "shared"))
    if not folder.is_dir():
        lacking(
            f"no folder {folder.name} with real pictures, clips and weights",
            "TENSORMASK_SHARED=folder make test",
        )
    return folder


@pytest.fixture(scope="session")
def yunet_weights(shared: Path) -> Path:
    return shared / "weights" / "face_detection_yunet_2026may.onnx"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        lacking("no browser", "sudo apt-get install chromium")
    expect.set_options(timeout=1000 * DEADLINE_S)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield opened
        opened.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    try:
        disk = SmallDisk(folder, "1m")
    except subprocess.CalledProcessError as error:
        answer = error.stderr.decode().strip().replace(str(folder), "the folder")
        lacking(f"no file system can be mounted ({answer})", "sudo make test")
    yield disk
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def on_terminal() -> Iterator[type[Terminal]]:
    """Starts processes on terminals, and ends them with the test."""
    opened: list[Terminal] = []

    class Opened(Terminal):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type]
            opened.append(self)

    yield Opened
    for terminal in opened:
        terminal.close()
