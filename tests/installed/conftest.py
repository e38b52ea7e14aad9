"""One box for all proofs of a Debian release; and browsers on it, and in the street before it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.installed.lab.box import Box, furnish, lay_release, unpacked
from tests.installed.lab.camera import Camera, refuse_without_gstreamer
from tests.installed.lab.roots import Root, root_of
from tests.installed.lab.street import Street
from tests.needs import lacking, refuse_without_machines
from tests.systemd.machine import Machine

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Start = Callable[[Street, str], Browser]

BUILD = Path(__file__).resolve().parents[2] / "build"
RELEASES = os.environ.get("RELEASE", "").split() or ["bookworm", "trixie"]


@pytest.fixture(scope="session", params=RELEASES)
def root(request: pytest.FixtureRequest) -> Root:
    refuse_without_machines("sudo make installed-test")
    refuse_without_gstreamer()
    return root_of(request.param, BUILD / "roots")


@pytest.fixture(scope="session")
def release(root: Root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this checkout's release, with its wheels."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "packs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process packs, and the other finds it there
        return unpacked(root, BUILD / "packs", tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def box(root: Root, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Booted, well, and with nobody in sight; with limits of memory that are enforced."""
    with ExitStack() as stack:
        street = stack.enter_context(Street())
        camera = stack.enter_context(Camera(street, tmp_path_factory.mktemp("scenes")))
        folder = tmp_path_factory.mktemp("box")
        name = f"box-{os.getpid()}-{root.release}"
        machine = stack.enter_context(
            Machine(folder, name, limits=True, network=street.box, lower=root.path)
        )
        lay_release(machine, release, machine.install)
        furnish(machine)
        machine.boot()
        box = Box(machine, street, camera)
        box.configure()
        yield box


@pytest.fixture(scope="session")
def on_the_box(box: Box, chromium: Start) -> Browser:
    """A browser on the box itself: the far end of `ssh -L`."""
    return chromium(box.street, box.street.box)


@pytest.fixture(scope="session")
def in_the_street(box: Box, chromium: Start) -> Browser:
    """A browser on another machine."""
    return chromium(box.street, box.street.street)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts browsers in network namespaces."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        lacking("no browser", "sudo apt-get install chromium")
    folder = tmp_path_factory.mktemp("browsers")
    with sync_playwright() as playwright, ExitStack() as stack:

        def start(street: Street, space: str) -> Browser:
            opened = playwright.chromium.launch(
                executable_path=street.program(folder, space, path),
                args=["--no-sandbox", "--disable-gpu", "--disable-quic"],
            )
            stack.callback(opened.close)
            return opened

        yield start


@pytest.fixture
def page(on_the_box: Browser) -> Iterator[Page]:
    """A tab on the box itself."""
    context = on_the_box.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def phone(in_the_street: Browser) -> Iterator[Page]:
    """A tab of somebody in the street."""
    context = in_the_street.new_context(viewport={"width": 390, "height": 800})
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()
